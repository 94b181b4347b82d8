"""The batch that a lane holds while it waits for the next try: what a person sees of it, and decides about it."""

from collections.abc import Callable
from dataclasses import dataclass

from poller.policy.parts import Part


@dataclass(slots=True, eq=False)
class Held:
    """Lives as long as one wait. A decision ends the wait."""

    part: Part
    """The records that are tried next."""
    tried: str
    """Number of attempts and their limit, in words."""
    discards: bool
    """Whether the records can be given up here. A queue has its own dead-letter queue, and keeps failed messages."""
    wake: Callable[[], None]
    decided: bool = False

    @property
    def first(self) -> str | None:
        """Identifier of the first record; None for the call that closes a window."""
        return self.part.records[0].identifier if self.part.records else None

    @property
    def last(self) -> str | None:
        """Identifier of the last record; None as `first`."""
        return self.part.records[-1].identifier if self.part.records else None

    def retry(self, *, begin_anew: bool) -> None:
        """Try it now, with `begin_anew` as if it had never failed."""
        if begin_anew:
            self.part.begin_anew()
        self._decide()

    def give_up(self, *, notify: bool) -> None:
        """Discard the records; the on-failure destination, if there is one, hears of it only with `notify`."""
        self.part.give_up(notify=notify)
        self._decide()

    def _decide(self) -> None:
        self.decided = True
        self.wake()
