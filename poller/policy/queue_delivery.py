"""Decides the next step for one batch of a queue: invoke, wait, settle or release. Knows no source, function or clock.

The machine keeps the undelivered parts of the batch as a stack. The caller asks for the next step and reports the
outcome of each invocation. Every record leaves the machine exactly once, by a Settle or a Return.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from poller.policy.backoff import RETRY, TIMERS_EARLY, Chance
from poller.policy.delivery_steps import Invoke, Return, Settle, Step, Wait, counted, refused
from poller.policy.parts import Part
from poller.policy.response import Failed, NotInvoked, Outcome, Succeeded, TooLarge, failed_identifiers
from poller.values.record import Record


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The mapping's settings for failures."""

    report_batch_item_failures: bool = False
    stop_at_first_failure: bool = False
    """Whether a failed message keeps back the rest of its group, so that nothing overtakes it."""


class QueueDelivery:
    """The delivery of one batch whose source holds the failed records (SQS: visibility timeout and redrive)."""

    __slots__ = ("_parts", "_policy", "_refusals", "_steps", "failed", "failure", "gap", "hold_until")
    discards = False

    def __init__(self, records: Sequence[Record], policy: RetryPolicy, hold_until: float) -> None:
        """`hold_until`: the loop's time at which records that could not be invoked are released."""
        self._policy = policy
        self._parts: list[Sequence[Record]] = [records]
        self._steps: list[Step] = []
        self._refusals = 0
        self.hold_until = hold_until
        self.failed = 0
        """Number of records that the last invocation failed: all of them, or those it named."""
        self.failure: str | None = None
        """Why the last invocation failed as a whole, for status and log; None when it did not."""
        self.gap = False
        """Whether settling the unnamed records of a partial response let one overtake a failed one of its group."""

    def next_step(self, now: float) -> Step | None:
        """The next thing to do; None when every record has left."""
        if self._steps:
            return self._steps.pop(0)
        if not self._parts:
            return None
        if self._refusals and now >= self.hold_until - TIMERS_EARLY:
            return Return(self._parts.pop(), failed=False)
        return Invoke(self._parts[-1])

    @property
    def tried(self) -> str:
        return f"{refused(self._refusals)}, {counted(self._parts[-1])}"

    def report(self, outcome: Outcome, now: float, chance: Chance) -> None:
        """Report the outcome of the invocation that `next_step` asked for."""
        records = self._parts[-1]
        if isinstance(outcome, NotInvoked):
            self._refusals += 1
            # a Retry-After of 0 counts as none: it would make a loop without pauses
            wanted = outcome.retry_after or RETRY.delay(self._refusals, chance)
            self._steps.append(Wait(max(0.0, min(wanted, self.hold_until - now)), outcome))
            return
        self._parts.pop()
        self._refusals = 0
        self.failed, self.failure = 0, None
        match outcome:
            case Succeeded():
                self._report_answer(records, outcome.body)
            case TooLarge() if len(records) > 1:
                half = len(records) // 2
                self._parts += [records[half:], records[:half]]
            case TooLarge():
                self._fail(records, f"payload too large: {outcome.detail}")
            case Failed(kept=True):
                self.failed, self.failure = len(records), _why(outcome)
                self._steps.append(Settle(records))
            case _:
                self._fail(records, _why(outcome))

    def _report_answer(self, records: Sequence[Record], body: bytes) -> None:
        if not self._policy.report_batch_item_failures:
            failed: frozenset[str] | None = frozenset()
        else:
            failed = failed_identifiers(body, {record.identifier for record in records})
        if failed is None:
            self._fail(records, "the answer is not a valid partial batch response")
            return
        if not failed:
            self._steps.append(Settle(records))
            return
        held_back = _with_rest_of_group(records, failed)
        if self._policy.stop_at_first_failure:
            failed = held_back
        self.gap = failed != held_back
        delivered = [record for record in records if record.identifier not in failed]
        if delivered:
            self._steps.append(Settle(delivered))
        self._release([record for record in records if record.identifier in failed])

    def _fail(self, records: Sequence[Record], why: str) -> None:
        self.failure = why
        self._release(records)

    def _release(self, records: Sequence[Record]) -> None:
        """Release the failed records, and the later ones of their groups in parts not yet invoked: they would
        overtake.
        """
        self.failed = len(records)
        self._steps.append(Return(records, failed=True))
        if not self._parts:
            return
        stopped = {record.key for record in records if record.key is not None}
        for index, part in enumerate(self._parts):
            behind = [record for record in part if record.key in stopped]
            if behind:
                self._steps.append(Return(behind, failed=False))
                self._parts[index] = [record for record in part if record.key not in stopped]
        self._parts = [part for part in self._parts if part]

    def at_hand(self) -> Part:
        """The records that are tried next. Nothing that is changed of the part has an effect: a queue holds failed
        messages itself, so they are neither given up nor begun anew here.
        """
        return Part(self._parts[-1])

    def isolate(self, wanted: Callable[[Record], bool]) -> None:
        """Never called: messages are not given up here."""

    def accepted(self) -> None:
        """Never called: a queue has its own dead-letter queue, so nothing is discarded."""

    def remaining(self) -> list[Record]:
        """The records that have not left yet, for a stop that cannot wait."""
        if not self._parts and not self._steps:
            return []
        left = [record for part in reversed(self._parts) for record in part]
        return left + [record for step in self._steps if isinstance(step, (Settle, Return)) for record in step.records]


def _why(outcome: Failed) -> str:
    return f"{outcome.error}: {outcome.detail}" if outcome.detail else outcome.error


def _with_rest_of_group(records: Sequence[Record], failed: frozenset[str]) -> frozenset[str]:
    stopped: set[str] = set()
    kept = set(failed)
    for record in records:
        if record.key is None:
            continue
        if record.identifier in failed:
            stopped.add(record.key)
        if record.key in stopped:
            kept.add(record.identifier)
    return frozenset(kept)
