"""Carries out what people order by hand: each order has a preview of its impact and an entry in the action log.

The entry is stored before the action and again after it. So an action that nobody has heard of is impossible, and one
that was cut off by a crash stays in the log as begun.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

from poller.engine.mappings import Mappings
from poller.engine.runner import MappingRunner
from poller.policy import actions as policy
from poller.policy.actions import Action, Asked, Batch, Order, Stage
from poller.ports.held import Held
from poller.ports.status import MappingStatus, ReasonCode
from poller.ports.steering import Acted
from poller.ports.store import StateStore
from poller.support import telemetry
from poller.values.errors import NotPossible, PollerError, StateError


@dataclass(frozen=True, slots=True)
class _Plan:
    impact: tuple[str, ...]
    perform: Callable[[], Awaitable[object]]
    batch: Batch | None = None


class Steering:
    """The `poller.ports.steering.Mappings` of a running engine."""

    def __init__(self, mappings: Mappings, store: StateStore, wall: Callable[[], float]) -> None:
        self._mappings = mappings
        self._store = store
        self._wall = wall

    async def act(self, name: str, order: Order, asked: Asked, *, dry_run: bool) -> Acted:
        runner = self._mappings.find(name)
        plan = self._plan(runner, order)
        if dry_run:
            return Acted(runner.status, plan.impact, plan.batch)
        action = Action(
            secrets.token_hex(6),
            self._wall(),
            runner.mapping.uuid,
            runner.mapping.name,
            policy.what_of(order),
            " ".join(plan.impact)[: policy.LONGEST_TEXT],
            asked.who,
            asked.via,
            asked.why,
        )
        await self._store.note(action)
        try:
            await plan.perform()
        except PollerError as error:
            effect = f"not done: {error}"[: policy.LONGEST_TEXT]
            await self._store.note(replace(action, stage=Stage.FAILED, effect=effect))
            raise
        status = self._mappings.present(runner).status
        return Acted(status, plan.impact, plan.batch, await self._done(action))

    async def _done(self, action: Action) -> Action:
        """Note that it is done. Where that cannot be stored, it stays in the log as begun."""
        done = replace(action, stage=Stage.DONE)
        telemetry.logger().info(
            "action_done", mapping=done.mapping, what=done.what, who=done.who, why=done.why, id=done.id
        )
        try:
            await self._store.note(done)
        except StateError as error:
            telemetry.logger().warning("action_not_noted", id=done.id, text=str(error))
            return action
        return done

    async def actions(self) -> list[Action]:
        return await self._store.actions()

    def restart_function(self, name: str) -> None:
        self._mappings.restart_function(name)

    def _plan(self, runner: MappingRunner, order: Order) -> _Plan:
        """Raises NotPossible."""
        mapping = runner.mapping
        match order:
            case policy.Pause():
                return _Plan((_pausing(runner),), partial(self._mappings.pause, mapping.uuid))
            case policy.Resume():
                return _Plan((_resuming(runner),), partial(self._mappings.resume, mapping.uuid))
            case policy.Retry():
                return _retrying(runner, order)
            case policy.Skip():
                return _skipping(runner, order)


def _pausing(runner: MappingRunner) -> str:
    if runner.paused_since is not None:
        return "Nothing changes: it is paused already."
    return (
        f"Running invocations end and are settled, the rest of {runner.status.in_flight()} records in flight goes back "
        "to the source, and nothing is received until it is resumed, also over restarts."
    )


def _resuming(runner: MappingRunner) -> str:
    if runner.paused_since is None:
        return "Nothing changes: it is not paused."
    if not runner.mapping.enabled:
        return "It is no longer paused, but the configuration has it disabled."
    return "It reads on from where it was paused."


def _retrying(runner: MappingRunner, order: policy.Retry) -> _Plan:
    found = _held(runner.status, order)
    if not found:
        raise NotPossible(policy.no_batch(order, [batch for batch, _ in _held(runner.status, policy.Retry())]))

    async def perform() -> None:
        for _, held in _still(runner.status, found):
            held.retry(begin_anew=order.reset_attempts)

    impact = tuple(policy.retry_impact(batch, order, runner.status.function) for batch, _ in found)
    return _Plan(impact, perform, found[0][0] if len(found) == 1 else None)


def _skipping(runner: MappingRunner, order: policy.Skip) -> _Plan:
    found = _held(runner.status, order)
    if not found:
        raise NotPossible(policy.no_batch(order, [batch for batch, _ in _held(runner.status, policy.Skip())]))
    if len(found) > 1:
        raise NotPossible(policy.too_many([batch for batch, _ in found]))
    batch, _ = found[0]
    if not batch.discards:
        raise NotPossible(policy.KEPT_BY_QUEUE)
    if batch.awaiting and not order.drop:
        raise NotPossible(policy.ALREADY_GIVEN_UP)

    async def perform() -> None:
        for _, held in _still(runner.status, found):
            held.give_up(notify=not order.drop)

    return _Plan((policy.skip_impact(batch, order, runner.mapping.on_failure_destination),), perform, batch)


def _held(status: MappingStatus, order: policy.OfBatch) -> list[tuple[Batch, Held]]:
    """The batches that wait and are meant."""
    now, found = asyncio.get_running_loop().time(), []
    for partition in status.partitions:
        for number, lane in enumerate(partition.lanes):
            if (held := lane.held) is None or held.decided:
                continue
            seconds = None if lane.next_try is None else max(0.0, lane.next_try - now)
            batch = Batch(
                partition.id,
                number,
                len(held.part.records),
                held.first,
                held.last,
                held.tried,
                held.discards,
                lane.code is ReasonCode.DESTINATION,
                seconds,
            )
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
