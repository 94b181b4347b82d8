"""A mapping as Lambda describes its own: every parameter comes back, or a tool would change it for ever."""

from collections.abc import Mapping
from typing import Any

from poller.configuration import EventSourceMapping
from poller.daemon.api.lambda_api.catalog import Entry
from poller.ports.status import MappingStatus
from poller.sources.kinds import KINDS
from poller.values.arns import split_arn
from poller.values.stored_mapping import StoredMapping

OF_SOME: Mapping[str, str] = {
    "starting_position": "StartingPosition",
    "parallelization_factor": "ParallelizationFactor",
    "maximum_retry_attempts": "MaximumRetryAttempts",
    "maximum_record_age_in_seconds": "MaximumRecordAgeInSeconds",
    "bisect_batch_on_function_error": "BisectBatchOnFunctionError",
    "tumbling_window_in_seconds": "TumblingWindowInSeconds",
}
"""Parameters that are shown of the kinds of source that take them, by our name."""
NOT_SHOWN = frozenset({"FunctionName", "Enabled", "Tags"})
"""Parameters that an answer shows otherwise, or not at all."""


def source_arn(entry: Entry) -> str:
    """Of its event source."""
    if entry.mapping is not None:
        return entry.mapping.event_source_arn
    return str(_stored(entry).parameters["EventSourceArn"])


def mapping_arn(entry: Entry) -> str:
    """In the region and the account of its source; never empty, since Terraform asks for its tags at once."""
    source = split_arn(source_arn(entry))
    assert source is not None, "the source was read when the mapping was made"
    return f"arn:{source.partition}:lambda:{source.region}:{source.account}:event-source-mapping:{entry.uuid}"


def tags_of(entry: Entry) -> dict[str, str]:
    """As given."""
    if entry.stored is None:
        return {} if entry.mapping is None else dict(entry.mapping.tags)
    return dict(entry.stored.parameters.get("Tags") or {})


def described(entry: Entry, started_at: float) -> dict[str, Any]:
    """`started_at`: epoch seconds, shown as the last change of what stands in files."""
    mapping = entry.mapping
    body: dict[str, Any] = {
        "UUID": entry.uuid,
        "EventSourceMappingArn": mapping_arn(entry),
        "EventSourceArn": source_arn(entry),
        "FunctionArn": entry.function_arn,
        "LastModified": started_at if entry.stored is None else entry.stored.modified,
        "State": entry.state.value,
    }
    if mapping is None:
        own = {name: value for name, value in _stored(entry).parameters.items() if name not in NOT_SHOWN}
        return {**own, **body, "StateTransitionReason": entry.problem}
    body["StateTransitionReason"] = KINDS[mapping.source.kind].lambda_words.reason
    return body | _parameters(mapping) | _of_its_kind(mapping, entry.status)


def _parameters(mapping: EventSourceMapping) -> dict[str, Any]:
    body: dict[str, Any] = {
        "BatchSize": mapping.batch_size,
        "FunctionResponseTypes": [*mapping.function_response_types],
    }
    if mapping.maximum_batching_window_in_seconds == int(mapping.maximum_batching_window_in_seconds):
        # Lambda shows whole seconds, and the default of half a second not at all
        body["MaximumBatchingWindowInSeconds"] = int(mapping.maximum_batching_window_in_seconds)
    if (documents := mapping.document_db) is not None:
        config = {
            "DatabaseName": documents.database_name,
            "CollectionName": documents.collection_name,
            "FullDocument": documents.full_document,
        }
        if mapping.source_secret is not None and mapping.source_secret.kind == "text":
            body["SourceAccessConfigurations"] = [{"Type": "BASIC_AUTH", "URI": mapping.source_secret.read()}]
        body["DocumentDBEventSourceConfig"] = {name: value for name, value in config.items() if value is not None}
    if mapping.filter_criteria:
        body["FilterCriteria"] = {"Filters": [{"Pattern": pattern} for pattern in mapping.filter_criteria]}
    if mapping.starting_position_timestamp is not None:
        body["StartingPositionTimestamp"] = mapping.starting_position_timestamp
    if mapping.scaling_config is not None and mapping.scaling_config.maximum_concurrency is not None:
        body["ScalingConfig"] = {"MaximumConcurrency": mapping.scaling_config.maximum_concurrency}
    if (pollers := mapping.provisioned_poller_config) is not None:
        both = {"MinimumPollers": pollers.minimum_pollers, "MaximumPollers": pollers.maximum_pollers}
        body["ProvisionedPollerConfig"] = both
    if mapping.metrics:
        body["MetricsConfig"] = {"Metrics": [*mapping.metrics]}
    return body


def _of_its_kind(mapping: EventSourceMapping, status: MappingStatus | None) -> dict[str, Any]:
    takes = KINDS[mapping.source.kind].takes
    body = {theirs: getattr(mapping, ours) for ours, theirs in OF_SOME.items() if ours in takes}
    if "starting_position" in takes:
        body["LastProcessingResult"] = (status and status.last_result) or "No records processed"
    if "destination_config" in takes:
        failed = mapping.on_failure_destination
        body["DestinationConfig"] = {"OnFailure": {"Destination": failed} if failed else {}}
    return body


def _stored(entry: Entry) -> StoredMapping:
    assert entry.stored is not None, "only a stored mapping can be one that does not run"
    return entry.stored
