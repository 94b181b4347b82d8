"""What the demo knows at one moment, and over the last seconds: plain values for the view."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from poller.demo.shop import Depth
from poller.support.printable import printable

HISTORY_POINTS = 14
"""Points of the history: as many as a station of the view is wide on 80 columns. The newest is on the right."""
HISTORY_SECONDS = 0.5
"""Seconds between two points of the history."""


@dataclass(frozen=True, slots=True)
class StreamPicture:
    """A stream or table at one moment."""

    name: str
    service: str
    produced: int
    delivered: int
    """Records, by the function's ledger."""
    failed: int = 0
    """Invocations that raised."""
    mapping: dict[str, Any] | None = None
    """See `Picture`."""

    @property
    def given_up(self) -> int:
        """Records that arrived at the on-failure destination."""
        return int(self.mapping["counters"]["on_failure_destination_delivered"]) if self.mapping else 0

    @property
    def left(self) -> int:
        """Records that are neither delivered nor given up."""
        return self.produced - self.delivered - self.given_up

    @property
    def reason(self) -> str:
        """Why the mapping waits, in words."""
        reason = self.mapping["reason"] if self.mapping else None
        return printable(reason["text"]) if reason else ""


@dataclass(frozen=True, slots=True)
class Picture:
    """One moment."""

    elapsed: float
    phase: str
    planned: int
    produced: int = 0
    shipped: int = 0
    """Orders delivered, by the function's ledger."""
    batches: int = 0
    depth: Depth = field(default_factory=Depth)
    mapping: dict[str, Any] | None = None
    """The mapping's part of the daemon's status; None when there is none."""
    events: Sequence[dict[str, Any]] = ()
    """Last log events, oldest first."""
    streams: Sequence[StreamPicture] = ()

    def count(self, name: str) -> int:
        """Return one of the daemon's counters."""
        return int(self.mapping["counters"][name]) if self.mapping else 0

    @property
    def in_flight(self) -> int:
        """Messages the daemon holds."""
        return int(self.mapping["in_flight"]) if self.mapping else 0

    @property
    def to_retry(self) -> int:
        """Messages that failed and are not visible again yet."""
        return max(0, self.depth.hidden - self.in_flight)

    @property
    def lanes(self) -> list[str]:
        """Reason codes, one for each lane."""
        partitions = self.mapping["partitions"] if self.mapping else []
        return [lane["code"] for partition in partitions for lane in partition["lanes"]]

    @property
    def reason(self) -> str:
        """Why the mapping waits, in words."""
        reason = self.mapping["reason"] if self.mapping else None
        return printable(reason["text"]) if reason else ""


class History:
    """Pictures of the last seconds, in even steps."""

    def __init__(self) -> None:
        self._points: deque[Picture] = deque(maxlen=HISTORY_POINTS)

    def add(self, picture: Picture) -> None:
        """Keep the picture when its step has come."""
        if not self._points or picture.elapsed - self._points[-1].elapsed >= HISTORY_SECONDS:
            self._points.append(picture)

    def levels(self, of: Callable[[Picture], int]) -> list[float]:
        """Return a value at each step."""
        return [float(of(point)) for point in self._points]

    def rates(self, of: Callable[[Picture], int]) -> list[float]:
        """Return a counter's growth per second in each step."""
        return [
            (of(later) - of(earlier)) / (later.elapsed - earlier.elapsed) for earlier, later in pairwise(self._points)
        ]
