"""Tumbling windows of one lane: which window a record belongs to, the state carried through it, and when it ends.

One window is open at a time. A record opens the window of its arrival time. The answer to each batch is the state for
the next batch. An invocation without records closes the window: when a record of a later window comes, at the shard's
end, or a fixed time after the window's end if nothing comes. This module has no clock and invokes nothing.

AWS does not document the following cases, so this module alone decides them:
- windows never go back: a late record belongs to the open window, or else to the first one that was not closed, so
  that no window is closed twice;
- after a window was terminated early, further records of it begin it again, with an empty state;
- a window whose records were all discarded is closed nevertheless;
- the closing invocation must answer with a state too, though that state is not used;
- the constants, and `time_window_info`.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf
from typing import Any

from poller.values.record import Record

STATE_LIMIT = 1_048_576
"""Bytes of a state, as compact JSON in UTF-8, above which its window is terminated early."""
EMPTY_STATE = b"{}"
ON_ITS_WAY = 10.0
"""Seconds after its arrival within which a record can be read; it also covers differences of the service's clocks."""
QUIET = 45.0
"""Seconds of empty reads that prove the tip of a shard, if the service does not say how far behind a read was. Lambda
closes a window up to two minutes after its end."""
LONGEST_PAUSE = 15.0
"""Cap on the seconds between two reads that count as quiet: while reads fail, nothing is observed."""


@dataclass(frozen=True, slots=True)
class Window:
    """An open window: half-open, in whole epoch seconds."""

    start: int
    end: int
    state: bytes = EMPTY_STATE
    """JSON, from the last answer."""
    records: int = 0
    """Number of records the function succeeded on."""
    terminated_early: bool = False
    """The state is too large: the closing invocation is next."""

    @property
    def bounds(self) -> dict[str, str]:
        """Start and end as events show them."""
        return {"start": _iso(self.start), "end": _iso(self.end)}


@dataclass(frozen=True, slots=True)
class WindowProgress:
    """A lane's windows as they are stored."""

    open: Window | None = None
    closed_to: int = 0
    """End of the last window that was closed, epoch seconds."""


NO_WINDOW = WindowProgress()


class TumblingWindows:
    """The windows of one lane. With a length of 0 there are none, and one still open is closed."""

    __slots__ = ("_arrival", "_closed_to", "_seconds", "open")

    def __init__(self, seconds: int, stored: WindowProgress, arrival: Callable[[Record], float]) -> None:
        """`arrival` in epoch seconds."""
        self.open = stored.open
        self._closed_to = stored.closed_to
        self._seconds = seconds
        self._arrival = arrival

    def enter(self, records: Sequence[Record]) -> None:
        """Open a window for these records, if none is open."""
        if self.open is not None or not self._seconds or not records:
            return
        start = _aligned(self._arrival(records[0]), self._seconds)
        if start + self._seconds <= self._closed_to:
            start = _aligned(self._closed_to, self._seconds)
        self.open = Window(start, start + self._seconds)

    def fitting(self, records: Sequence[Record], most: int) -> int:
        """The number of records, from the first and at most `most`, that belong to the open window; 0 if it ends before
        them.
        """
        self.enter(records)
        window, most = self.open, min(most, len(records))
        if window is None:
            return most
        if self._ends_at_once(window):
            return 0
        later = (count for count, record in enumerate(records[:most]) if self._arrival(record) >= window.end)
        return next(later, most)

    def ends(self, complete_to: float) -> bool:
        """Whether the open window ends without a record of a later one. Everything that arrived before `complete_to`
        was read and settled; it is infinite if nothing more will come.
        """
        window = self.open
        return window is not None and (window.end <= complete_to or self._ends_at_once(window))

    def _ends_at_once(self, window: Window) -> bool:
        """Whether it ends early: its state is too large, or the mapping's windows have another length now. In both
        cases more of its records may still come.
        """
        return window.terminated_early or window.end - window.start != self._seconds

    def carry(self, state: bytes, records: int) -> bool:
        """The function succeeded on `records` records of the open window, and answered this state. Returns whether that
        terminates the window early.
        """
        assert self.open is not None
        too_large = len(state) > STATE_LIMIT
        self.open = replace(self.open, state=state, records=self.open.records + records, terminated_early=too_large)
        return too_large

    def closed(self) -> None:
        """The closing invocation succeeded, or was discarded."""
        assert self.open is not None
        if not self._ends_at_once(self.open):
            self._closed_to = self.open.end
        self.open = None

    def progress(self) -> WindowProgress:
        """The progress to store."""
        return WindowProgress(self.open, self._closed_to)


class Quiet:
    """Derives from the reads of a shard the instant up to which everything that arrived was read."""

    __slots__ = ("_last", "_seen", "_since")

    def __init__(self) -> None:
        self._since: float | None = None
        """When the present run of empty reads began."""
        self._last = 0.0
        self._seen = 0.0

    def read(self, now: float, behind: float | None, *, empty: bool) -> float:
        """Add a read at `now` by the service's clock, `behind` seconds behind the tip (None if the service does not
        say). Returns the instant, or minus infinity while it is not known.
        """
        if empty and behind == 0:
            return now - ON_ITS_WAY
        if not empty or behind is not None:
            self._since = None
            return -inf
        if self._since is not None:
            self._seen += min(now - self._last, LONGEST_PAUSE)
        complete_to = -inf
        if self._since is None or self._seen >= QUIET:
            # records that had arrived when the run began would have been read during it
            complete_to = -inf if self._since is None else self._since - ON_ITS_WAY
            self._since, self._seen = now, 0.0
        self._last = now
        return complete_to


def answered_state(body: bytes) -> bytes | None:
    """The state in an answer, as compact JSON; None if there is none, which fails the invocation."""
    try:
        answer = json.loads(body)
        state = answer.get("state") if isinstance(answer, dict) else None
        if not isinstance(state, dict):
            return None
        # UTF-8 cannot encode a lone surrogate, so it becomes its JSON escape again
        text = json.dumps(state, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode("utf-8", "backslashreplace")
    except (ValueError, RecursionError):
        # not JSON, or a NaN; or nested too deeply
        return None


def time_window_info(window: Window, *, final: bool) -> dict[str, Any]:
    """The member `timeWindowInfo` of an invocation record."""
    return {
        "window": window.bounds,
        "isFinalInvokeForWindow": final,
        "isWindowTerminatedEarly": final and window.terminated_early,
    }


def _aligned(instant: float, seconds: int) -> int:
    return int(instant // seconds) * seconds


def _iso(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
