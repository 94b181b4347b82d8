"""The parameters of mappings as Lambda's model has them: types, ranges, and the words in which it refuses others.

A value of another type is a SerializationException; one out of range is a ValidationException, which tells all of them.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from poller.daemon.api.lambda_api.errors import LambdaError

Found = Iterator[tuple[str, Any, str]]
"""Path of a member, its value, and the constraint that it does not satisfy."""
_SHOWN_MOST = 200
"""Characters of a value that a refusal repeats."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A JSON type, and what its values must satisfy. `find` yields what they do not."""

    name: str
    """As a SerializationException names it."""
    is_one: Callable[[Any], bool]
    find: Callable[[str, Any], Found]


def _nothing(_path: str, _value: Any) -> Found:
    yield from ()


def whole(least: int, most: int) -> Shape:
    """An integer within bounds, both included."""

    def find(path: str, value: Any) -> Found:
        if value < least:
            yield path, value, f"Member must have value greater than or equal to {least}"
        if value > most:
            yield path, value, f"Member must have value less than or equal to {most}"

    return Shape("Integer", lambda value: isinstance(value, int) and not isinstance(value, bool), find)


def text(least: int = 0, most: int = 10_000, pattern: str | None = None, values: Sequence[str] = ()) -> Shape:
    """A string of so many characters, that matches the pattern or is one of the values."""

    def find(path: str, value: Any) -> Found:
        if len(value) < least:
            yield path, value, f"Member must have length greater than or equal to {least}"
        if len(value) > most:
            yield path, value, f"Member must have length less than or equal to {most}"
        elif pattern is not None and re.fullmatch(pattern, value) is None:
            yield path, value, f"Member must satisfy regular expression pattern: {pattern}"
        if values and value not in values:
            yield path, value, f"Member must satisfy enum value set: [{', '.join(values)}]"

    return Shape("String", lambda value: isinstance(value, str), find)


def listed(of: Shape, most: int | None = None, values: Sequence[str] = ()) -> Shape:
    """A list of so many; without `most` of any number."""

    def find(path: str, value: Any) -> Found:
        if most is not None and len(value) > most:
            yield path, value, f"Member must have length less than or equal to {most}"
        if values and any(one not in values for one in value):
            allowed = f"Member must satisfy enum value set: [{', '.join(values)}], Member must not be null"
            yield path, value, f"Member must satisfy constraint: [{allowed}]"
        for number, one in enumerate(value, 1):
            yield from find_in(of, f"{path}.{number}.member", one)

    return Shape("List", lambda value: isinstance(value, list), find)


def structure(**members: Shape) -> Shape:
    """Members of these shapes, in the order of Lambda's model; others are left to whoever reads them."""

    def find(path: str, value: Any) -> Found:
        for name, shape in members.items():
            if value.get(name) is not None:
                yield from find_in(shape, f"{path}.{_camel(name)}" if path else _camel(name), value[name])

    return Shape("Structure", lambda value: isinstance(value, dict), find)


def _texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


BOOLEAN = Shape("Boolean", lambda value: isinstance(value, bool), _nothing)
INSTANT = Shape("Timestamp", lambda value: isinstance(value, int | float) and not isinstance(value, bool), _nothing)
TAGS = Shape("Map", _texts, _nothing)

_DESTINATION = structure(Destination=text(0, 350))
_ACCESS_TYPES = (
    "BASIC_AUTH",
    "VPC_SUBNET",
    "VPC_SECURITY_GROUP",
    "SASL_SCRAM_512_AUTH",
    "SASL_SCRAM_256_AUTH",
    "VIRTUAL_HOST",
    "CLIENT_CERTIFICATE_TLS_AUTH",
    "SERVER_ROOT_CA_CERTIFICATE",
)
_ACCESS = structure(Type=text(values=_ACCESS_TYPES), URI=text(1, 200, r"[ a-zA-Z0-9-\/*:_+=.@-]*"))
_CHANGEABLE: Mapping[str, Shape] = {
    "FunctionName": text(1, 256),
    "Enabled": BOOLEAN,
    "BatchSize": whole(1, 10_000),
    # Lambda's model has no bound on filters: five are a quota, which is checked with the patterns
    "FilterCriteria": structure(Filters=listed(structure(Pattern=text(0, 4096)))),
    "MaximumBatchingWindowInSeconds": whole(0, 300),
    "ParallelizationFactor": whole(1, 10),
    "DestinationConfig": structure(OnSuccess=_DESTINATION, OnFailure=_DESTINATION),
    "MaximumRecordAgeInSeconds": whole(-1, 604_800),
    "BisectBatchOnFunctionError": BOOLEAN,
    "MaximumRetryAttempts": whole(-1, 10_000),
    "TumblingWindowInSeconds": whole(0, 900),
    "SourceAccessConfigurations": listed(_ACCESS, 23),
    "FunctionResponseTypes": listed(text(), 1, ("ReportBatchItemFailures",)),
    "ScalingConfig": structure(MaximumConcurrency=whole(2, 1000)),
    "ProvisionedPollerConfig": structure(MinimumPollers=whole(1, 200), MaximumPollers=whole(1, 10_000)),
    "MetricsConfig": structure(Metrics=listed(text(), 3, ("EventCount", "ErrorCount", "KafkaMetrics"))),
    "KMSKeyArn": text(),
    "DocumentDBEventSourceConfig": structure(
        DatabaseName=text(1, 63, r"[^ /\.$\x22]*"),
        CollectionName=text(1, 57, r"(^(?!(system\x2e)))(^[_a-zA-Z0-9])([^$]*)"),
        FullDocument=text(values=("UpdateLookup", "Default")),
    ),
}
UPDATE = structure(**_CHANGEABLE)
CREATE = structure(
    EventSourceArn=text(
        pattern=r"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:([a-z]{2}(-gov)?-[a-z]+-\d{1})?:(\d{12})?:(.*)"
    ),
    **_CHANGEABLE,
    StartingPosition=text(values=("LATEST", "AT_TIMESTAMP", "TRIM_HORIZON")),
    StartingPositionTimestamp=INSTANT,
    Tags=TAGS,
)
TAGGING = structure(Tags=TAGS)
UNTAGGING = structure()


def find_in(shape: Shape, path: str, value: Any) -> Found:
    """Everything about a value that the shape does not allow. Raises LambdaError for another type."""
    if not shape.is_one(value):
        text = f"{_type_of(value)} can not be converted to {shape.name} (at '{path}')"
        raise LambdaError("SerializationException", text)
    yield from shape.find(path, value)


def check(shape: Shape, document: Mapping[str, Any], required: Sequence[str] = ()) -> None:
    """Raises LambdaError."""
    missing = [(_camel(name), None, "Member must not be null") for name in required if document.get(name) is None]
    found = [*missing, *find_in(shape, "", document)]
    if found:
        errors = "; ".join(
            f"Value {_shown(value)} at '{path}' failed to satisfy constraint: {why}" for path, value, why in found
        )
        plural = "s" if len(found) > 1 else ""
        raise LambdaError("ValidationException", f"{len(found)} validation error{plural} detected: {errors}")


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    shown = f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)
    return f"'{shown[:_SHOWN_MOST]}'"


def _type_of(value: Any) -> str:
    names = {bool: "TRUE_VALUE" if value else "FALSE_VALUE", str: "STRING_VALUE", list: "START_ARRAY"}
    return names.get(type(value), "START_OBJECT" if isinstance(value, dict) else "NUMBER_VALUE")


def _camel(name: str) -> str:
    """`KMSKeyArn` is `kMSKeyArn`, as in Lambda's own refusals."""
    return name[:1].lower() + name[1:]
