"""Which source takes which parameter of CreateEventSourceMapping.

A new source is new rows and columns here. The parameters themselves are in `mapping_models`, checks between them in
`cross_checks`.
"""

from collections.abc import Mapping

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


BATCH_SIZE_DEFAULT: Mapping[str, int] = {SQS: 10, KINESIS: 100, DYNAMODB: 100, DOCUMENTDB: 100}
