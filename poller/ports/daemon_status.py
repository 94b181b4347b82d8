"""What the process knows about itself: its mappings, its configuration, its loop. Plain values, as in `status`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from poller.ports.fleet_status import FleetStatus
from poller.ports.status import MappingStatus


@dataclass(slots=True, eq=False)
class ConfigurationStatus:
    """When what runs was read, and what was refused since, with its problems. Seconds since the epoch."""

    loaded_at: float
    refused_at: float | None = None
    problems: list[str] = field(default_factory=list)
    loads: int = 1
    """How often the configuration was taken up, the start included."""


@dataclass(slots=True)
class Changes:
    """What another configuration means for the mappings; their names."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class Reloaded:
    """How a reload ended."""

    problems: Sequence[str] = ()
    """Why it was refused; nothing has changed then."""
    changes: Changes = field(default_factory=Changes)
    warnings: Sequence[str] = ()


AwsRequests = Mapping[tuple[str, str, str], int]
"""Number of AWS requests by service, operation and outcome; the transport's own, live."""


@dataclass(slots=True, eq=False)
class DaemonStatus:
    """The whole process."""

    version: str
    started_at: float
    """Wall time, seconds since the epoch."""
    started: float
    """The same moment in the loop's time."""
    configuration: ConfigurationStatus | None = None
    mappings: list[MappingStatus] = field(default_factory=list)
    aws_requests: AwsRequests = field(default_factory=dict)
    loop_seen: float | None = None
    """When the loop last ran the lag watcher; None before it started. A reader judges from this too, because a blocked
    loop cannot write down its own lag."""
    loop_lag: float = 0.0
    """Seconds the watcher woke too late, last time."""
    steps: Sequence[Callable[[], str | None]] = ()
    """Blocking steps of our own: each says what hangs, or nothing."""
    fleet: FleetStatus | None = None
    """None for a daemon by itself."""
    died: list[str] = field(default_factory=list)
    """Names of tasks that ended although they never may."""
