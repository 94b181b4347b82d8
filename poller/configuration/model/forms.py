"""Values of a mapping that a range alone does not describe: instants, ages of records, tags, UUIDs."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator

from poller.configuration.model.fields import Also, Seconds, Whole, text
from poller.policy.redaction import path_of
from poller.policy.stream_delivery import FOR_EVER
from poller.sources.sharded.parameters import LEAST_AGE, MOST_AGE


def _instant(value: Any) -> Any:
    """Epoch seconds, or ISO 8601 with its time zone. Raises ValueError."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError(_INSTANT) from error
    if isinstance(value, date):
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise ValueError(f"{_INSTANT}, with its time zone")
        return value.timestamp()
    return value


_INSTANT_PATTERN = r"^\d{4}-?\d{2}-?\d{2}[T ].+(Z|[+-]\d{2}(:?\d{2})*)$"
_INSTANT = "must be epoch seconds or ISO 8601 such as 2026-01-31T12:00:00Z"


_LISTED_TAGS = Also(
    type="array",
    items={
        "type": "object",
        "properties": {name: {"type": "string"} for name in ("Key", "Value", "key", "value")},
        "additionalProperties": False,
        "minProperties": 2,
    },
)


def _tags(value: Any) -> Any:
    """The API's map, or CloudFormation's list of Key and Value."""
    if not isinstance(value, list):
        return value
    tags = [{key.lower(): text for key, text in tag.items()} for tag in value if isinstance(tag, dict)]
    if len(tags) < len(value) or any(tag.keys() != {"key", "value"} for tag in tags):
        raise ValueError("must be names and values, or a list of such as {Key: team, Value: shop}")
    return {tag["key"]: tag["value"] for tag in tags}


_UUID_PATTERN = r"^(urn:)?(uuid:)?[{]?([0-9A-Fa-f]-*){32}[}]?$"


def _uuid(value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError as error:
        raise ValueError("must be a UUID; remove it to have one made from the name") from error


def _record_age(value: int) -> int:
    if FOR_EVER < value < LEAST_AGE:
        raise ValueError(f"must be -1, without limit, or from {LEAST_AGE} to {MOST_AGE:,}")
    return value


def _hidden(value: str) -> str:
    path_of(value)
    return value


HiddenPath = Annotated[str, AfterValidator(_hidden)]
Instant = Annotated[Seconds, BeforeValidator(_instant), Also(type="string", pattern=_INSTANT_PATTERN)]
RecordAge = Annotated[Whole, AfterValidator(_record_age)]
Tags = Annotated[dict[str, str], BeforeValidator(_tags), _LISTED_TAGS]
Uuid = Annotated[str, AfterValidator(_uuid), text(_UUID_PATTERN)]
