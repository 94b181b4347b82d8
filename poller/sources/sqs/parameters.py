"""What a mapping of a queue may say: the ARN, parameters and the checks between them, lanes, permissions."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from poller.values.arns import Arn, EventSource, event_source, instead_of_url, split_arn
from poller.values.permissions import Grant

if TYPE_CHECKING:
    from poller.configuration.model.mapping import EventSourceMapping
    from poller.configuration.model.mapping_keys import WrittenMapping
    from poller.sources.kind import Finding

SERVICE = "sqs"
"""The SDK's name of it."""
FIFO_MOST = 10
"""Messages of one batch from a FIFO queue."""
UNWINDOWED_MOST = 10
"""Messages of one receive; a larger batch takes several, so it needs a window to gather them."""
START_LANES = 5
"""Concurrent batches a mapping starts with, as Lambda does."""
MOST_LANES = 1250
"""Concurrent invocations of one mapping at which Lambda stops to scale."""
FEWEST_POLLERS = 2
"""Provisioned event pollers of a mapping, at least and by default."""
MOST_POLLERS = 200
"""The most of them, unless the mapping sets another number."""
LANES_PER_POLLER = 10
"""Concurrent invocations one provisioned event poller handles."""

LONGEST_RECEIVE_WAIT = 20
"""Seconds: the longest long poll of SQS."""

ANY_ENVELOPE = "auto"
"""Value of `unwrap`: each message is opened as what it is."""
Unwrap = Literal["auto", "sns", "s3", "eventbridge", "ses", "cloudwatch_logs", "codecommit", "cloudformation", "config"]
"""The values of `unwrap`."""

TAKES = frozenset(
    {
        "filter_criteria",
        "function_response_types",
        "metrics_config",
        "provisioned_poller_config",
        "scaling_config",
    }
)
OWN = frozenset(
    {
        "maximum_hold_seconds",
        "receive_wait_seconds",
        "failure_visibility_timeout_seconds",
        "fifo_stop_at_first_failure",
        "on_no_match",
        "unwrap",
    }
)
INSTEAD = {
    "parallelization_factor": "limit concurrent batches by scaling_config.maximum_concurrency",
    "starting_position": "a queue has no positions; remove it",
    "starting_position_timestamp": "a queue has no positions; remove it",
    "maximum_record_age_in_seconds": "set the queue's own message retention period",
    "maximum_retry_attempts": "set maxReceiveCount in the queue's redrive policy",
    "bisect_batch_on_function_error": "let the function name what failed: function_response_types",
    "tumbling_window_in_seconds": "only streams have windows; remove it",
    "destination_config": "give the queue a redrive policy with a dead-letter queue",
    "document_db_event_source_config": "it says what is read of a DocumentDB cluster; remove it",
    "shadow": "a queue gives each message to one consumer, so name a second function by shadow_function_name",
    "source_access_configurations": "remove it; credentials come from aws or the SDK's own chain",
}

_ACTIONS = ("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage")
"""IAM allows the batch forms by the action of the single one."""
_QUEUE = re.compile(r"[A-Za-z0-9_-]{1,75}\.fifo|[A-Za-z0-9_-]{1,80}")


def read_arn(arn: Arn) -> EventSource:
    """Raises ValueError."""
    if not _QUEUE.fullmatch(arn.resource):
        raise ValueError("does not end in a queue's name (letters, digits, - and _, at most 80)")
    return event_source(arn, kind="sqs", service=SERVICE, fifo=arn.resource.endswith(".fifo"))


def grants(mapping: "EventSourceMapping") -> Iterator[Grant]:
    source = mapping.source
    yield Grant("Queues", _ACTIONS, source.arn)


def dead_letters(mapping: "EventSourceMapping") -> Grant:
    """The queue's redrive policy names the dead-letter queue; it is of the same region and account."""
    source = mapping.source
    return Grant("DeadLetters", _ACTIONS, f"{source.arn.rpartition(':')[0]}:*")


def lanes(mapping: "EventSourceMapping") -> tuple[int, int]:
    """`(start, most)`: concurrent batches."""
    if mapping.provisioned_poller_config is not None:
        pollers = mapping.provisioned_poller_config
        return LANES_PER_POLLER * pollers.minimum_pollers, LANES_PER_POLLER * pollers.maximum_pollers
    most = min(MOST_LANES, mapping.function.concurrency or MOST_LANES)
    if mapping.scaling_config is not None and mapping.scaling_config.maximum_concurrency is not None:
        most = min(most, mapping.scaling_config.maximum_concurrency)
    return min(START_LANES, most), most


def cross_check(written: "WrittenMapping", source: EventSource) -> Iterator["Finding"]:
    """Parameters that cannot stand together."""
    yield from _batching(written, source)
    yield from _pollers(written)
    yield from _no_match(written, source)
    yield from _unwrap(written)
    if written.fifo_stop_at_first_failure and not source.fifo:
        yield ("fifo_stop_at_first_failure",), "is for FIFO queues only; remove it"
    if written.fifo_stop_at_first_failure and not written.function_response_types:
        yield (
            ("fifo_stop_at_first_failure",),
            "needs partial batch responses; add function_response_types: [ReportBatchItemFailures]",
        )


def _batching(written: "WrittenMapping", source: EventSource) -> Iterator["Finding"]:
    size, window = written.batch_size, written.maximum_batching_window_in_seconds
    if source.fifo:
        if size is not None and size > FIFO_MOST:
            yield ("batch_size",), f"must be at most {FIFO_MOST} for a FIFO queue"
        if window:
            yield ("maximum_batching_window_in_seconds",), "is not supported for FIFO queues; remove it"
    elif size is not None and size > UNWINDOWED_MOST and not window:
        yield (
            ("batch_size",),
            f"is more than {UNWINDOWED_MOST}, which needs maximum_batching_window_in_seconds of 1 or more; set it",
        )


def _pollers(written: "WrittenMapping") -> Iterator["Finding"]:
    pollers = written.provisioned_poller_config
    if pollers is None:
        return
    at = "provisioned_poller_config"
    if pollers.poller_group_name is not None:
        yield (at, "poller_group_name"), "is not supported for an SQS queue, as in Lambda: it is for Kafka; remove it"
    if pollers.minimum_pollers is None and pollers.maximum_pollers is None:
        yield (at,), "needs minimum_pollers, maximum_pollers or both"
    elif (pollers.maximum_pollers or MOST_POLLERS) < (fewest := pollers.minimum_pollers or FEWEST_POLLERS):
        yield (at, "maximum_pollers"), f"must be at least minimum_pollers, which is {fewest}"
    if written.scaling_config is not None and written.scaling_config.maximum_concurrency is not None:
        yield (
            (at,),
            "cannot stand beside scaling_config.maximum_concurrency; limit by maximum_pollers and remove the other",
        )


def _unwrap(written: "WrittenMapping") -> Iterator["Finding"]:
    if written.unwrap is None:
        return
    if written.batch_size not in (None, 1):
        yield (
            ("batch_size",),
            "must be 1 with unwrap: the services whose events are unwrapped invoke a function for one event; remove it",
        )
    if written.function_response_types:
        yield (
            ("function_response_types",),
            "is for a function that gets a batch of messages; with unwrap it gets one event. Remove one of the two",
        )


def _no_match(written: "WrittenMapping", source: EventSource) -> Iterator["Finding"]:
    if written.on_no_match is None:
        return
    if written.filter_criteria is None or not written.filter_criteria.filters:
        yield ("on_no_match",), "needs filter_criteria: without filters every message matches; remove it"
    try:
        _check_forward(written.on_no_match.send_to, source)
    except ValueError as error:
        yield ("on_no_match", "send_to"), str(error)


def _check_forward(arn: str, source: EventSource) -> None:
    """Raises ValueError for a target that cannot take the queue's messages as they are."""
    target = read_queue(arn)
    if target is None:
        example = "arn:aws:sqs:eu-west-1:123456789012:unmatched"
        raise ValueError(f"must be the ARN of an SQS queue, such as {example}{instead_of_url(arn)}")
    if target.arn == source.arn:
        raise ValueError("is the queue itself, in which its messages would go round for ever; name another queue")
    if target.fifo and not source.fifo:
        raise ValueError("is a FIFO queue, and messages of a standard queue have no group; name a standard one")


def read_queue(arn: str) -> EventSource | None:
    """The queue of any ARN; None for every other ARN or text."""
    found = split_arn(arn)
    if found is None or found.service != "sqs" or not found.region or not found.account:
        return None
    return read_arn(found) if _QUEUE.fullmatch(found.resource) else None
