"""Warnings that repeat: the first is logged at once, then one in a while, with the number of those left out."""

from typing import Any

from structlog.typing import FilteringBoundLogger

INTERVAL = 10.0
"""Seconds between two lines of the same event."""


class Occasionally:
    """One mapping's logger for what may happen a thousand times a second while something is down."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._last: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def debug(self, event: str, **fields: Any) -> None:
        """Every time: whoever asks for that level wants all of it."""
        self._log.debug(event, **fields)

    def tell(self, event: str, now: float, **fields: Any) -> None:
        """`now` is the loop's time."""
        if now - self._last.get(event, float("-inf")) < INTERVAL:
            self._left_out[event] = self._left_out.get(event, 0) + 1
            return
        self._last[event] = now
        if left_out := self._left_out.pop(event, 0):
            fields["left_out"] = left_out
        self._log.warning(event, **fields)
