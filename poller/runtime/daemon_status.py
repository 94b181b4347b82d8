"""What the whole process knows about itself, around the status of its mappings."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from poller.runtime.status import MappingStatus

AwsRequests = Mapping[tuple[str, str, str], int]
"""Number of AWS requests by service, operation and outcome."""


@dataclass(slots=True, eq=False)
class DaemonStatus:
    """The whole process."""

    version: str
    started_at: float
    """Wall time, seconds since the epoch."""
    started: float
    """The same moment in the loop's time."""
    mappings: list[MappingStatus] = field(default_factory=list)
    aws_requests: AwsRequests = field(default_factory=dict)
    """The transport's own live mapping."""
    loop_seen: float | None = None
    """When the loop last ran the lag watcher; None before it started. A reader judges from this too, because a blocked
    loop cannot write down its own lag."""
    loop_lag: float = 0.0
    """Seconds the watcher woke too late, last time."""
    died: list[str] = field(default_factory=list)
    """Names of tasks that ended although they never may."""

    def sample(self, now: float) -> None:
        """Every mapping's."""
        for mapping in self.mappings:
            mapping.sample(now)
