"""The parts of a batch, in memory and as they are stored. A batch that is bisected or partly settled has several.

A part without records is the invocation that closes a tumbling window.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from poller.policy.invocation_record import DROPPED, Condition, Discarded
from poller.policy.response import Failed, Outcome, Succeeded
from poller.policy.windows import Window
from poller.values.record import Record

NO_RECORD = "0"
"""The position of a part without records: before all others."""


@dataclass(frozen=True, slots=True)
class PartState:
    """A part as it is stored: enough to rebuild it when the records of its lane are read again."""

    count: int
    first: str
    last: str
    """Positions, see `positions`."""
    attempts: int = 0
    request_id: str | None = None
    outcome: Succeeded | Failed | None = None
    awaiting: Condition | None = None


@dataclass(slots=True)
class Part:
    """Records that are delivered together."""

    records: Sequence[Record]
    attempts: int = 0
    """Attempts that failed."""
    request_id: str | None = None
    outcome: Outcome | None = None
    """Of the last attempt; None before the first, and for a record too large to be sent."""
    awaiting: Condition | None = None
    """Set while the part is to be discarded and the destination has not accepted it yet."""

    def state(self) -> PartState:
        """The state to store."""
        return PartState(
            len(self.records),
            self.records[0].identifier if self.records else NO_RECORD,
            self.records[-1].identifier if self.records else NO_RECORD,
            self.attempts,
            self.request_id,
            self.outcome if isinstance(self.outcome, Succeeded | Failed) else None,
            self.awaiting,
        )

    def begin_anew(self) -> None:
        """Forget the failed attempts, also where they were exhausted."""
        self.attempts, self.awaiting = 0, None

    def give_up(self, *, notify: bool) -> None:
        """Discard the records because a person says so; the destination hears of it only with `notify`."""
        self.awaiting = "SkippedByHand" if notify else DROPPED

    def discarded(self, condition: Condition, window: Window | None) -> Discarded:
        """The content of the invocation record for the destination."""
        # 1 also for a record that expired before any attempt, as recorded from AWS
        outcome = None if condition == "RecordAgeExceeded" else self.outcome
        return Discarded(self.records, condition, max(1, self.attempts), self.request_id, outcome, window)


def divided(part: Part, given_up: Callable[[Record], bool], condition: Condition) -> list[Part]:
    """The part in runs of records that are given up and of those that are not, front run last."""
    runs = [(gone, list(run)) for gone, run in groupby(part.records, given_up)]
    return [
        replace(
            part,
            records=run,
            awaiting=condition if gone else None,
            # a smaller batch is another invocation, though its records had as many attempts
            request_id=part.request_id if gone or len(runs) == 1 else None,
        )
        for gone, run in reversed(runs)
    ]


def rebuilt(stored: Sequence[PartState], records: Sequence[Record]) -> list[Part] | None:
    """Rebuild the stored stack, front part last; None if these are not exactly its records."""
    parts, begin = [], 0
    for state in reversed(stored):
        part = Part(
            records[begin : begin + state.count], state.attempts, state.request_id, state.outcome, state.awaiting
        )
        begin += state.count
        found = part.state()
        if (found.count, found.first, found.last) != (state.count, state.first, state.last):
            return None
        parts.append(part)
    return parts[::-1] if begin == len(records) else None
