"""Orders about the batch at hand of a lane that waits, and about a mapping's rest: what they would do, and doing it."""

import asyncio
from collections.abc import Callable

from poller.engine.invoker import FunctionInvoker
from poller.engine.plan import Plan
from poller.engine.rerunning import use_of
from poller.engine.runner import MappingRunner
from poller.policy import actions as policy
from poller.policy import impacts
from poller.policy.actions import Action
from poller.policy.impacts import Batch
from poller.ports.held import Held, Instead
from poller.ports.status import MappingStatus
from poller.values.errors import NotPossible
from poller.values.texts import counted

OfBatch = policy.Retry | policy.Skip | policy.Isolate | policy.HandOver


class NoBatch(NotPossible):
    """No batch waits here that is meant; `held` are those that wait."""

    def __init__(self, why: str, held: tuple[Batch, ...]) -> None:
        super().__init__(why)
        self.held = held


def planned(runner: MappingRunner, order: OfBatch, invoker: FunctionInvoker) -> Plan:
    """Raises NotPossible."""
    match order:
        case policy.Retry():
            return retrying(runner, order)
        case policy.Skip():
            return skipping(runner, order)
        case policy.Isolate():
            return isolating(runner, order)
        case policy.HandOver():
            return handing_over(runner, order, invoker)


def pausing(runner: MappingRunner) -> str:
    """What a pause would do."""
    if runner.paused_since is not None:
        return "Nothing changes: it is paused already."
    in_flight = counted(runner.status.in_flight(), "record")
    return (
        f"Running invocations end and are settled, the rest of {in_flight} in flight goes back to the source, and "
        "nothing is received until it is resumed, also over restarts."
    )


def resuming(runner: MappingRunner) -> str:
    """What a resume would do."""
    if runner.paused_since is None:
        return "Nothing changes: it is not paused."
    if not runner.mapping.enabled:
        return "It is no longer paused, but the configuration has it disabled."
    return "It reads on from where it was paused."


def retrying(runner: MappingRunner, order: policy.Retry) -> Plan:
    """Raises NotPossible."""
    found = _held(runner.status, order)
    if not found:
        raise _none(runner.status, order)

    async def perform(action: Action) -> Action:
        for _, held in _still(runner.status, found):
            held.retry(begin_anew=order.reset_attempts)
        return action

    impact = tuple(impacts.retry_impact(batch, order, runner.status.function) for batch, _ in found)
    return Plan(impact, perform, found[0][0] if len(found) == 1 else None)


def skipping(runner: MappingRunner, order: policy.Skip) -> Plan:
    """Raises NotPossible."""
    batch, held = _one(runner.status, order)
    if not batch.discards:
        raise NotPossible(impacts.KEPT_BY_QUEUE)
    if batch.awaiting and not order.drop:
        raise NotPossible(impacts.ALREADY_GIVEN_UP)
    impact = impacts.skip_impact(batch, order, runner.mapping.on_failure_destination)
    return _deciding(runner, batch, held, impact, lambda: held.give_up(notify=not order.drop))


def isolating(runner: MappingRunner, order: policy.Isolate) -> Plan:
    """Raises NotPossible."""
    batch, held = _one(runner.status, order)
    destination = runner.mapping.on_failure_destination
    if not batch.discards:
        raise NotPossible(impacts.KEPT_BY_QUEUE)
    if batch.awaiting:
        raise NotPossible(impacts.ALREADY_GIVEN_UP)
    keys = held.keys()
    if not keys:
        raise NotPossible(impacts.NO_KEYS)
    key = keys[0][0] if order.key is None and len(keys) == 1 else order.key
    if key is None or key not in dict(keys):
        raise NotPossible(impacts.which_key(keys))
    if destination is None and not order.drop:
        raise NotPossible(impacts.NO_DESTINATION)
    impact = impacts.isolate_impact(batch, key, dict(keys)[key], destination)
    return _deciding(runner, batch, held, impact, lambda: held.isolate(key))


def handing_over(runner: MappingRunner, order: policy.HandOver, invoker: FunctionInvoker) -> Plan:
    """Raises NotPossible."""
    batch, held = _one(runner.status, order)
    if batch.awaiting:
        raise NotPossible(impacts.ALREADY_GIVEN_UP)
    use = use_of(runner, invoker, order.function)
    instead = Instead(use.config.key, use.config.timeout_seconds, lambda event: invoker.once(use, event))
    impact = impacts.hand_over_impact(batch, use.config.key, runner.status.function)
    return _deciding(runner, batch, held, impact, lambda: held.hand_over(instead))


def _one(status: MappingStatus, order: policy.OfBatch) -> tuple[Batch, Held]:
    found = _held(status, order)
    if not found:
        raise _none(status, order)
    if len(found) > 1:
        raise NotPossible(impacts.too_many([batch for batch, _ in found]))
    return found[0]


def _none(status: MappingStatus, order: policy.OfBatch) -> NoBatch:
    """Why there is no such batch."""
    reason = None if status.run is None else status.run.waits(asyncio.get_running_loop().time())
    waits = "" if reason is None else reason.text
    held = tuple(batch for batch, _ in _held(status, policy.OfBatch()))
    return NoBatch(impacts.no_batch(order, held, waits), held)


def _deciding(runner: MappingRunner, batch: Batch, held: Held, impact: str, decide: Callable[[], None]) -> Plan:
    """A decision about one batch, if it still waits by then."""

    async def perform(action: Action) -> Action:
        _still(runner.status, [(batch, held)])
        decide()
        return action

    return Plan((impact,), perform, batch)


def _held(status: MappingStatus, order: policy.OfBatch) -> list[tuple[Batch, Held]]:
    """The batches that wait and are meant."""
    now, found = asyncio.get_running_loop().time(), []
    for partition in status.partitions:
        for number, lane in enumerate(partition.lanes):
            if (held := lane.held) is None or held.decided:
                continue
            seconds = None if lane.next_try is None else max(0.0, lane.next_try - now)
            batch = held.batch(partition.id, number, seconds)
            if batch.fits(order):
                found.append((batch, held))
    return found


def _still(status: MappingStatus, planned: list[tuple[Batch, Held]]) -> list[tuple[Batch, Held]]:
    """Those of the plan that still wait. Raises NotPossible where none does."""
    waiting = {id(lane.held) for partition in status.partitions for lane in partition.lanes}
    still = [(batch, held) for batch, held in planned if id(held) in waiting and not held.decided]
    if not still:
        raise NotPossible("the batch did not wait any more when its turn came; look again")
    return still
