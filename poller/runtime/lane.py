"""The journey of a record, top to bottom: receive, gather, encode, invoke, read the answer, settle or release.

`run_lane` is the loop of one lane and `_deliver` delivers one batch; the decisions on the way are made in
`poller.policy`. This module knows no kind of source and no type of function.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from poller.policy.advice import cause_of_failure
from poller.policy.backoff import RETRY
from poller.policy.batching import BatchBuffer
from poller.policy.delivery_steps import Discard, Expire, Invoke, Return, Settle, Wait
from poller.policy.invocation_record import DROPPED, Discarded
from poller.policy.response import NotInvoked
from poller.ports.held import Instead
from poller.ports.source import Delivery, Lane
from poller.ports.status import LaneStatus, ReasonCode
from poller.runtime.breaker import CIRCUIT_OPEN, Breaker
from poller.runtime.context import LaneContext
from poller.runtime.holding import holding
from poller.runtime.invocation import invoke, permitted, until_settled
from poller.values.errors import CallError, CutByStop
from poller.values.record import Record

WINDOW_MARGIN = 60.0
"""Seconds after the end of its window after which a lane that still gathers counts as hung."""

NOTIFY_SECONDS = 120.0
"""Seconds after which a call to the on-failure destination counts as hung: its client gives up earlier."""
LAST_NOTIFY_SECONDS = 5.0
"""Seconds that a soft stop leaves to a running call to the on-failure destination. The call is repeated later."""


async def run_lane(lane: Lane, context: LaneContext, status: LaneStatus) -> None:
    """Run a lane until a soft stop or its end; a hard stop is a cancellation. Held records are released at the end."""
    time = asyncio.get_running_loop().time
    buffer = BatchBuffer(context.limits, lambda records: len(lane.encode(records)), time())
    try:
        if (unfinished := await lane.unfinished()) is not None:
            await _deliver(lane, unfinished, context, status, time)
        while not context.stop.soft:
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
                        lane.unread(page)
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
    """See one batch to its end. A stop releases the records that are left."""
    invoking = False
    started = False
    instead: Instead | None = None
    try:
        while (step := delivery.next_step(time())) is not None:
            if isinstance(step, Invoke):
                if started and context.stop.soft:
                    return
                invoking = started = True
                invoked = await invoke(lane, step.records, context, status, time, instead=instead)
                instead = None
                invoking = False
                if invoked is None:
                    return
                delivery.report(invoked.outcome, time(), context.chance)
                invoked.note(delivery, context, time())
            elif isinstance(step, Wait):
                instead = await _wait(step, lane, delivery, context, status)
                if context.stop.soft:
                    return
            elif isinstance(step, Discard):
                if not await _discard(lane, step.discarded, delivery, context, status):
                    return
            else:
                _leave(step, lane, context, time())
    finally:
        _release(lane, delivery.remaining(), context, failed=invoking)
    status.batch_over()
    await until_settled(lane.ready, status, time)


async def _wait(step: Wait, lane: Lane, delivery: Delivery, context: LaneContext, status: LaneStatus) -> Instead | None:
    """Wait between two attempts; an open circuit decides alone when, or a person. Returns what a person wants to be
    invoked in the place of the function.
    """
    now, admission = asyncio.get_running_loop().time(), context.admission
    seconds, refusal = step.seconds, step.outcome
    if refusal is not None and refusal.code != CIRCUIT_OPEN and admission.breaker.is_open:
        return None
    code, text, causes = _why(refusal, delivery, admission.breaker)
    status.wait(code, now, now + seconds, text, causes)
    lane.keep()
    with holding(lane, delivery, context, status) as (held, wait):
        if refusal is None:
            await wait.wait(seconds)
        else:
            await admission.breaker.wait(seconds, wait)
    if held.decided:
        lane.keep()
    return held.instead


def _leave(step: Settle | Expire | Return, lane: Lane, context: LaneContext, now: float) -> None:
    records = step.records
    if isinstance(step, Settle):
        lane.settle(records)
        context.status.account.delivered += len(records)
    elif isinstance(step, Expire):
        lane.settle(records)
        context.status.account.expired += len(records)
        context.log.lost("records_expired", now, **_range(records, context), condition="trimmed")
    else:
        _release(lane, records, context, failed=step.failed)


async def _discard(
    lane: Lane, discarded: Discarded, delivery: Delivery, context: LaneContext, status: LaneStatus
) -> bool:
    """Notify the destination, if there is one, and settle the discarded records, unless a person decides otherwise
    about them meanwhile. False if a soft stop came before.
    """
    time = asyncio.get_running_loop().time
    failures, delay, notified = 0, 0.0, False if discarded.condition == DROPPED else None
    lane.keep()
    while notified is None:
        permit = context.permit
        if permit is not None and not permit.valid() and not await permitted(permit, context, status, time):
            return False
        now = time()
        status.enter(ReasonCode.DESTINATION, now, deadline=now + NOTIFY_SECONDS)
        try:
            async with context.stop.leaves(LAST_NOTIFY_SECONDS):
                notified = await lane.notify(discarded)
        except CutByStop:
            return False
        except CallError as error:
            failures += 1
            delay = RETRY.delay(failures, context.chance)
            now = time()
            status.wait(ReasonCode.DESTINATION, now, now + delay, str(error))
            context.log.repeating("destination_failed", now, text=str(error), next_in=round(delay, 1))
        if notified is None:
            with holding(lane, delivery, context, status) as (held, wait):
                await wait.wait(delay)
            if context.stop.soft:
                return False
            if held.part.awaiting != discarded.condition:
                return True
    account, records = context.status.account, len(discarded.records)
    lane.settle(discarded.records)
    if notified:
        account.destination += records
    else:
        account.dropped += records
    window = {} if discarded.window is None else {"window": discarded.window.bounds}
    why: dict[str, Any] = {"condition": discarded.condition, "to_destination": notified, **window}
    context.log.lost("batch_discarded", time(), **_range(discarded.records, context), **why)
    delivery.accepted()
    return True


def _range(records: Sequence[Record], context: LaneContext) -> dict[str, Any]:
    """Log fields that name the records."""
    first, last = (records[0].identifier, records[-1].identifier) if records else (None, None)
    return {"partition": context.partition, "first": first, "last": last, "records": len(records)}


def _why(refusal: NotInvoked | None, delivery: Delivery, breaker: Breaker) -> tuple[ReasonCode, str, tuple[str, ...]]:
    """Code, text and causes of the reason for which a batch waits."""
    if refusal is None:
        failure = delivery.failure or "records were named as failed"
        return ReasonCode.RETRY, f"{delivery.tried}: {failure}", (cause_of_failure(failure), "retry")
    causes = breaker.causes if refusal.code == CIRCUIT_OPEN else (f"function.{refusal.code}",)
    code = _REFUSALS.get(refusal.code, ReasonCode.FUNCTION_UNAVAILABLE)
    return code, f"{delivery.tried}: {refusal.detail}", causes


_REFUSALS = {"throttled": ReasonCode.THROTTLED, CIRCUIT_OPEN: ReasonCode.CIRCUIT_OPEN}


def _release(lane: Lane, records: Sequence[Record], context: LaneContext, *, failed: bool) -> None:
    if records:
        lane.release(records, failed=failed)
        context.status.account.returned += len(records)
