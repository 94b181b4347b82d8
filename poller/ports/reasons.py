"""The reasons and states of lanes, partitions and mappings. They are imported from `poller.ports.status`."""

from dataclasses import dataclass
from enum import StrEnum


class ReasonCode(StrEnum):
    """Why a lane, partition or mapping waits, or what it does. The values are part of the contract with users."""

    STARTING = "starting"
    NO_DATA = "no_data"
    WINDOW = "window"
    INVOKING = "invoking"
    WAITING_FOR_SLOT = "waiting_for_slot"
    THROTTLED = "throttled"
    FUNCTION_UNAVAILABLE = "function_unavailable"
    FUNCTION_NOT_STARTED = "function_not_started"
    CIRCUIT_OPEN = "circuit_open"
    FUNCTION_FAILING = "function_failing"
    RETRY = "retry"
    DESTINATION = "destination"
    READ_AHEAD = "read_ahead"
    PARENT = "parent"
    MEMORY = "memory"
    CREDENTIALS = "credentials"
    ACCESS_DENIED = "access_denied"
    SOURCE_MISSING = "source_missing"
    STREAM_DISABLED = "stream_disabled"
    STREAM_RECREATED = "stream_recreated"
    STREAM_CHANGED = "stream_changed"
    UNREADABLE_RECORD = "unreadable_record"
    POSITION_LEFT = "position_left"
    HISTORY_LOST = "history_lost"
    INVALIDATED = "invalidated"
    STATE = "state"
    SUSPENDED = "suspended"
    NOT_MINE = "not_mine"
    WAITING_FOR_HANDOVER = "waiting_for_handover"
    CONFLICT = "conflict"
    UNREACHABLE = "unreachable"
    ERROR = "error"
    SETTLING = "settling"
    PAUSED = "paused"
    DISABLED = "disabled"
    STOPPING = "stopping"
    STOPPED = "stopped"


class MappingState(StrEnum):
    """The state of a mapping. `problem`: it runs without progress, because of its source. `degraded`: its function or
    its destination refuses or fails. The reason says why.
    """

    STARTING = "starting"
    RUNNING = "running"
    DEGRADED = "degraded"
    PROBLEM = "problem"
    STOPPING = "stopping"
    STOPPED = "stopped"
    PAUSED = "paused"
    DISABLED = "disabled"


NO_PROBLEM = frozenset({ReasonCode.READ_AHEAD, ReasonCode.MEMORY})
"""Reasons a partition may have although all is well with its source."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A typed reason; `text` may be empty, then the code's own sentence is shown. It has no advice: that follows from
    the causes.
    """

    code: ReasonCode
    text: str = ""
    since: float | None = None
    """When it began; for failures, the time of the first one, however many retries followed."""
    until: float | None = None
    """When it ends by itself; None if that is not known."""
    next_try: float | None = None
    """When the next try is; None if there is none, or it is not known."""
    causes: tuple[str, ...] = ()
    """What it comes from, as keys of the advice; empty where the code says all."""
