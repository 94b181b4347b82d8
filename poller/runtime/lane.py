"""A record's journey, top to bottom: receive, gather, encode, invoke, read the answer, settle or give back.

`run_lane` is the loop of one lane and `_deliver` the end of one batch; what is decided on the way is decided in
`poller.policy`. No source and no kind of function is known here.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from poller.occasionally import Occasionally
from poller.policy.backoff import Chance
from poller.policy.batching import BatchBuffer, BatchLimits
from poller.policy.delivery import Delivery, Invoke, RetryPolicy, Return, Settle, Wait
from poller.policy.response import NotInvoked, Outcome, TooLarge
from poller.ports import Function, Lane
from poller.record import Record
from poller.runtime.admission import Admission
from poller.runtime.slots import Slots
from poller.runtime.status import Account, LaneStatus, MappingStatus, ReasonCode

CONNECT_MARGIN = 30.0
"""Seconds an invocation may take beyond the function's timeout (name resolution, connect, TLS, a full pool) before the
lane counts as hung."""

WINDOW_MARGIN = 60.0
"""Seconds after the end of its window at which a lane that still gathers counts as hung."""


@dataclass(slots=True)
class LaneContext:
    """What the lanes of one mapping share."""

    function: Function
    slots: Slots
    limits: BatchLimits
    policy: RetryPolicy
    admission: Admission
    status: MappingStatus
    chance: Chance
    log: Occasionally
    gap_warned: bool = False
    """Whether the one warning about a gap in a message group was given."""


async def run_lane(lane: Lane, context: LaneContext, status: LaneStatus) -> None:
    """Work until a soft stop; a hard stop is a cancellation. Either way every record held here goes back."""
    time = asyncio.get_running_loop().time
    admission = context.admission
    buffer = BatchBuffer(context.limits, lambda records: len(lane.encode(records)), time())
    try:
        while not admission.stopping:
            now = time()
            left = buffer.closes_in(now)
            if left:
                gathering = bool(buffer.records)
                if gathering:
                    status.enter(ReasonCode.WINDOW, now, until=now + left, deadline=now + left + WINDOW_MARGIN)
                else:
                    status.enter(ReasonCode.NO_DATA, now)
                page = await lane.receive(buffer.room, left, gathering=gathering)
                if page.records:
                    rest = buffer.add(page.records, page.bound, time())
                    if rest:
                        page.records = rest
                        lane.put_back(page)
            else:
                await _deliver(lane, buffer.take(), context, status, time)
                buffer.invocation_completed(time())
    finally:
        _release(lane, buffer.take(), context, failed=False)
        status.enter(ReasonCode.STOPPED, time())


async def _deliver(
    lane: Lane, records: Sequence[Record], context: LaneContext, status: LaneStatus, time: Callable[[], float]
) -> None:
    """See one batch to its end. What a stop leaves undone goes back to the source."""
    delivery = Delivery(records, context.policy, lane.hold_until(records))
    invoking = False
    started = False
    try:
        while (step := delivery.next_step(time())) is not None:
            match step:
                case Invoke(part):
                    if started and context.admission.stopping:
                        return
                    invoking = started = True
                    invoked = await _invoke(lane, part, context, status, time)
                    invoking = False
                    if invoked is None:
                        return
                    outcome, seconds = invoked
                    now = time()
                    delivery.report(outcome, now, context.chance)
                    _count(outcome, delivery, len(part), seconds, context.status.account)
                    _tell(outcome, part, delivery, context, now)
                case Wait(seconds, refusal):
                    now = time()
                    status.enter(_refusal_code(refusal), now, until=now + seconds, text=refusal.detail)
                    if await context.admission.stop.wait(seconds):
                        return
                case Settle(part):
                    lane.settle(part)
                    context.status.account.delivered += len(part)
                case Return(part, failed):
                    if failed:
                        context.status.account.failed_invoke += len(part)
                    _release(lane, part, context, failed=failed)
    finally:
        _release(lane, delivery.remaining(), context, failed=invoking)
    now = time()
    status.enter(ReasonCode.SETTLING, now)
    await lane.ready()


async def _invoke(
    lane: Lane, records: Sequence[Record], context: LaneContext, status: LaneStatus, time: Callable[[], float]
) -> tuple[Outcome, float] | None:
    """One invocation within the function's concurrency, and the seconds it took; None when a soft stop came first."""
    function, slots = context.function, context.slots
    event = lane.encode(records)
    if len(event) > function.payload_limit:
        return TooLarge(f"{len(event)} bytes where the function takes {function.payload_limit}"), 0.0
    if not slots.take_now():
        status.enter(ReasonCode.WAITING_FOR_SLOT, time())
        context.admission.waits_for_slot(waits=True)
        try:
            if not await slots.take(context.admission.stop):
                return None
        finally:
            context.admission.waits_for_slot(waits=False)
    begun = time()
    status.enter(ReasonCode.INVOKING, begun, deadline=begun + function.timeout + CONNECT_MARGIN)
    try:
        outcome = await function.invoke(event)
    finally:
        slots.give_back()
    # from here to the next step nothing is awaited, so an overrun deadline would be a blocked loop, which shows anyway
    return outcome, time() - begun


def _count(outcome: Outcome, delivery: Delivery, records: int, seconds: float, account: Account) -> None:
    """One invocation more, by how it ended; one that did not take place has no duration."""
    if isinstance(outcome, NotInvoked):
        account.invocations[outcome.code] = account.invocations.get(outcome.code, 0) + 1
    elif isinstance(outcome, TooLarge):
        account.count_invocation("too_large", records, seconds)
    else:
        account.count_invocation("succeeded" if delivery.failure is None else "failed", records, seconds)


def _tell(outcome: Outcome, records: Sequence[Record], delivery: Delivery, context: LaneContext, now: float) -> None:
    """Let pace, status and log know how an invocation ended."""
    status, admission = context.status, context.admission
    if isinstance(outcome, NotInvoked):
        admission.failed(now)
        context.log.tell(
            "function_not_invoked",
            now,
            function=status.function,
            code=outcome.code,
            detail=outcome.detail,
            records=len(records),
        )
    elif delivery.failure is not None:
        status.last_result = "PROBLEM: Function call failed"
        if not context.policy.report_batch_item_failures:
            admission.failed(now)
        request_id = None if isinstance(outcome, TooLarge) else outcome.request_id
        context.log.tell(
            "batch_failed",
            now,
            function=status.function,
            why=delivery.failure,
            records=len(records),
            request_id=request_id,
        )
    elif not isinstance(outcome, TooLarge):
        status.last_result = "OK"
        admission.succeeded()
        if delivery.gap and not context.gap_warned:
            context.gap_warned = True
            context.log.tell(
                "gap_in_message_group",
                now,
                text="the function named a failed message but not the later ones of its group, which are deleted as on "
                "AWS; let it name them too, or set fifo_stop_at_first_failure",
            )


def _refusal_code(refusal: NotInvoked) -> ReasonCode:
    return ReasonCode.THROTTLED if refusal.code == "throttled" else ReasonCode.FUNCTION_UNAVAILABLE


def _release(lane: Lane, records: Sequence[Record], context: LaneContext, *, failed: bool) -> None:
    if records:
        lane.release(records, failed=failed)
        context.status.account.returned += len(records)
