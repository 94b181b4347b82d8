"""Where records are read beside a mapping: to look at them, or to deliver them again. Pure."""

from dataclasses import dataclass
from typing import Literal

from poller.policy.invocation_record import iso_milliseconds
from poller.policy.positions import is_inside, sequence_number_of

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
