"""The invocation record: what an on-failure destination is told about records that were given up.

Members and their order are those recorded from AWS. Sends nothing and asks no clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from poller.policy.response import Outcome
from poller.record import Record

Condition = Literal["RetryAttemptsExhausted", "RecordAgeExceeded"]


@dataclass(frozen=True, slots=True)
class Discarded:
    """Records given up together."""

    records: Sequence[Record]
    condition: Condition
    invoke_count: int
    """Attempts made with exactly these records; over-size ones count as attempts though nothing was sent."""
    request_id: str | None
    """Of the last invocation; None when there was none."""
    outcome: Outcome | None
    """Of the last invocation; None when there was none, and for a record too large to be sent."""
