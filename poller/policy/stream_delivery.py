"""Decides the next step for one batch of a stream: invoke, wait, settle or discard. poller holds failed records itself.

The batch is a stack of parts, the front part on top. A part is delivered, retried, split or discarded before the next
one begins, so order holds. Limits are checked at each step of a part, so a lowered limit frees a stuck part at once.
This module has no clock: `service_time` turns the caller's time into the service's.

    front part -> older than allowed: those records are discarded
               -> out of attempts: discarded
               -> invoke -> succeeded: settled
                         -> named records: settled up to the first of them, the rest is a new part
                         -> failed: bisected, or one attempt less
                         -> not invoked: the same again, no attempt spent

In a tumbling window the answer's state goes to the next invocation together with what it settles. A part without
records is the invocation that closes the window.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from poller.policy.backoff import RETRY, Chance
from poller.policy.delivery_steps import Discard, Expire, Invoke, Settle, Step, Wait, counted, refused
from poller.policy.parts import Part, PartState, divided, rebuilt
from poller.policy.positions import item_identifier, place
from poller.policy.response import Failed, NotInvoked, Outcome, Succeeded, TooLarge, failed_identifiers
from poller.policy.windows import TumblingWindows, answered_state
from poller.values.record import Record

FOR_EVER = -1
"""The value of a limit that does not limit."""


@dataclass(frozen=True, slots=True)
class StreamPolicy:
    """The stream mapping's settings for failures."""

    maximum_retry_attempts: int = FOR_EVER
    maximum_record_age_in_seconds: int = FOR_EVER
    bisect_batch_on_function_error: bool = False
    report_batch_item_failures: bool = False
    discard_oversized: bool = False
    """Whether a record that alone exceeds the payload limit is discarded at once: no retry could deliver it."""


class StreamDelivery:
    """The delivery of one batch of a lane."""

    __slots__ = (
        "_age",
        "_horizon",
        "_parts",
        "_policy",
        "_refusals",
        "_service_time",
        "_steps",
        "_windows",
        "failed",
        "failure",
        "gap",
    )
    discards = True

    def __init__(
        self,
        records: Sequence[Record],
        policy: StreamPolicy,
        *,
        arrival: Callable[[Record], float],
        service_time: Callable[[float], float | None],
        windows: TumblingWindows,
    ) -> None:
        """`service_time` turns the caller's time into the service's; while it returns None, no age is checked.
        `windows` are the lane's; a batch without records closes the open window.
        """
        self._parts = [Part(records)]
        self._policy = policy
        self._age = arrival
        self._service_time = service_time
        self._windows = windows
        self._steps: list[Step] = []
        self._refusals = 0
        self._horizon: str | None = None
        self.failure: str | None = None
        """Why the last invocation failed as a whole; None when it did not."""
        self.failed = 0
        """Number of records that the last invocation failed."""
        self.gap = False
        """Never set: the records behind a failed one are delivered again after it."""

    def next_step(self, now: float) -> Step | None:
        """The next thing to do; None when every record has left."""
        while not self._steps:
            if not self._parts:
                return None
            part = self._parts[-1]
            self._windows.enter(part.records)
            if part.awaiting is not None:
                return Discard(part.discarded(part.awaiting, self._windows.open))
            if self._horizon is not None and self._gone(part, place(self._horizon)[0]):
                continue
            if self._give_up_old(part, now):
                continue
            if self._exhausted(part):
                part.awaiting = "RetryAttemptsExhausted"
                continue
            return Invoke(part.records)
        return self._steps.pop(0)

    def report(self, outcome: Outcome, now: float, chance: Chance) -> None:  # noqa: ARG002  (as every delivery)
        """Report the outcome of the invocation that `next_step` asked for."""
        part = self._parts[-1]
        if isinstance(outcome, NotInvoked):
            self._refusals += 1
            # a Retry-After of 0 counts as none: it would make a loop without pauses
            self._steps.append(Wait(outcome.retry_after or RETRY.delay(self._refusals, chance), outcome))
            return
        self._refusals = 0
        self.failure, self.failed = None, 0
        if isinstance(outcome, TooLarge):
            self._report_too_large(part, outcome, chance)
            return
        part.request_id = outcome.request_id
        if isinstance(outcome, Succeeded):
            self._report_answer(part, outcome, chance)
        else:
            self.failure = f"{outcome.error}: {outcome.detail}" if outcome.detail else outcome.error
            self._fail(part, outcome, chance)

    @property
    def tried(self) -> str:
        part, limit = self._parts[-1], self._policy.maximum_retry_attempts
        if self._refusals:
            tries = refused(self._refusals)
        elif part.attempts:
            tries = f"retry {part.attempts} {'(no limit)' if limit == FOR_EVER else f'of {limit}'}"
        else:
            tries = "next try"
        if not part.records:
            return f"{tries}, the end of a window"
        return f"{tries}, {counted(part.records)} from sequence number {part.records[0].identifier}"

    def _report_too_large(self, part: Part, outcome: TooLarge, chance: Chance) -> None:
        if len(part.records) > 1:
            self._split(part, len(part.records) // 2)
            return
        self.failure = f"payload too large: {outcome.detail}"
        self.failed = len(part.records)
        if self._policy.discard_oversized:
            part.attempts += 1
            part.awaiting = "RetryAttemptsExhausted"
            return
        self._spend(part, None, chance)

    def _report_answer(self, part: Part, outcome: Succeeded, chance: Chance) -> None:
        records = part.records
        named: frozenset[str] | None = frozenset()
        state = None if self._windows.open is None else answered_state(outcome.body)
        if self._policy.report_batch_item_failures:
            named = failed_identifiers(outcome.body, {item_identifier(record.identifier) for record in records})
        if self._windows.open is not None and state is None:
            self.failure = "the answer holds no object `state`, which a tumbling window needs"
            self._fail(part, outcome, chance)
        elif named is None:
            self.failure = "the answer is not a valid partial batch response"
            self._fail(part, outcome, chance)
        elif not named:
            self._parts.pop()
            self._settle(records, state)
        else:
            # the inner records of an aggregate fail together, because they share one sequence number
            failed = [index for index, one in enumerate(records) if item_identifier(one.identifier) in named]
            reached = failed[0]
            if not reached:
                self._fail(part, outcome, chance)
            else:
                self._parts[-1] = Part(records[reached:])
                self._settle(records[:reached], state)
                self._steps.append(Wait(RETRY.delay(1, chance), None))
            self.failed = len(failed)

    def _settle(self, records: Sequence[Record], state: bytes | None) -> None:
        """Settle records the function succeeded on; without records, close the window."""
        self._steps.append(Settle(records))
        if not records:
            self._windows.closed()
        elif state is not None and self._windows.carry(state, len(records)):
            self._parts.append(Part(()))

    def _fail(self, part: Part, outcome: Succeeded | Failed, chance: Chance) -> None:
        self.failed = len(part.records)
        if self._policy.bisect_batch_on_function_error and len(part.records) > 1:
            self._split(part, len(part.records) // 2)
            self._steps.append(Wait(RETRY.delay(1, chance), None))
            return
        self._spend(part, outcome, chance)

    def _spend(self, part: Part, outcome: Succeeded | Failed | None, chance: Chance) -> None:
        part.attempts += 1
        part.outcome = outcome
        if not self._exhausted(part):
            self._steps.append(Wait(RETRY.delay(part.attempts, chance), None))

    def _split(self, part: Part, half: int) -> None:
        """Replace the part by its two halves, as new parts: a split spends no attempt."""
        self._parts[-1:] = [Part(part.records[half:]), Part(part.records[:half])]

    def _exhausted(self, part: Part) -> bool:
        limit = self._policy.maximum_retry_attempts
        return limit != FOR_EVER and part.attempts > limit

    def _give_up_old(self, part: Part, now: float) -> bool:
        """Whether the part has records that are too old; if so, split it by age. Arrival times need not be in order."""
        limit = self._policy.maximum_record_age_in_seconds
        if limit == FOR_EVER:
            return False
        wall = self._service_time(now)
        if wall is None:
            return False
        oldest = wall - limit
        if not part.records:
            return self._give_up_closing(part, oldest)
        if not any(self._age(record) < oldest for record in part.records):
            return False
        self._parts[-1:] = divided(part, lambda record: self._age(record) < oldest, "RecordAgeExceeded")
        return True

    def _give_up_closing(self, part: Part, oldest: float) -> bool:
        """A window's closing call is as old as the window's end. It is tried at least once, because its records were in
        time.
        """
        window = self._windows.open
        assert window is not None
        if window.end >= oldest or not part.attempts:
            return False
        part.awaiting = "RecordAgeExceeded"
        return True

    def _gone(self, part: Part, horizon: int) -> bool:
        """Whether the source has trimmed the first records of a part that failed before; if so, expire them."""
        if not part.attempts and not self._refusals:
            return False
        kept = [record for record in part.records if place(record.identifier)[0] >= horizon]
        gone = len(part.records) - len(kept)
        if not gone:
            return False
        self._parts.pop()
        self._steps.append(Expire(part.records[:gone]))
        if kept:
            self._parts.append(replace(part, records=kept, request_id=None))
        return True

    def trimmed_before(self, sequence_number: str) -> None:
        """The source has trimmed everything older: older records that failed before have expired."""
        self._horizon = sequence_number

    def accepted(self) -> None:
        """The records of the last Discard are done: the destination accepted, or there is none."""
        if not self._parts.pop().records:
            self._windows.closed()

    def remaining(self) -> list[Record]:
        """The records that have not left yet, in order, for a stop that cannot wait."""
        settling = [record for step in self._steps if isinstance(step, Settle | Expire) for record in step.records]
        return settling + [record for part in reversed(self._parts) for record in part.records]

    def isolate(self, wanted: Callable[[Record], bool]) -> None:
        """Give up some records of the part at hand because a person says so; the others begin anew."""
        found = divided(self._parts[-1], wanted, "IsolatedByHand")
        for part in found:
            if part.awaiting is None:
                part.begin_anew()
        self._parts[-1:] = found

    def at_hand(self) -> Part:
        """The part that is tried next, which a person may give up or begin anew."""
        return self._parts[-1]

    def snapshot(self) -> tuple[PartState, ...]:
        """The stack to store for a restart, front part last; empty for a batch without an attempt."""
        parts = self._parts
        if not parts or (len(parts) == 1 and not parts[0].attempts and parts[0].awaiting is None):
            return ()
        return tuple(part.state() for part in parts)

    def restore(self, stored: Sequence[PartState]) -> bool:
        """Restore the stored stack if this batch has exactly its records. Returns whether it did."""
        parts = rebuilt(stored, self._parts[0].records)
        if parts is None:
            return False
        self._parts = parts
        return True
