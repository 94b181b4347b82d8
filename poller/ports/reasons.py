"""The words for where lanes, partitions and mappings stand. They are imported from `poller.ports.status`."""

from enum import StrEnum


class ReasonCode(StrEnum):
    """Why a lane, partition or mapping stands where it stands. Users and tools bind to the values."""

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
    STATE = "state"
    UNREACHABLE = "unreachable"
    ERROR = "error"
    SETTLING = "settling"
    PAUSED = "paused"
    DISABLED = "disabled"
    STOPPING = "stopping"
    STOPPED = "stopped"


class MappingState(StrEnum):
    """Where a mapping is in its life. `problem` is running without progress, `degraded` with less than there could be:
    the function or the destination refuses or fails. The reason says why.
    """

    STARTING = "starting"
    RUNNING = "running"
    DEGRADED = "degraded"
    PROBLEM = "problem"
    STOPPING = "stopping"
    STOPPED = "stopped"
    PAUSED = "paused"
    DISABLED = "disabled"
