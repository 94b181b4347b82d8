"""The batch that a lane holds while it waits for the next try: what a person sees of it, and decides about it."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from poller.policy.impacts import Batch
from poller.policy.parts import Part
from poller.policy.response import Outcome
from poller.values.record import Record

MOST_COUNTED = 200
"""Records of a batch whose keys are counted to be offered: that is done every second."""


@dataclass(frozen=True, slots=True)
class Instead:
    """Another function, which is invoked once with a batch."""

    name: str
    timeout: float
    """Seconds, as of `Function`."""
    invoke: Callable[[bytes], Awaitable[Outcome]]
    """Keeps to the function's own limits."""


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
    key: Callable[[Record], str]
    """The ordering key of a record."""
    split: Callable[[Callable[[Record], bool]], None]
    """Gives up those of the records, see `Delivery.isolate`."""
    instead: Instead | None = None
    """What is invoked once in the function's place."""
    decided: bool = False

    @property
    def first(self) -> str | None:
        """Identifier of the first record; None for the call that closes a window."""
        return self.part.records[0].identifier if self.part.records else None

    @property
    def last(self) -> str | None:
        """Identifier of the last record; None as `first`."""
        return self.part.records[-1].identifier if self.part.records else None

    @property
    def awaits_destination(self) -> bool:
        """Whether it is given up already, and its destination does not accept it."""
        return self.part.awaiting is not None

    def batch(self, partition: str, lane: int, seconds: float | None = None) -> Batch:
        """What others are told of it; `seconds` are those until the next try, where they are known."""
        count, awaits = len(self.part.records), self.awaits_destination
        return Batch(partition, lane, count, self.first, self.last, self.tried, self.discards, awaits, seconds)

    def retry(self, *, begin_anew: bool) -> None:
        """Try it now, with `begin_anew` as if it had never failed."""
        if begin_anew:
            self.part.begin_anew()
        self._decide()

    def give_up(self, *, notify: bool) -> None:
        """Discard the records; the on-failure destination, if there is one, hears of it only with `notify`."""
        self.part.give_up(notify=notify)
        self._decide()

    def keys(self) -> list[tuple[str, int]]:
        """The keys of the records with how many there are of each, most first."""
        return Counter(map(self.key, self.part.records)).most_common()

    def keys_to_offer(self, most: int) -> list[tuple[str, int]]:
        """The few keys that can be given up by a button: those that a small batch has most records of."""
        if not self.discards or self.awaits_destination or len(self.part.records) > MOST_COUNTED:
            return []
        keys = self.keys()
        return keys[:most] if len(keys) > 1 else []

    def isolate(self, key: str) -> None:
        """Give up the records of one key; the others are tried now, as if they had never failed."""
        self.split(lambda record: self.key(record) == key)
        self._decide()

    def hand_over(self, instead: Instead) -> None:
        """Try it now, once with another function."""
        self.instead = instead
        self._decide()

    def _decide(self) -> None:
        self.decided = True
        self.wake()
