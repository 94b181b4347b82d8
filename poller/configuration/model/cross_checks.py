"""Which parameters of one mapping cannot stand together. Each check gives the key at fault and the reason."""

import time
from collections.abc import Iterator

from poller.configuration.model.aws import AwsSettings
from poller.configuration.model.functions import FunctionConfig
from poller.configuration.model.mapping_models import LEAST_AGE, WrittenMapping
from poller.values.arns import EventSource, check_destination, check_forward

Finding = tuple[tuple[str | int, ...], str]
FIFO_MOST = 10
"""Messages of one batch from a FIFO queue."""
_NOT_PUSHED = {
    "deaggregate": "is for polled streams: with a consumer (enhanced fan-out) aggregates are always taken apart",
    "poll_interval_seconds": "is for polled streams: to a consumer (enhanced fan-out) records are pushed",
    "idle_poll_interval_seconds": "is for polled streams: to a consumer (enhanced fan-out) records are pushed",
}
UNWINDOWED_MOST = 10
"""Messages of one receive; a larger batch takes several, so it needs a window to gather them."""


def cross_check(written: WrittenMapping, source: EventSource) -> Iterator[Finding]:
    yield from _batching(written, source)
    yield from _pollers(written)
    if source.kind != "sqs":
        yield from _position(written, source)
        yield from _limits(written)
    if source.fan_out:
        yield from _fan_out(written)
    yield from _metrics(written)
    yield from _no_match(written, source)
    if written.fifo_stop_at_first_failure and not source.fifo:
        yield ("fifo_stop_at_first_failure",), "is for FIFO queues only; remove it"
    if written.fifo_stop_at_first_failure and not written.function_response_types:
        yield (
            ("fifo_stop_at_first_failure",),
            "needs partial batch responses; add function_response_types: [ReportBatchItemFailures]",
        )


def cross_check_aws(source: EventSource, aws: AwsSettings) -> Iterator[Finding]:
    """What a source asks of the way AWS is reached."""
    if source.fan_out and aws.transport != "lean":
        reason = f"names a consumer (enhanced fan-out), which aws.transport {aws.transport} cannot subscribe with"
        yield ("event_source_arn",), f"{reason}; use transport: lean, or name the stream itself"


def cross_check_function(written: WrittenMapping, function: FunctionConfig) -> Iterator[Finding]:
    """What a mapping asks of a function that it cannot do."""
    if function.invocation_type != "Event":
        return
    reads = "reads the function's answer, and {} is invoked with invocation_type Event, whose answer never comes; "
    if written.function_response_types:
        yield ("function_response_types",), reads.format(function.key) + "remove one of the two"
    if written.tumbling_window_in_seconds:
        yield ("tumbling_window_in_seconds",), reads.format(function.key) + "remove one of the two"


def _batching(written: WrittenMapping, source: EventSource) -> Iterator[Finding]:
    size, window = written.batch_size, written.maximum_batching_window_in_seconds
    if source.fifo:
        if size is not None and size > FIFO_MOST:
            yield ("batch_size",), f"must be at most {FIFO_MOST} for a FIFO queue"
        if window:
            yield ("maximum_batching_window_in_seconds",), "is not supported for FIFO queues; remove it"
    elif source.kind == "sqs" and size is not None and size > UNWINDOWED_MOST and not window:
        yield (
            ("batch_size",),
            f"is more than {UNWINDOWED_MOST}, which needs maximum_batching_window_in_seconds of 1 or more; set it",
        )


def _pollers(written: WrittenMapping) -> Iterator[Finding]:
    pollers = written.provisioned_poller_config
    if pollers is None:
        return
    at = "provisioned_poller_config"
    if pollers.poller_group_name is not None:
        yield (at, "poller_group_name"), "is not supported for an SQS queue, as in Lambda: it is for Kafka; remove it"
    if pollers.minimum_pollers is None and pollers.maximum_pollers is None:
        yield (at,), "needs minimum_pollers, maximum_pollers or both"
    elif (pollers.maximum_pollers or 200) < (pollers.minimum_pollers or 2):
        yield (at, "maximum_pollers"), f"must be at least minimum_pollers, which is {pollers.minimum_pollers or 2}"
    if written.scaling_config is not None and written.scaling_config.maximum_concurrency is not None:
        yield (
            (at,),
            "cannot stand beside scaling_config.maximum_concurrency; limit by maximum_pollers and remove the other",
        )


def _position(written: WrittenMapping, source: EventSource) -> Iterator[Finding]:
    position, timestamp = written.starting_position, written.starting_position_timestamp
    possible = "TRIM_HORIZON or LATEST" if source.kind == "dynamodb" else "TRIM_HORIZON, LATEST or AT_TIMESTAMP"
    if position is None:
        yield ("starting_position",), f"is missing; it can be {possible}"
    elif position == "AT_TIMESTAMP" and source.kind == "dynamodb":
        yield ("starting_position",), f"AT_TIMESTAMP is not supported for a DynamoDB stream; it can be {possible}"
    elif position == "AT_TIMESTAMP" and timestamp is None:
        yield ("starting_position_timestamp",), "is missing; AT_TIMESTAMP needs it"
    elif position != "AT_TIMESTAMP" and timestamp is not None:
        yield ("starting_position_timestamp",), "is for starting_position AT_TIMESTAMP only; remove it"
    if timestamp is not None and timestamp > time.time():
        yield ("starting_position_timestamp",), "is in the future"
    if written.name is None and written.uuid is None:
        yield ("name",), "is missing; a stream's position is kept by its mapping's name (or uuid)"


def _fan_out(written: WrittenMapping) -> Iterator[Finding]:
    for parameter, reason in _NOT_PUSHED.items():
        if parameter in written.model_fields_set:
            yield (parameter,), f"{reason}; remove it"


def _limits(written: WrittenMapping) -> Iterator[Finding]:
    if 0 <= written.maximum_record_age_in_seconds < LEAST_AGE:
        yield ("maximum_record_age_in_seconds",), f"must be either -1 (for ever) or between {LEAST_AGE} and 604800"
    if written.tumbling_window_in_seconds:
        yield from _windows(written)
    destinations = written.destination_config
    if destinations is None:
        return
    at = "destination_config"
    if destinations.on_success is not None:
        yield (at, "on_success"), "is not supported for event source mappings, as in Lambda; remove it"
    if destinations.on_failure is not None:
        try:
            check_destination(destinations.on_failure.destination)
        except ValueError as error:
            yield (at, "on_failure", "destination"), str(error)


def _windows(written: WrittenMapping) -> Iterator[Finding]:
    if written.parallelization_factor > 1:
        yield (
            ("parallelization_factor",),
            "must be 1 with tumbling_window_in_seconds, as in Lambda; remove one of the two",
        )
    if written.filter_criteria is not None and written.filter_criteria.filters:
        yield (
            ("filter_criteria",),
            "cannot stand beside tumbling_window_in_seconds, as in Lambda; remove it, or filter in the function",
        )


def _no_match(written: WrittenMapping, source: EventSource) -> Iterator[Finding]:
    if written.on_no_match is None:
        return
    if written.filter_criteria is None or not written.filter_criteria.filters:
        yield ("on_no_match",), "needs filter_criteria: without filters every message matches; remove it"
    try:
        check_forward(written.on_no_match.send_to, source)
    except ValueError as error:
        yield ("on_no_match", "send_to"), str(error)


def _metrics(written: WrittenMapping) -> Iterator[Finding]:
    for index, metric in enumerate(written.metrics_config.metrics if written.metrics_config else []):
        if metric != "EventCount":
            yield (("metrics_config", "metrics", index), f"{metric} is for Kafka sources; only EventCount is possible")
