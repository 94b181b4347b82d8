"""A record's journey, top to bottom: receive, gather, encode, invoke, read the answer, settle or give back.

`run_lane` is the loop of one lane and `_deliver` the end of one batch; what is decided on the way is decided in
`poller.policy`. No source and no kind of function is known here.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from poller.errors import CallError
from poller.occasionally import Occasionally
from poller.policy.backoff import RETRY, Chance
from poller.policy.batching import BatchBuffer, BatchLimits
from poller.policy.delivery import Discard, Expire, Invoke, Return, Settle, Wait
from poller.policy.invocation_record import Discarded
from poller.policy.response import Failed, NotInvoked, Outcome, Succeeded, TooLarge
from poller.ports import Delivery, Function, Lane
from poller.record import Record
from poller.runtime.admission import Admission
from poller.runtime.slots import Slots
from poller.runtime.status import Account, LaneStatus, LastFailure, MappingStatus, ReasonCode

CONNECT_MARGIN = 30.0
"""Seconds an invocation may take beyond the function's timeout (name resolution, connect, TLS, a full pool) before the
lane counts as hung."""

WINDOW_MARGIN = 60.0
"""Seconds after the end of its window at which a lane that still gathers counts as hung."""

TELL_SECONDS = 120.0
"""After which a lane that tells the on-failure destination counts as hung: its client tries for less."""


@dataclass(slots=True)
class LaneContext:
    """What the lanes of one mapping share."""

    function: Function
    slots: Slots
    limits: BatchLimits
    report_batch_item_failures: bool
    """Whether what a function names is its own business, and no reason to slow down."""
    admission: Admission
    status: MappingStatus
    chance: Chance
    log: Occasionally
    gap_warned: bool = False
    """Whether the one warning about a gap in a message group was given."""


async def run_lane(lane: Lane, context: LaneContext, status: LaneStatus) -> None:
    """Work until a soft stop or the lane's end; a hard stop is a cancellation. Every record held here goes back."""
    time = asyncio.get_running_loop().time
    admission = context.admission
    buffer = BatchBuffer(context.limits, lambda records: len(lane.encode(records)), time())
    try:
        if (unfinished := await lane.unfinished()) is not None:
            await _deliver(lane, unfinished, context, status, time)
        while not admission.stopping:
            now = time()
            left = buffer.closes_in(now)
            if lane.ended and left:
                if not buffer.records:
                    break
                left = 0.0
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
                if page.ends_batch:
                    buffer.close()
            else:
                await _deliver(lane, lane.delivery(buffer.take()), context, status, time)
                buffer.invocation_completed(time())
    finally:
        _release(lane, buffer.take(), context, failed=False)
        status.enter(ReasonCode.STOPPED, time())


async def _deliver(
    lane: Lane, delivery: Delivery, context: LaneContext, status: LaneStatus, time: Callable[[], float]
) -> None:
    """See one batch to its end. What a stop leaves undone goes back to the source."""
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
                    context.status.account.failed_invoke += delivery.failed
                    _count(outcome, delivery, len(part), seconds, context.status.account)
                    _tell(outcome, part, delivery, context, now)
                case Wait(seconds, refusal):
                    now = time()
                    code, text = _why(refusal, delivery)
                    status.enter(code, now, until=now + seconds, text=text)
                    lane.keep()
                    if await context.admission.stop.wait(seconds):
                        return
                case Discard(discarded):
                    if not await _give_up(lane, discarded, context, status, time):
                        return
                    delivery.accepted()
                case Settle() | Expire() | Return():
                    _part_with(step, lane, context, time())
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
    if not records:
        status.enter(ReasonCode.SETTLING, time())
        if not await lane.all_settled():
            return None
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
        outcome = await function.invoke(event, lane.trace(records))
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


def _part_with(step: Settle | Expire | Return, lane: Lane, context: LaneContext, now: float) -> None:
    match step:
        case Settle(records):
            lane.settle(records)
            context.status.account.delivered += len(records)
        case Expire(records):
            lane.settle(records)
            context.status.account.expired += len(records)
            context.log.tell("records_expired", now, records=len(records))
        case Return(records, failed):
            _release(lane, records, context, failed=failed)


async def _give_up(
    lane: Lane, discarded: Discarded, context: LaneContext, status: LaneStatus, time: Callable[[], float]
) -> bool:
    """Settle what was given up once the destination, if there is one, has accepted; False at a soft stop before."""
    failures, told = 0, None
    lane.keep()
    while told is None:
        now = time()
        status.enter(ReasonCode.DESTINATION, now, deadline=now + TELL_SECONDS)
        try:
            told = await lane.tell(discarded)
        except CallError as error:
            failures += 1
            delay = RETRY.delay(failures, context.chance)
            now = time()
            status.enter(ReasonCode.DESTINATION, now, until=now + delay, text=str(error))
            context.log.tell("destination_failed", now, text=str(error), next_in=round(delay, 1))
            if await context.admission.stop.wait(delay):
                return False
    account, records = context.status.account, len(discarded.records)
    lane.settle(discarded.records)
    if told:
        account.destination += records
    else:
        account.dropped += records
    context.log.tell(
        "batch_discarded",
        time(),
        condition=discarded.condition,
        records=records,
        to_destination=told,
        **({} if discarded.window is None else {"window": discarded.window.bounds}),
    )
    return True


def _tell(outcome: Outcome, records: Sequence[Record], delivery: Delivery, context: LaneContext, now: float) -> None:
    """Let pace, status and log know how an invocation ended."""
    status, admission = context.status, context.admission
    if isinstance(outcome, Succeeded | Failed) and outcome.logs is not None:
        context.log.debug("function_logs", function=status.function, request_id=outcome.request_id, logs=outcome.logs)
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
        status.last_failure = _last_failure(outcome, delivery.failure, now)
        if not context.report_batch_item_failures:
            admission.failed(now)
        context.log.tell(
            "batch_failed",
            now,
            function=status.function,
            why=delivery.failure,
            records=len(records),
            request_id=status.last_failure.request_id,
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


def _last_failure(outcome: Failed | Succeeded | TooLarge, why: str, now: float) -> LastFailure:
    if isinstance(outcome, TooLarge):
        return LastFailure(now, why)
    return LastFailure(now, why, outcome.request_id, outcome.logs)


def _why(refusal: NotInvoked | None, delivery: Delivery) -> tuple[ReasonCode, str]:
    """What a batch that waits waits for."""
    if refusal is None:
        return ReasonCode.RETRY, f"{delivery.tried}: {delivery.failure or 'records were named as failed'}"
    code = ReasonCode.THROTTLED if refusal.code == "throttled" else ReasonCode.FUNCTION_UNAVAILABLE
    return code, f"{delivery.tried}: {refusal.detail}"


def _release(lane: Lane, records: Sequence[Record], context: LaneContext, *, failed: bool) -> None:
    if records:
        lane.release(records, failed=failed)
        context.status.account.returned += len(records)
