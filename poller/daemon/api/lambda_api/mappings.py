"""GetEventSourceMapping, ListEventSourceMappings and ListTags: the configured mappings, as Lambda describes its own.

What would change one is refused, since the files of the configuration say what runs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from poller.configuration import EventSourceMapping
from poller.daemon.api.lambda_api.errors import LambdaError
from poller.daemon.api.lambda_api.operation import Answer, Call, Operation
from poller.daemon.api.lambda_api.paging import marker, marker_of, most_items
from poller.ports.status import MappingState, MappingStatus
from poller.sources.kinds import KINDS

MAPPINGS = "/2015-03-31/event-source-mappings"
MAPPING = f"{MAPPINGS}/{{UUID}}"
TAGS = "/2017-03-31/tags/{ARN}"
PAGE = 100
"""Most mappings of one answer, as Lambda's."""
STATES: Mapping[MappingState, str] = {
    MappingState.STARTING: "Enabling",
    MappingState.PAUSED: "Disabled",
    MappingState.DISABLED: "Disabled",
    MappingState.STOPPING: "Updating",
}
"""Lambda's words; every other state is `Enabled`."""
OF_SOME: Mapping[str, str] = {
    "starting_position": "StartingPosition",
    "parallelization_factor": "ParallelizationFactor",
    "maximum_retry_attempts": "MaximumRetryAttempts",
    "maximum_record_age_in_seconds": "MaximumRecordAgeInSeconds",
    "bisect_batch_on_function_error": "BisectBatchOnFunctionError",
    "tumbling_window_in_seconds": "TumblingWindowInSeconds",
}
"""Parameters that are shown of the kinds of source that take them, by our name."""

Listed = tuple[EventSourceMapping, MappingStatus, str]
"""A configured mapping, its status, and the ARN of its function."""


class MappingOperations:
    """Reads what is configured."""

    def __init__(self, listed: Callable[[], Sequence[Listed]], started_at: float) -> None:
        """`started_at`: epoch seconds, shown as the time of the last change."""
        self._listed = listed
        self._modified = started_at

    def operations(self) -> Sequence[Operation]:
        return [
            Operation("ListEventSourceMappings", "GET", MAPPINGS, "read", self.list),
            Operation("GetEventSourceMapping", "GET", MAPPING, "read", self.get),
            Operation("UpdateEventSourceMapping", "PUT", MAPPING, "steer", self.refuse),
            Operation("DeleteEventSourceMapping", "DELETE", MAPPING, "steer", self.refuse),
            Operation("ListTags", "GET", TAGS, "read", self.tags),
            Operation("TagResource", "POST", TAGS, "steer", self.refuse_tags),
            Operation("UntagResource", "DELETE", TAGS, "steer", self.refuse_tags),
        ]

    async def list(self, call: Call) -> Answer:
        begin, most = marker(call), most_items(call, PAGE)
        source, function = call.query.get("EventSourceArn"), call.query.get("FunctionName")
        found = sorted(
            (
                one
                for one in self._listed()
                if one[0].uuid > begin
                and source in (None, one[0].event_source_arn)
                and (function is None or function in _names(one))
            ),
            key=lambda one: one[0].uuid,
        )
        body: dict[str, Any] = {"EventSourceMappings": [self._described(one) for one in found[:most]]}
        if len(found) > most:
            body["NextMarker"] = marker_of(found[most - 1][0].uuid)
        return Answer(200, body)

    async def get(self, call: Call) -> Answer:
        return Answer(200, self._described(self._found(call.parts["UUID"])))

    async def tags(self, call: Call) -> Answer:
        return Answer(200, {"Tags": dict(self._tagged(call)[0].tags)})

    async def refuse(self, call: Call) -> Answer:
        raise _configured(self._found(call.parts["UUID"]))

    async def refuse_tags(self, call: Call) -> Answer:
        raise _configured(self._tagged(call))

    def _found(self, uuid: str) -> Listed:
        for one in self._listed():
            if one[0].uuid == uuid:
                return one
        raise LambdaError("ResourceNotFoundException", "The resource you requested does not exist.")

    def _tagged(self, call: Call) -> Listed:
        for one in self._listed():
            if _arn(one[0]) == call.parts["ARN"]:
                return one
        text = f"Event source mapping not found: {call.parts['ARN']}"
        raise LambdaError("ResourceNotFoundException", text)

    def _described(self, listed: Listed) -> dict[str, Any]:
        mapping, status, function = listed
        kind = KINDS[mapping.source.kind]
        sharded = "starting_position" in kind.takes
        body: dict[str, Any] = {
            "UUID": mapping.uuid,
            "EventSourceMappingArn": _arn(mapping),
            "EventSourceArn": mapping.event_source_arn,
            "FunctionArn": function,
            "LastModified": self._modified,
            "State": STATES.get(status.state, "Enabled") if mapping.enabled else "Disabled",
            "StateTransitionReason": "User action" if sharded else "USER_INITIATED",
            "BatchSize": mapping.batch_size,
            "MaximumBatchingWindowInSeconds": mapping.maximum_batching_window_in_seconds,
            "FunctionResponseTypes": [*mapping.function_response_types],
        }
        body |= {theirs: getattr(mapping, ours) for ours, theirs in OF_SOME.items() if ours in kind.takes}
        if mapping.filter_criteria:
            body["FilterCriteria"] = {"Filters": [{"Pattern": pattern} for pattern in mapping.filter_criteria]}
        if mapping.starting_position_timestamp is not None:
            body["StartingPositionTimestamp"] = mapping.starting_position_timestamp
        if sharded:
            body["LastProcessingResult"] = status.last_result or "No records processed"
        if "destination_config" in kind.takes:
            failed = mapping.on_failure_destination
            body["DestinationConfig"] = {"OnFailure": {"Destination": failed} if failed else {}}
        if mapping.scaling_config is not None and mapping.scaling_config.maximum_concurrency is not None:
            body["ScalingConfig"] = {"MaximumConcurrency": mapping.scaling_config.maximum_concurrency}
        if (pollers := mapping.provisioned_poller_config) is not None:
            both = {"MinimumPollers": pollers.minimum_pollers, "MaximumPollers": pollers.maximum_pollers}
            body["ProvisionedPollerConfig"] = both
        return body


def _arn(mapping: EventSourceMapping) -> str:
    """In the region and the account of its source; never empty, since Terraform asks for its tags at once."""
    partition = mapping.event_source_arn.split(":")[1]
    source = mapping.source
    return f"arn:{partition}:lambda:{source.region}:{source.account}:event-source-mapping:{mapping.uuid}"


def _names(listed: Listed) -> tuple[str, ...]:
    """By which ListEventSourceMappings finds the function."""
    mapping, _, arn = listed
    return mapping.function.key, arn, ":".join(arn.split(":")[6:])


def _configured(listed: Listed) -> LambdaError:
    name = listed[0].name
    text = f"The mapping {name} stands in the files of poller's configuration: change it there"
    return LambdaError("ResourceConflictException", text)
