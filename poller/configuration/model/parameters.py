"""The parameters of CreateEventSourceMapping: their ranges, and which source takes which.

A new source is new rows and columns here. Cross-checks between parameters are in `cross_checks`.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field

from poller.configuration.model.fields import FilledText, Name, Seconds, Whole, Written
from poller.configuration.model.mapping import LONGEST_RECEIVE_WAIT, MOST_HOLD_SECONDS, OnRecreated, StartingPosition
from poller.configuration.model.settings import LEAST_BYTES_IN_FLIGHT, MIB, AwsSettings
from poller.configuration.model.sizes import Size
from poller.policy.filtering import MOST_FILTERS

SQS, KINESIS, DYNAMODB, DOCUMENTDB = "sqs", "kinesis", "dynamodb", "documentdb"
_STREAMS = frozenset({KINESIS, DYNAMODB})
_QUEUE_AND_STREAMS = _STREAMS | {SQS}
_ALL = _QUEUE_AND_STREAMS | {DOCUMENTDB}
_NONE: frozenset[str] = frozenset()

APPLIES: Mapping[str, frozenset[str]] = {
    "function_name": _ALL,
    "event_source_arn": _ALL,
    "enabled": _ALL,
    "batch_size": _ALL,
    "maximum_batching_window_in_seconds": _ALL,
    "filter_criteria": _QUEUE_AND_STREAMS,
    "function_response_types": _QUEUE_AND_STREAMS,
    "parallelization_factor": _STREAMS,
    "starting_position": _STREAMS | {DOCUMENTDB},
    "starting_position_timestamp": frozenset({KINESIS, DOCUMENTDB}),
    "maximum_record_age_in_seconds": _STREAMS,
    "maximum_retry_attempts": _STREAMS,
    "bisect_batch_on_function_error": _STREAMS,
    "tumbling_window_in_seconds": _STREAMS,
    "destination_config": _STREAMS,
    "scaling_config": frozenset({SQS}),
    "provisioned_poller_config": frozenset({SQS}),
    "document_db_event_source_config": frozenset({DOCUMENTDB}),
    "source_access_configurations": frozenset({DOCUMENTDB}),
    "metrics_config": _QUEUE_AND_STREAMS,
    "tags": _ALL,
    "kms_key_arn": _NONE,
    "topics": _NONE,
    "queues": _NONE,
    "self_managed_event_source": _NONE,
    "self_managed_kafka_event_source_config": _NONE,
    "amazon_managed_kafka_event_source_config": _NONE,
    "logging_config": _NONE,
}
"""Every AWS parameter, and the kinds of source that take it."""

_KAFKA = "it belongs to Kafka and message brokers, which are not sources here; remove it"
REFUSED: Mapping[str, str] = {
    "kms_key_arn": "no filter is stored that it could encrypt; remove it",
    "topics": _KAFKA,
    "queues": _KAFKA,
    "self_managed_event_source": _KAFKA,
    "self_managed_kafka_event_source_config": _KAFKA,
    "amazon_managed_kafka_event_source_config": _KAFKA,
    "logging_config": "what is logged is set for the whole process, by log; remove it",
}
"""Why no source takes it."""

INSTEAD: Mapping[tuple[str, str], str] = {
    (SQS, "parallelization_factor"): "limit concurrent batches by scaling_config.maximum_concurrency",
    (SQS, "starting_position"): "a queue has no positions; remove it",
    (SQS, "starting_position_timestamp"): "a queue has no positions; remove it",
    (SQS, "maximum_record_age_in_seconds"): "set the queue's own message retention period",
    (SQS, "maximum_retry_attempts"): "set maxReceiveCount in the queue's redrive policy",
    (SQS, "bisect_batch_on_function_error"): "let the function name what failed: function_response_types",
    (SQS, "tumbling_window_in_seconds"): "only streams have windows; remove it",
    (SQS, "destination_config"): "give the queue a redrive policy with a dead-letter queue",
    (SQS, "document_db_event_source_config"): "remove it",
    (SQS, "source_access_configurations"): "remove it; credentials come from aws or the SDK's own chain",
    **{
        (kind, parameter): advice
        for kind in sorted(_STREAMS)
        for parameter, advice in (
            ("scaling_config", "limit concurrent batches by parallelization_factor or the function's concurrency"),
            ("provisioned_poller_config", "remove it; every shard has lanes of its own"),
            ("document_db_event_source_config", "remove it"),
            ("source_access_configurations", "remove it; credentials come from aws or the SDK's own chain"),
        )
    },
    (DYNAMODB, "starting_position_timestamp"): "use TRIM_HORIZON or LATEST",
}
"""What to do when a kind of source does not take a parameter."""

TITLES: Mapping[str, str] = {
    SQS: "an SQS queue",
    KINESIS: "a Kinesis stream",
    DYNAMODB: "a DynamoDB stream",
    DOCUMENTDB: "a DocumentDB cluster",
}


OWN: Mapping[str, frozenset[str]] = {
    "maximum_hold_seconds": frozenset({SQS}),
    "receive_wait_seconds": frozenset({SQS}),
    "failure_visibility_timeout_seconds": frozenset({SQS}),
    "fifo_stop_at_first_failure": frozenset({SQS}),
    "on_no_match": frozenset({SQS}),
    "poll_interval_seconds": _STREAMS,
    "idle_poll_interval_seconds": _STREAMS,
    "on_stream_recreated": _STREAMS,
    "deaggregate": frozenset({KINESIS}),
}
"""Our own parameters, and the kinds of source that take them; those not named are for all."""


_OWNERS = {frozenset({SQS}): "SQS queues", frozenset({KINESIS}): "Kinesis streams"}


def not_for(kind: str | None, parameter: str) -> str | None:
    """Why a source of this kind does not take a parameter; None if it does, or if there is no such parameter. Where
    the kind is not known, only what no source takes has a reason.
    """
    sources = APPLIES.get(parameter)
    if sources is not None and not sources:
        return f"is not supported: {REFUSED[parameter]}"
    if kind is None:
        return None
    own = OWN.get(parameter)
    if own is not None and kind not in own:
        return f"is for {_OWNERS.get(own, 'streams')} only; remove it"
    if sources is None or kind in sources:
        return None
    return f"is not supported for {TITLES[kind]}, as in Lambda: {INSTEAD[kind, parameter]}"


class WrittenScaling(Written):
    maximum_concurrency: Whole | None = Field(default=None, ge=2, le=1000)


class WrittenPollers(Written):
    minimum_pollers: Whole | None = Field(default=None, ge=2, le=200)
    # The guide says 2,000; the newer API text and its error text say 10,000.
    maximum_pollers: Whole | None = Field(default=None, ge=2, le=10_000)
    poller_group_name: FilledText | None = None


class WrittenMetrics(Written):
    metrics: list[Literal["EventCount", "ErrorCount", "KafkaMetrics"]] = Field(default_factory=list, max_length=3)


class WrittenFilter(Written):
    pattern: Any


class WrittenFilters(Written):
    filters: list[WrittenFilter] = Field(default_factory=list, max_length=MOST_FILTERS)


class WrittenNoMatch(Written):
    send_to: str


def _on_no_match(value: Any) -> Any:
    """`delete` is what is done without it. Raises ValueError."""
    if value is not None and value != "delete" and not isinstance(value, dict):
        raise ValueError("must be delete or {send_to: ARN}")
    return None if value == "delete" else value


class WrittenOnFailure(Written):
    destination: FilledText = Field(max_length=350)


class WrittenDestinations(Written):
    on_failure: WrittenOnFailure | None = None
    on_success: Any = None


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


_INSTANT = "must be epoch seconds or ISO 8601 such as 2026-01-31T12:00:00Z"


def _tags(value: Any) -> Any:
    """The API's map, or CloudFormation's list of Key and Value."""
    if not isinstance(value, list):
        return value
    tags = [{key.lower(): text for key, text in tag.items()} for tag in value if isinstance(tag, dict)]
    if len(tags) < len(value) or any(tag.keys() != {"key", "value"} for tag in tags):
        raise ValueError("must be names and values, or a list of such as {Key: team, Value: shop}")
    return {tag["key"]: tag["value"] for tag in tags}


def _uuid(value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError as error:
        raise ValueError("must be a UUID; remove it to have one made from the name") from error


class WrittenMapping(Written):
    """One entry of `event_source_mappings`, as far as a source that is supported takes it."""

    name: Name | None = None
    uuid: Annotated[str, AfterValidator(_uuid)] | None = None
    event_source_arn: str
    function_name: FilledText = Field(max_length=256)
    enabled: bool = True
    batch_size: Whole | None = Field(default=None, ge=1, le=10_000)
    maximum_batching_window_in_seconds: Whole = Field(default=0, ge=0, le=300)
    filter_criteria: WrittenFilters | None = None
    function_response_types: list[Literal["ReportBatchItemFailures"]] = Field(default_factory=list, max_length=1)
    scaling_config: WrittenScaling | None = None
    provisioned_poller_config: WrittenPollers | None = None
    starting_position: StartingPosition | None = None
    starting_position_timestamp: Annotated[Seconds, BeforeValidator(_instant)] | None = Field(default=None, ge=0)
    parallelization_factor: Whole = Field(default=1, ge=1, le=10)
    maximum_retry_attempts: Whole = Field(default=-1, ge=-1, le=10_000)
    maximum_record_age_in_seconds: Whole = Field(default=-1, ge=-1, le=604_800)
    bisect_batch_on_function_error: bool = False
    tumbling_window_in_seconds: Whole = Field(default=0, ge=0, le=900)
    destination_config: WrittenDestinations | None = None
    poll_interval_seconds: Seconds = Field(default=1.0, ge=0, le=60)
    idle_poll_interval_seconds: Seconds = Field(default=1.0, ge=0, le=60)
    on_stream_recreated: OnRecreated = "stop"
    deaggregate: bool = False
    metrics_config: WrittenMetrics | None = None
    tags: Annotated[dict[str, str], BeforeValidator(_tags)] = Field(default_factory=dict)
    aws: AwsSettings = AwsSettings()
    maximum_hold_seconds: Whole = Field(default=MOST_HOLD_SECONDS, ge=1, le=MOST_HOLD_SECONDS)
    receive_wait_seconds: Whole = Field(default=LONGEST_RECEIVE_WAIT, ge=1, le=LONGEST_RECEIVE_WAIT)
    failure_visibility_timeout_seconds: Whole | None = Field(default=None, ge=0, le=MOST_HOLD_SECONDS)
    fifo_stop_at_first_failure: bool = False
    on_no_match: Annotated[WrittenNoMatch | None, BeforeValidator(_on_no_match)] = None
    max_bytes_in_flight: Size = Field(default=64 * MIB, ge=LEAST_BYTES_IN_FLIGHT)


BATCH_SIZE_DEFAULT: Mapping[str, int] = {SQS: 10, KINESIS: 100, DYNAMODB: 100, DOCUMENTDB: 100}
