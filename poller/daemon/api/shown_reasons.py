"""Derives the shown state and reason of a mapping from those of its partitions and lanes."""

from collections.abc import Iterable
from dataclasses import replace

from poller.policy.advice import with_advice
from poller.ports.status import LaneStatus, MappingState, MappingStatus, PartitionStatus, Reason, ReasonCode

TEXTS: dict[ReasonCode, str] = {
    ReasonCode.STARTING: "starting",
    ReasonCode.NO_DATA: "the source has nothing to read",
    ReasonCode.WINDOW: "gathering a batch until its window closes",
    ReasonCode.INVOKING: "the function is running",
    ReasonCode.WAITING_FOR_SLOT: "waiting for a free slot of the function's concurrency",
    ReasonCode.THROTTLED: "asked to slow down; tried again soon",
    ReasonCode.FUNCTION_UNAVAILABLE: "the function cannot be invoked; the batch is held and tried again",
    ReasonCode.FUNCTION_NOT_STARTED: "the function cannot start",
    ReasonCode.CIRCUIT_OPEN: "the function cannot be invoked; nothing is received, and it is probed until it can",
    ReasonCode.FUNCTION_FAILING: "the function fails; the pace is lowered",
    ReasonCode.RETRY: "the batch failed; it is tried again",
    ReasonCode.DESTINATION: "the on-failure destination does not accept the discarded records; it is tried again",
    ReasonCode.PARENT: "waits for its parents to be finished",
    ReasonCode.READ_AHEAD: "read as far ahead of the slowest lane as is allowed",
    ReasonCode.MEMORY: "the limit of bytes in flight is reached",
    ReasonCode.CREDENTIALS: "there are no valid AWS credentials",
    ReasonCode.ACCESS_DENIED: "access denied",
    ReasonCode.SOURCE_MISSING: "the source does not exist",
    ReasonCode.STREAM_DISABLED: "the stream is disabled; its remaining records are read",
    ReasonCode.STREAM_RECREATED: "there is a new stream of the same name",
    ReasonCode.STREAM_CHANGED: "the stored position belongs to another stream",
    ReasonCode.UNREADABLE_RECORD: "the service sends a record without a sequence number",
    ReasonCode.POSITION_LEFT: "a removed mapping left a position in this stream",
    ReasonCode.HISTORY_LOST: "the server no longer keeps the changes that follow the stored position",
    ReasonCode.INVALIDATED: "what was watched was dropped or renamed, which ends its change stream",
    ReasonCode.STATE: "positions cannot be stored",
    ReasonCode.NOT_MINE: "read by another daemon of the fleet",
    ReasonCode.WAITING_FOR_HANDOVER: "about to be read by another daemon of the fleet",
    ReasonCode.CONFLICT: "another daemon of the fleet runs a mapping of this uuid on another stream",
    ReasonCode.SUSPENDED: "the fleet's store does not answer: nothing begins until it does, since others may take over",
    ReasonCode.UNREACHABLE: "the service cannot be reached",
    ReasonCode.ERROR: "an unexpected error; restarting",
    ReasonCode.SETTLING: "settling delivered records",
    ReasonCode.PAUSED: "paused",
    ReasonCode.DISABLED: "disabled in the configuration",
    ReasonCode.STOPPING: "stopping",
    ReasonCode.STOPPED: "stopped",
}

MOST_TELLING_FIRST = (
    ReasonCode.ERROR,
    ReasonCode.ACCESS_DENIED,
    ReasonCode.SOURCE_MISSING,
    ReasonCode.STREAM_RECREATED,
    ReasonCode.STREAM_CHANGED,
    ReasonCode.UNREADABLE_RECORD,
    ReasonCode.POSITION_LEFT,
    ReasonCode.HISTORY_LOST,
    ReasonCode.INVALIDATED,
    ReasonCode.STATE,
    ReasonCode.CONFLICT,
    ReasonCode.SUSPENDED,
    ReasonCode.CREDENTIALS,
    ReasonCode.UNREACHABLE,
    ReasonCode.FUNCTION_NOT_STARTED,
    ReasonCode.CIRCUIT_OPEN,
    ReasonCode.FUNCTION_UNAVAILABLE,
    ReasonCode.THROTTLED,
    ReasonCode.DESTINATION,
    ReasonCode.RETRY,
    ReasonCode.FUNCTION_FAILING,
    ReasonCode.READ_AHEAD,
    ReasonCode.MEMORY,
    ReasonCode.STREAM_DISABLED,
    ReasonCode.PARENT,
    ReasonCode.WAITING_FOR_HANDOVER,
    ReasonCode.STOPPING,
    ReasonCode.INVOKING,
    ReasonCode.WAITING_FOR_SLOT,
    ReasonCode.SETTLING,
    ReasonCode.WINDOW,
    ReasonCode.STARTING,
    ReasonCode.NO_DATA,
    ReasonCode.NOT_MINE,
    ReasonCode.PAUSED,
    ReasonCode.DISABLED,
    ReasonCode.STOPPED,
)
_RANK = {code: rank for rank, code in enumerate(MOST_TELLING_FIRST)}


DEGRADED = frozenset(
    {
        ReasonCode.FUNCTION_NOT_STARTED,
        ReasonCode.CIRCUIT_OPEN,
        ReasonCode.FUNCTION_UNAVAILABLE,
        ReasonCode.THROTTLED,
        ReasonCode.DESTINATION,
        ReasonCode.RETRY,
        ReasonCode.FUNCTION_FAILING,
    }
)
"""Reasons for which a running mapping is degraded: its source is read, but the function or destination holds it up."""


def state_of(mapping: MappingStatus, reason: Reason | None) -> MappingState:
    """The state as it is shown: of a mapping that runs, its reason tells how well."""
    if mapping.state is MappingState.RUNNING and reason is not None:
        if reason.code in DEGRADED:
            return MappingState.DEGRADED
        if reason.code is ReasonCode.UNREACHABLE:
            return MappingState.PROBLEM
    return mapping.state


def mapping_reason(mapping: MappingStatus, now: float) -> Reason | None:
    """Take the mapping's own reason, else that of its most telling partition."""
    run = mapping.run
    problem = run.function_problem() if run is not None and mapping.state is MappingState.RUNNING else None
    if problem is not None:
        # before what follows from it: nothing to read, an open circuit, a batch that is held
        return problem
    if mapping.state is MappingState.STOPPING:
        return _stopping(mapping, now)
    if mapping.reason is not None:
        return mapping.reason
    if mapping.state is MappingState.DISABLED:
        return Reason(ReasonCode.DISABLED)
    reasons = [partition_reason(partition, now) for partition in mapping.partitions]
    unanswered = None if run is None else _unanswered(run.unanswered_since(now), now)
    reason = _most_telling([unanswered, *reasons])
    if run is not None and (reason is None or reason.code is ReasonCode.NO_DATA):
        return run.waits(now) or reason
    return reason


def _stopping(mapping: MappingStatus, now: float) -> Reason:
    """A stop says what it waits for."""
    reason = mapping.reason or Reason(ReasonCode.STOPPING)
    if mapping.run is None or (waits := mapping.run.waits(now)) is None:
        return reason
    why = f"; {reason.text}" if reason.text else ""
    return replace(reason, text=f"stopping: {waits.text}{why}", until=waits.until)


def partition_reason(partition: PartitionStatus, now: float) -> Reason | None:
    """Take the partition's own reason, else that of its most telling lane: problems first, then work, then quiet. A
    source that owes an answer is no quiet one.
    """
    if partition.reason is not None:
        return partition.reason
    lanes = [lane_reason(lane, now) for lane in partition.lanes]
    return _most_telling([_unanswered(partition.unanswered_since(now), now), *lanes])


def _unanswered(since: float | None, now: float) -> Reason | None:
    if since is None:
        return None
    return Reason(ReasonCode.UNREACHABLE, f"no answer from the source for {now - since:.0f} s", since=since)


def _most_telling(reasons: Iterable[Reason | None]) -> Reason | None:
    return min((reason for reason in reasons if reason), key=lambda reason: _RANK[reason.code], default=None)


def more_telling(reason: Reason, other: Reason) -> bool:
    """Whether a person should see the one before the other."""
    return _RANK[reason.code] < _RANK[other.code]


def lane_reason(lane: LaneStatus, now: float) -> Reason:
    """The reason of a lane."""
    text = lane.text
    if lane.code is ReasonCode.WINDOW and lane.until is not None and not text:
        text = f"a batch is open for {now - lane.since:.0f} of {lane.until - lane.since:.0f} s"
    return Reason(lane.code, text, lane.since, lane.until, lane.next_try, lane.causes)


def reason_text(reason: Reason) -> str:
    """The reason as a sentence, with what to do."""
    return with_advice(reason.text or TEXTS[reason.code], *reason.causes)
