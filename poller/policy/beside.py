"""Where records are read beside a mapping: to look at them, or to deliver them again. Pure."""

from dataclasses import dataclass
from typing import Literal

from poller.policy.invocation_record import iso_milliseconds
from poller.policy.positions import is_inside, sequence_number_of
from poller.values.texts import counted

Which = Literal["source", "dead_letters", "destination"]
"""The mapping's source, the queue of its source for messages that failed too often, or its on-failure destination."""


@dataclass(frozen=True, slots=True)
class From:
    """Where reading a partition begins; a queue gives what it likes."""

    kind: Literal["TRIM_HORIZON", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"] = "TRIM_HORIZON"
    timestamp: float | None = None
    """Epoch seconds."""
    sequence_number: str | None = None

    @classmethod
    def behind(cls, position: str | None) -> "From":
        """What a mapping reads next whose durable position this is; None for one without."""
        if position is None:
            return cls()
        # of an aggregate that is delivered in part, all of it
        kind: Literal["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"]
        kind = "AT_SEQUENCE_NUMBER" if is_inside(position) else "AFTER_SEQUENCE_NUMBER"
        return cls(kind, sequence_number=sequence_number_of(position))

    @property
    def words(self) -> str:
        """For sentences."""
        if self.timestamp is not None:
            return iso_milliseconds(self.timestamp)
        if self.sequence_number is None:
            return "the oldest record"
        behind = "behind " if self.kind == "AFTER_SEQUENCE_NUMBER" else ""
        return f"{behind}sequence number {self.sequence_number}"


@dataclass(frozen=True, slots=True)
class Amount:
    """How much there is where records are read."""

    count: int
    of: Literal["message", "invocation record"]
    known: Literal["about", "exactly", "at least"]

    @property
    def words(self) -> str:
        """For sentences: `about 51 messages`, `100 invocation records or more`."""
        before = "about " if self.known == "about" else ""
        return f"{before}{counted(self.count, self.of)}{' or more' if self.known == 'at least' else ''}"


def found_words(shown: int, noun: str, where: str, amount: Amount | None, *, of: int | None, full: bool) -> str:
    """How much of what there is a look shows. `of`: how many were held against a pattern. `full`: whether it ended
    because it shows as many as were wanted.
    """
    held_against = "" if of is None else f", of {of:,} that were looked at"
    if amount is not None:
        return f"{counted(shown, noun)} shown{held_against}; {where} holds {amount.words}"
    return f"{counted(shown, noun)} shown{held_against}{', as many as were asked for' if full else ''}"
