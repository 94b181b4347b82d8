"""Counts how long a source has owed an answer, to tell a source that hangs from one without data."""


class UnansweredCalls:
    """Counts the running calls to a source. Times are the loop's."""

    __slots__ = ("_calls", "_patience", "_since")

    def __init__(self, patience: float) -> None:
        """`patience` is the longest a healthy source takes, in seconds."""
        self._patience = patience
        self._calls = 0
        self._since = 0.0

    def asked(self, now: float) -> None:
        """A call begins."""
        if not self._calls:
            self._since = now
        self._calls += 1

    def answered(self, now: float) -> None:
        """A call ended: by an answer, an error, or a cancellation."""
        self._calls -= 1
        self._since = now

    def since(self, now: float) -> float | None:
        """When the last answer came, or the first call began; None while that is within the patience."""
        return self._since if self._calls and now - self._since > self._patience else None
