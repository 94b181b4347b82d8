"""One invocation: checks the function's circuit, takes a slot, calls the function, and counts and logs the outcome.

This module never retries: `Delivery` decides what happens to the batch next.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from poller.policy.advice import with_advice
from poller.policy.failures import Failure
from poller.policy.response import Failed, NotInvoked, Outcome, Succeeded, TooLarge
from poller.ports.held import Instead
from poller.ports.holdings import Permit
from poller.ports.source import Delivery, Lane, Unsettled
from poller.ports.status import LaneStatus, LastFailure, ReasonCode
from poller.runtime.breaker import CIRCUIT_OPEN
from poller.runtime.context import LaneContext
from poller.values.record import Record

CONNECT_MARGIN = 30.0
"""Seconds that an invocation may take beyond the function's timeout (name resolution, connect, TLS, a full pool) before
the lane counts as hung."""
NAMED = "records were named as failed"
"""The text of a failure of some records of a batch, which the answer named."""
SETTLE_SECONDS = 180.0
"""Seconds one try to settle may take before the lane counts as hung: three attempts of a call of 15 s with the pauses
between them, and a wait for a renewal that is under way."""

_Ran = Succeeded | Failed | TooLarge
"""Outcomes of an invocation that took place."""


@dataclass(slots=True)
class Invoked:
    """The outcome of an invocation, or the refusal that prevented it."""

    outcome: Outcome
    records: Sequence[Record]
    seconds: float = 0.0
    event: bytes = b""
    """What the function got; empty where it was not invoked."""

    def note(self, delivery: Delivery, context: LaneContext, now: float) -> None:
        """Count the outcome, and update pace, status and log. It was already reported to `delivery`."""
        outcome, records = self.outcome, self.records
        if isinstance(outcome, NotInvoked):
            if outcome.code != CIRCUIT_OPEN:
                _report_refusal(outcome, records, context, now)
            return
        account, word = context.status.account, "succeeded" if delivery.failure is None else "failed"
        if isinstance(outcome, TooLarge):
            word = "too_large"
        elif outcome.logs is not None:
            function, request_id = context.status.function, outcome.request_id
            context.log.debug("function_logs", function=function, request_id=request_id, logs=outcome.logs)
        account.failed_invoke += delivery.failed
        account.count_invocation(word, len(records), self.seconds)
        if delivery.failure is not None:
            _report_failure(outcome, self, delivery, context, now)
        elif not isinstance(outcome, TooLarge):
            _report_success(outcome, self, delivery, context, now)


async def invoke(
    lane: Lane,
    records: Sequence[Record],
    context: LaneContext,
    status: LaneStatus,
    time: Callable[[], float],
    *,
    instead: Instead | None = None,
) -> Invoked | None:
    """Invoke once, within the function's concurrency and rate; None if a soft stop came first. `instead` takes the
    place of the function.
    """
    if instead is not None:
        return await _invoke_instead(instead, lane, records, context, status)
    function, slots, breaker = context.function, context.slots, context.admission.breaker
    if breaker.is_open and (refusal := breaker.refusal(time())) is not None:
        return Invoked(refusal, records)
    if not records:
        await until_settled(lane.all_settled, status, time)
        if context.stop.soft:
            return None
    event = lane.encode(records)
    if len(event) > function.payload_limit:
        too_large = TooLarge(f"{len(event)} bytes, the function accepts {function.payload_limit}")
        return Invoked(too_large, records)
    # tried before anything is called, because a slot is mostly there and nobody else's permit needed
    if not (context.permit is None and slots.take_now()) and not await _may_begin(context, status, time):
        return None
    begun = time()
    if breaker.is_open and (refusal := breaker.refusal(begun)) is not None:
        # the circuit opened while this invocation waited
        slots.release()
        return Invoked(refusal, records)
    status.enter(ReasonCode.INVOKING, begun, deadline=begun + function.timeout + CONNECT_MARGIN)
    probe = breaker.begin()
    answered = False
    try:
        outcome = await function.invoke(event, lane.trace(records))
        answered = True
    finally:
        if not answered:
            _invocation_ended(None, context, time(), probe)
    _invocation_ended(outcome, context, time(), probe)
    # nothing is awaited from here to the next step, so this deadline can only pass if the loop blocks, which is
    # detected
    return Invoked(outcome, records, time() - begun, event)


async def _invoke_instead(
    instead: Instead,
    lane: Lane,
    records: Sequence[Record],
    context: LaneContext,
    status: LaneStatus,
) -> Invoked | None:
    time = asyncio.get_running_loop().time
    if not records:
        await until_settled(lane.all_settled, status, time)
    if (
        context.permit is not None
        and not context.permit.valid()
        and not await permitted(context.permit, context, status, time)
    ):
        return None
    if context.stop.soft:
        return None
    event, begun = lane.encode(records), time()
    status.enter(ReasonCode.INVOKING, begun, deadline=begun + instead.timeout + CONNECT_MARGIN)
    return Invoked(await instead.invoke(event), records, time() - begun, event)


def _invocation_ended(outcome: Outcome | None, context: LaneContext, now: float, probe: int) -> None:
    """Free the slot, and tell the circuit how it went; `outcome` is None where the invocation was cut off."""
    breaker = context.admission.breaker
    context.slots.release()
    if not breaker.end(outcome, now, probe):
        return
    if breaker.is_open:
        text = with_advice(breaker.text, *breaker.causes)
        context.log.each("circuit_opened", function=context.status.function, text=text)
    else:
        context.log.each("circuit_closed", function=context.status.function)


async def _may_begin(context: LaneContext, status: LaneStatus, time: Callable[[], float]) -> bool:
    """Take a slot at a moment at which work may begin; False at a soft stop."""
    while await _slot(context, status, time):
        if context.permit is None or context.permit.valid():
            return True
        # another daemon may begin with this batch soon
        context.slots.release()
        if not await permitted(context.permit, context, status, time):
            return False
    return False


async def _slot(context: LaneContext, status: LaneStatus, time: Callable[[], float]) -> bool:
    """Take a slot of the function; False at a soft stop."""
    if context.slots.take_now():
        return True
    status.enter(ReasonCode.WAITING_FOR_SLOT, time())
    context.admission.waits_for_slot(waits=True)
    try:
        return await context.slots.take(context.stop)
    finally:
        context.admission.waits_for_slot(waits=False)


async def permitted(permit: Permit, context: LaneContext, status: LaneStatus, time: Callable[[], float]) -> bool:
    """Wait until work may begin; False at a soft stop."""
    status.enter(ReasonCode.SUSPENDED, time())
    return await permit.renewed(context.stop)


async def until_settled(
    wait: Callable[[], Awaitable[Unsettled | None] | None], status: LaneStatus, time: Callable[[], float]
) -> None:
    """Wait until the lane's handed-over batches are settled. Each try has a deadline; a failed one shows its reason."""
    waiting = wait()
    if waiting is None:
        return
    text, again_at = "", time()
    while waiting is not None:
        status.enter(ReasonCode.SETTLING, time(), deadline=again_at + SETTLE_SECONDS, text=text)
        status.next_try = again_at if text else None
        unsettled = await waiting
        if unsettled is None:
            return
        text, again_at = unsettled
        waiting = wait()


def _report_refusal(refusal: NotInvoked, records: Sequence[Record], context: LaneContext, now: float) -> None:
    """Count an invocation that did not take place, so that it has no duration, and update pace and log."""
    status, admission = context.status, context.admission
    status.account.invocations[refusal.code] = status.account.invocations.get(refusal.code, 0) + 1
    if not admission.breaker.is_open:
        admission.failed(now)
    context.log.repeating(
        "function_not_invoked",
        now,
        function=status.function,
        code=refusal.code,
        detail=refusal.detail,
        records=len(records),
    )


def _report_failure(outcome: _Ran, invoked: Invoked, delivery: Delivery, context: LaneContext, now: float) -> None:
    """Update pace, status and log after an invocation that failed as a whole."""
    status = context.status
    assert delivery.failure is not None
    status.last_result = "PROBLEM: Function call failed"
    status.last_failure = _last_failure(outcome, delivery.failure, now)
    _add_failure(_failure(outcome, delivery.failure, invoked.records, delivery.failed), invoked, context, now)
    if not context.report_batch_item_failures:
        context.admission.failed(now)
    context.log.repeating(
        "batch_failed",
        now,
        function=status.function,
        why=delivery.failure,
        records=len(invoked.records),
        request_id=status.last_failure.request_id,
    )


def _report_success(outcome: _Ran, invoked: Invoked, delivery: Delivery, context: LaneContext, now: float) -> None:
    """Update pace, status and log after an invocation that succeeded, perhaps with records it named as failed."""
    status = context.status
    status.last_result, status.last_success = "OK", now
    context.admission.succeeded()
    if delivery.failed:
        _add_failure(_failure(outcome, NAMED, invoked.records, delivery.failed), invoked, context, now)
    if delivery.gap and not context.gap_warned:
        context.gap_warned = True
        context.log.repeating(
            "gap_in_message_group",
            now,
            text="the function named a failed message but not the later ones of its group, which are deleted as on "
            "AWS; let it name them too, or set fifo_stop_at_first_failure",
        )


def _add_failure(failure: Failure, invoked: Invoked, context: LaneContext, now: float) -> None:
    context.status.failures.add(failure, context.partition, now)
    if context.keep_failed is not None and invoked.event:
        context.keep_failed(invoked.event, failure, context.partition)


def _failure(outcome: _Ran, why: str, records: Sequence[Record], failed: int) -> Failure:
    """The failure as it is grouped by cause; when and where is not told yet."""
    if isinstance(outcome, Failed):
        error, text = outcome.error, outcome.detail
    elif isinstance(outcome, TooLarge):
        error, text = "PayloadTooLarge", outcome.detail
    else:
        error, text = ("BatchItemFailures" if why is NAMED else "InvalidResponse"), why
    first = records[0].identifier if records else None
    if isinstance(outcome, TooLarge):
        return Failure(error, text, len(records), failed, first)
    return Failure(error, text, len(records), failed, first, outcome.request_id, logs=outcome.logs or "")


def _last_failure(outcome: _Ran, why: str, now: float) -> LastFailure:
    if isinstance(outcome, TooLarge):
        return LastFailure(now, why)
    return LastFailure(now, why, outcome.request_id, outcome.logs)
