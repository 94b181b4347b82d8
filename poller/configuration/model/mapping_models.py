"""The entries of `event_source_mappings` as users write them: keys, defaults and ranges.

Which source takes which parameter is in `parameters`; checks between parameters are in `cross_checks`.
"""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue

from poller.configuration.model.aws import AWS_OVER, AwsSettings
from poller.configuration.model.fields import Also, FilledText, Name, Seconds, Whole, Written, shown_default, text
from poller.configuration.model.mapping import OnRecreated, StartingPosition
from poller.configuration.model.settings import LEAST_BYTES_IN_FLIGHT, MIB
from poller.configuration.model.sizes import Size
from poller.policy.filtering import MOST_FILTERS
from poller.sources.kinds import KINDS
from poller.sources.sharded.parameters import LEAST_AGE
from poller.sources.sqs.parameters import (
    LANES_PER_POLLER,
    LONGEST_RECEIVE_WAIT,
    MOST_HOLD_SECONDS,
    MOST_LANES,
    START_LANES,
)


class WrittenScaling(Written):
    maximum_concurrency: Whole | None = Field(
        default=None,
        ge=2,
        le=1000,
        description="most batches at once",
        json_schema_extra=shown_default(f"from {START_LANES} up to {MOST_LANES:,} or the function's concurrency"),
    )


class WrittenPollers(Written):
    minimum_pollers: Whole | None = Field(
        default=None,
        ge=2,
        le=200,
        description=f"{LANES_PER_POLLER} batches at once each, from the start",
        json_schema_extra=shown_default("2"),
    )
    # The guide says 2,000; the newer API text and its error text say 10,000.
    maximum_pollers: Whole | None = Field(
        default=None,
        ge=2,
        le=10_000,
        description=f"{LANES_PER_POLLER} batches at once each, at the most",
        json_schema_extra=shown_default("200"),
    )
    poller_group_name: FilledText | None = Field(
        default=None, description="refused: it is for Kafka", json_schema_extra={"type": "null"}
    )


class WrittenMetrics(Written):
    metrics: list[Literal["EventCount", "ErrorCount", "KafkaMetrics"]] = Field(
        default_factory=list,
        max_length=3,
        json_schema_extra={"items": {"const": "EventCount"}},
        description="only `EventCount` is possible, and it is always counted",
    )


_PATTERN: dict[str, JsonValue] = {"anyOf": [{"type": "object"}, {"type": "string"}]}


class WrittenFilter(Written):
    pattern: Any = Field(
        json_schema_extra=_PATTERN,
        description="the pattern, as JSON text or plain YAML",
    )


class WrittenFilters(Written):
    filters: list[WrittenFilter] = Field(
        default_factory=list,
        max_length=MOST_FILTERS,
        description="up to five of `{pattern: …}`, as JSON text or plain YAML; a record passes that matches one",
    )


class WrittenNoMatch(Written):
    send_to: str = Field(description="ARN of an SQS queue that such messages are sent to before they are deleted")


def _on_no_match(value: Any) -> Any:
    """`delete` is what is done without it. Raises ValueError."""
    if value is not None and value != "delete" and not isinstance(value, dict):
        raise ValueError("must be delete or {send_to: ARN}")
    return None if value == "delete" else value


class WrittenOnFailure(Written):
    destination: FilledText = Field(
        max_length=350, description="ARN of a standard SQS queue, a standard SNS topic or an S3 bucket"
    )


class WrittenDestinations(Written):
    on_failure: WrittenOnFailure | None = Field(
        default=None, description="where the invocation record of a discarded batch goes"
    )
    on_success: Any = Field(default=None, description="refused, as in Lambda", json_schema_extra={"type": "null"})


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
        "properties": {"Key": {"type": "string"}, "Value": {"type": "string"}},
        "required": ["Key", "Value"],
        "additionalProperties": False,
    },
)


Instant = Annotated[Seconds, BeforeValidator(_instant), Also(type="string", pattern=_INSTANT_PATTERN)]


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


class WrittenMapping(Written):
    """One entry of `event_source_mappings`, as far as a source that is supported takes it."""

    name: Name | None = Field(
        default=None,
        description="in logs, metrics and status; a stream's position is kept by it",
        json_schema_extra=shown_default("of a queue `QUEUE-FUNCTION`; a stream needs this or `uuid`"),
    )
    uuid: Annotated[str, AfterValidator(_uuid), text(_UUID_PATTERN)] | None = Field(
        default=None, description="under which its state is kept", json_schema_extra=shown_default("made from the name")
    )
    event_source_arn: str = Field(description="of the queue, stream, consumer or table's stream")
    function_name: FilledText = Field(
        max_length=256,
        description="a key of `functions`, else a Lambda name, partial ARN or ARN with optional qualifier",
    )
    enabled: bool = Field(default=True, description="`false` keeps it, and polls nothing")
    batch_size: Whole | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description=(
            "most records of one invocation; of a FIFO queue at most 10, of a standard one more than "
            "10 only with a window"
        ),
        json_schema_extra=shown_default(", ".join(f"{kind.column} {kind.batch_size}" for kind in KINDS.values())),
    )
    maximum_batching_window_in_seconds: Whole = Field(
        default=0, ge=0, le=300, description="how long a batch may gather; not on FIFO queues"
    )
    filter_criteria: WrittenFilters | None = Field(default=None, description="which records are for the function")
    function_response_types: list[Literal["ReportBatchItemFailures"]] = Field(
        default_factory=list,
        max_length=1,
        description="lets the function name what failed, and nothing else comes again",
    )
    scaling_config: WrittenScaling | None = Field(
        default=None, description="how many batches run at once; not beside `provisioned_poller_config`"
    )
    provisioned_poller_config: WrittenPollers | None = Field(
        default=None, description=f"lanes, {LANES_PER_POLLER} for each poller; not beside `scaling_config`"
    )
    starting_position: StartingPosition | None = Field(
        default=None, description="where a mapping without a stored position begins; required"
    )
    starting_position_timestamp: (
        Annotated[Seconds, BeforeValidator(_instant), Also(type="string", pattern=_INSTANT_PATTERN)] | None
    ) = Field(default=None, ge=0, description="epoch seconds or ISO 8601 with its time zone; with `AT_TIMESTAMP`")
    parallelization_factor: Whole = Field(
        default=1, ge=1, le=10, description="batches of one shard at once; the records of a key stay in order"
    )
    maximum_retry_attempts: Whole = Field(
        default=-1, ge=-1, le=10_000, description="after which a batch is given up; -1 is for ever"
    )
    maximum_record_age_in_seconds: Whole = Field(
        default=-1,
        ge=-1,
        le=604_800,
        json_schema_extra={"allOf": [{"anyOf": [{"const": -1}, {"minimum": LEAST_AGE}]}]},
        description="after which a record is given up, 60 or more; -1 is for ever",
    )
    bisect_batch_on_function_error: bool = Field(
        default=False, description="splits a batch that fails, to find the record that does"
    )
    tumbling_window_in_seconds: Whole = Field(
        default=0, ge=0, le=900, description="for how long the function's state is carried from batch to batch"
    )
    destination_config: WrittenDestinations | None = Field(default=None, description="who is told of what was given up")
    poll_interval_seconds: Seconds = Field(default=1.0, ge=0, le=60, description="between two reads of a shard")
    idle_poll_interval_seconds: Seconds = Field(
        default=1.0, ge=0, le=60, description="what that grows to while a shard brings nothing"
    )
    on_stream_recreated: OnRecreated = Field(
        default="stop",
        description=(
            "what the position stored means where the stream is another one: made anew under its name, or"
            " named by another ARN"
        ),
    )
    deaggregate: bool = Field(default=False, description="takes aggregates of the Kinesis Producer Library apart")
    metrics_config: WrittenMetrics | None = Field(default=None, description="which counts are kept")
    tags: Annotated[dict[str, str], BeforeValidator(_tags), _LISTED_TAGS] = Field(
        default_factory=dict, description="shown in status; also as CloudFormation's list of `Key` and `Value`"
    )
    aws: AwsSettings = Field(default=AwsSettings(), description=AWS_OVER)
    maximum_hold_seconds: Whole = Field(
        default=MOST_HOLD_SECONDS,
        ge=1,
        le=MOST_HOLD_SECONDS,
        description="how long messages are kept invisible for a function that cannot be invoked",
    )
    receive_wait_seconds: Whole = Field(
        default=LONGEST_RECEIVE_WAIT,
        ge=1,
        le=LONGEST_RECEIVE_WAIT,
        description=(
            "the longest a receive waits for messages, and so a stop of an idle mapping; less costs more requests"
        ),
    )
    failure_visibility_timeout_seconds: Whole | None = Field(
        default=None,
        ge=0,
        le=MOST_HOLD_SECONDS,
        description="when a failed message comes again, if that is sooner",
        json_schema_extra=shown_default("what is left of the queue's own timeout"),
    )
    fifo_stop_at_first_failure: bool = Field(
        default=False,
        description=("keeps, with a failed message, all that follow it in its group; with `function_response_types`"),
    )
    on_no_match: Annotated[WrittenNoMatch | None, BeforeValidator(_on_no_match), Also(const="delete")] = Field(
        default=None,
        description="what becomes of a message that no filter lets pass: `delete`, or the key below",
        json_schema_extra=shown_default("`delete`"),
    )
    max_bytes_in_flight: Size = Field(
        default=64 * MIB,
        ge=LEAST_BYTES_IN_FLIGHT,
        description="received and not yet settled; at the bound reads wait in line",
    )
