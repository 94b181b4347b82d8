"""The entries of `event_source_mappings` as users write them: keys, defaults and ranges.

Which source takes which parameter is in `taken_parameters`; checks between parameters are in `cross_checks`.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, JsonValue

from poller.configuration.model.aws import AWS_OVER, AwsSettings
from poller.configuration.model.document_models import WrittenAccess, WrittenDocumentDB, WrittenMongoDB
from poller.configuration.model.fields import Also, FilledText, Name, Seconds, Whole, Written, shown_default
from poller.configuration.model.forms import HiddenPath, Instant, RecordAge, Tags, Uuid
from poller.configuration.model.mapping import ExtendedJson, OnRecreated, StartingPosition
from poller.configuration.model.settings import LEAST_BYTES_IN_FLIGHT, MIB
from poller.configuration.model.sizes import Size
from poller.policy.filtering import MOST_FILTERS
from poller.policy.stream_delivery import FOR_EVER
from poller.sources.kinds import KINDS
from poller.sources.sharded.parameters import LEAST_AGE, MOST_AGE
from poller.sources.sqs.parameters import (
    FEWEST_POLLERS,
    LANES_PER_POLLER,
    LONGEST_RECEIVE_WAIT,
    MOST_LANES,
    MOST_POLLERS,
    START_LANES,
    Unwrap,
)
from poller.values.limits import LONGEST_HOLD_SECONDS


class WrittenScaling(Written):
    maximum_concurrency: Whole | None = Field(
        default=None,
        ge=2,
        le=1000,
        description="most batches in work at once",
        json_schema_extra=shown_default(f"from {START_LANES} up to {MOST_LANES:,} or the function's concurrency"),
    )


class WrittenPollers(Written):
    minimum_pollers: Whole | None = Field(
        default=None,
        ge=FEWEST_POLLERS,
        le=200,
        description=f"pollers from the start, each with {LANES_PER_POLLER} batches in work at once",
        json_schema_extra=shown_default(f"{FEWEST_POLLERS}"),
    )
    # The guide says 2,000; the newer API text and its error text say 10,000.
    maximum_pollers: Whole | None = Field(
        default=None,
        ge=FEWEST_POLLERS,
        le=10_000,
        description=f"most pollers, each with {LANES_PER_POLLER} batches in work at once",
        json_schema_extra=shown_default(f"{MOST_POLLERS}"),
    )
    poller_group_name: FilledText | None = Field(
        default=None, description="refused: it is for Kafka", json_schema_extra={"type": "null"}
    )


class WrittenMetrics(Written):
    metrics: list[Literal["EventCount", "ErrorCount", "KafkaMetrics"]] = Field(
        default_factory=list,
        max_length=3,
        json_schema_extra={"items": {"const": "EventCount"}},
        description="only `EventCount` is possible, and it is counted in any case",
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
        description=(
            "up to five of `{pattern: …}`, as JSON text or plain YAML; a record that matches one of them passes"
        ),
    )


class WrittenNoMatch(Written):
    send_to: str = Field(description="the ARN of an SQS queue: such messages are sent to it, then deleted")


def _on_no_match(value: Any) -> Any:
    """`delete` is the default, which is None. Raises ValueError."""
    if value is not None and value != "delete" and not isinstance(value, dict):
        raise ValueError("must be delete or {send_to: ARN}")
    return None if value == "delete" else value


class WrittenOnFailure(Written):
    destination: FilledText = Field(
        examples=["arn:aws:sqs:eu-west-1:123456789012:failed"],
        max_length=350,
        description="ARN of a standard SQS queue, a standard SNS topic, an S3 bucket or an EventBridge event bus",
    )


class WrittenDestinations(Written):
    on_failure: WrittenOnFailure | None = Field(default=None, description="the on-failure destination")
    on_success: Any = Field(default=None, description="refused, as in Lambda", json_schema_extra={"type": "null"})


class WrittenMapping(Written):
    """One entry of `event_source_mappings`, with the parameters of all supported sources."""

    name: Name | None = Field(
        default=None,
        description="the name in logs, metrics and status; a stream's position is stored under it",
        json_schema_extra=shown_default("of a queue `QUEUE-FUNCTION`; a stream needs this or `uuid`"),
    )
    uuid: Uuid | None = Field(
        default=None,
        description="the key of the mapping's state in the store",
        json_schema_extra=shown_default("made from the name"),
    )
    event_source_arn: str = Field(
        examples=["arn:aws:sqs:eu-west-1:123456789012:orders"],
        description=(
            "the ARN of the queue, the stream, the stream's consumer, the table's stream or the cluster; beside "
            "`mongodb.uri` it may be left out, and one is made from the name"
        ),
    )
    function_name: FilledText = Field(
        examples=["thumbnails", "arn:aws:lambda:eu-west-1:123456789012:function:thumbnails:live"],
        max_length=256,
        description="a key of `functions`, else a Lambda name, partial ARN or ARN with optional qualifier",
    )
    enabled: bool = Field(default=True, description="`false` keeps the mapping and polls nothing")
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
        default=0,
        ge=0,
        le=300,
        description="seconds that a batch may gather; not for FIFO queues",
        json_schema_extra=shown_default("0; DocumentDB 0.5"),
    )
    filter_criteria: WrittenFilters | None = Field(default=None, description="the records that the function gets")
    function_response_types: list[Literal["ReportBatchItemFailures"]] = Field(
        default_factory=list,
        max_length=1,
        description=(
            "the function names the records that failed: of a queue only those are delivered again, of a stream all "
            "from the first of them"
        ),
    )
    scaling_config: WrittenScaling | None = Field(
        default=None, description="the limit on batches in work at once; not beside `provisioned_poller_config`"
    )
    provisioned_poller_config: WrittenPollers | None = Field(
        default=None, description="the number of event pollers; not beside `scaling_config`"
    )
    starting_position: StartingPosition | None = Field(
        default=None, description="the starting position of a mapping that has no stored position; required"
    )
    starting_position_timestamp: Instant | None = Field(
        default=None, ge=0, description="epoch seconds, or ISO 8601 with a time zone; for `AT_TIMESTAMP`"
    )
    parallelization_factor: Whole = Field(
        default=1,
        ge=1,
        le=10,
        description=("batches of one shard in work at once; the records of a partition key stay in order"),
    )
    maximum_retry_attempts: Whole = Field(
        default=-1, ge=-1, le=10_000, description="retries of a batch before it is discarded; -1 is without limit"
    )
    maximum_record_age_in_seconds: RecordAge = Field(
        default=FOR_EVER,
        ge=FOR_EVER,
        le=MOST_AGE,
        json_schema_extra={"allOf": [{"anyOf": [{"const": FOR_EVER}, {"minimum": LEAST_AGE}]}]},
        description=f"seconds after which a record is discarded, {LEAST_AGE} or more; -1 is without limit",
    )
    bisect_batch_on_function_error: bool = Field(
        default=False, description="splits a failed batch in two, to isolate the record at fault"
    )
    tumbling_window_in_seconds: Whole = Field(
        default=0,
        ge=0,
        le=900,
        description=("seconds of a tumbling window, in which the function's state is passed from batch to batch"),
    )
    destination_config: WrittenDestinations | None = Field(
        default=None, description="where invocation records of discarded batches go"
    )
    poll_interval_seconds: Seconds = Field(default=1.0, ge=0, le=60, description="seconds between two reads of a shard")
    idle_poll_interval_seconds: Seconds = Field(
        default=1.0, ge=0, le=60, description="the longest such interval, reached while a shard has no records"
    )
    on_stream_recreated: OnRecreated = Field(
        default="stop",
        description=(
            "what to do where the stored position belongs to another stream: the stream was created "
            "again, or the ARN changed"
        ),
    )
    document_db_event_source_config: WrittenDocumentDB | None = Field(
        default=None, description="what is read of a DocumentDB cluster or a MongoDB replica set"
    )
    source_access_configurations: list[WrittenAccess] = Field(
        default_factory=list, max_length=1, description="who reads the cluster; needed without `mongodb.uri`"
    )
    mongodb: WrittenMongoDB | None = Field(default=None, description="how the cluster or replica set is reached")
    on_history_lost: OnRecreated = Field(
        default="stop", description="what to do where the change log no longer has the stored position"
    )
    extended_json: ExtendedJson = Field(
        default="relaxed",
        description="numbers and dates in events: `relaxed` as plain JSON as far as that goes, `canonical` with types",
    )
    deaggregate: bool = Field(default=False, description="unpacks aggregates of the Kinesis Producer Library")
    metrics_config: WrittenMetrics | None = Field(default=None, description="the event counts")
    tags: Tags = Field(
        default_factory=dict, description="shown in status; CloudFormation's list of `Key` and `Value` is accepted too"
    )
    aws: AwsSettings = Field(default=AwsSettings(), description=AWS_OVER)
    maximum_hold_seconds: Whole = Field(
        default=LONGEST_HOLD_SECONDS,
        ge=1,
        le=LONGEST_HOLD_SECONDS,
        description="seconds that messages stay invisible while their function cannot be invoked",
    )
    receive_wait_seconds: Whole = Field(
        default=LONGEST_RECEIVE_WAIT,
        ge=1,
        le=LONGEST_RECEIVE_WAIT,
        description=("seconds of a long poll, and so of the stop of an idle mapping; fewer seconds cost more requests"),
    )
    failure_visibility_timeout_seconds: Whole | None = Field(
        default=None,
        ge=0,
        le=LONGEST_HOLD_SECONDS,
        description="seconds after which a failed message becomes visible again, if that is sooner",
        json_schema_extra=shown_default("the rest of the queue's own timeout"),
    )
    fifo_stop_at_first_failure: bool = Field(
        default=False,
        description=(
            "after a failed message, releases all later messages of its group too; needs `function_response_types`"
        ),
    )
    on_no_match: Annotated[WrittenNoMatch | None, BeforeValidator(_on_no_match), Also(const="delete")] = Field(
        default=None,
        description="what to do with a message that matches no filter: `delete`, or the key below",
        json_schema_extra=shown_default("`delete`"),
    )
    unwrap: Unwrap | None = Field(
        default=None,
        description=(
            "each message carries an event of this service, and the function gets that event; `auto` for whichever of "
            "them. Makes `batch_size` 1"
        ),
    )
    redact: list[HiddenPath] = Field(
        default_factory=list,
        max_length=100,
        description=(
            "paths from the event inward, such as `Records.body.customer.email`; what they lead to is hidden in failed "
            "events before they are kept, and where records are shown"
        ),
    )
    shadow: bool = Field(
        default=False,
        description="invokes the function and moves nothing: no position is stored, no destination is told",
    )
    shadow_function_name: FilledText | None = Field(
        default=None, description="a second function, which gets a copy of each batch; its answers settle nothing"
    )
    max_bytes_in_flight: Size = Field(
        default=64 * MIB,
        ge=LEAST_BYTES_IN_FLIGHT,
        description="most bytes received and not yet settled; at this bound receives wait",
    )
