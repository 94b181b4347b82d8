"""Carries out what people order by hand: each order has a preview of its impact and an entry in the action log.

The entry is stored before the action and again after it. So an action that nobody has heard of is impossible, and one
that was cut off by a crash stays in the log as begun.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from poller.engine import batches
from poller.engine.failed_events import FailedEvents
from poller.engine.failures_elsewhere import AskedFailures
from poller.engine.fleet.requests import Requests
from poller.engine.invoker import FunctionInvoker
from poller.engine.mappings import Mappings
from poller.engine.moving import Moving
from poller.engine.parts import Wiring
from poller.engine.passing_on import PassingOn
from poller.engine.peeking import peeking
from poller.engine.plan import Plan, calling
from poller.engine.redriving import Redrives
from poller.engine.rerunning import rerunning
from poller.engine.runner import MappingRunner
from poller.policy import actions as policy
from poller.policy import seek_words, seeking
from poller.policy.action_words import noted
from poller.policy.actions import Action, Asked, Order, Stage
from poller.policy.failed_events import FailedEvent
from poller.policy.passed_on import Passed
from poller.policy.progress import StreamProgress, replaces
from poller.policy.redriving import Redriven
from poller.policy.seeking import Before
from poller.ports.failures_elsewhere import NOBODY, FailuresElsewhere
from poller.ports.steering import Acted
from poller.ports.store import Positions
from poller.support import telemetry
from poller.values.errors import NotKnown, NotPossible, PollerError, StateError

KEPT_SEEKS = 5
"""Seeks of a mapping whose former positions are kept."""


@dataclass(frozen=True, slots=True)
class Hands:
    """What orders need beside the mappings."""

    invoker: FunctionInvoker
    events: FailedEvents
    wiring: Wiring
    wall: Callable[[], float]
    """Seconds since the epoch."""
    others: Requests | None
    """The other daemons of the fleet; None for a daemon by itself."""
    failures: AskedFailures | None
    """What functions failed of there."""


class Steering:
    """The `poller.ports.steering.Mappings` of a running engine."""

    def __init__(self, mappings: Mappings, store: Positions, hands: Hands) -> None:
        self._mappings = mappings
        self._store = store
        self._hands = hands
        self.moving = Moving(mappings, store, hands.others)
        self.passing_on = None if hands.others is None else PassingOn(hands.others, self.act_here)
        self._wall = hands.wall
        self._redrives = Redrives(hands.wiring, hands.invoker, store, hands.wall)
        self._doing: set[asyncio.Task[Action]] = set()

    async def act(self, name: str, order: Order, asked: Asked, *, dry_run: bool) -> Acted:
        runner = self._mappings.find(name)
        if self.passing_on is not None and isinstance(order, Passed):
            return await self.passing_on.act(runner, order, asked, dry_run=dry_run)
        return await self.act_here(name, order, asked, dry_run=dry_run)

    async def act_here(self, name: str, order: Order, asked: Asked, *, dry_run: bool) -> Acted:
        """Carry an order out on this daemon alone."""
        runner = self._mappings.find(name)
        plan = await self._plan(runner, order)
        if dry_run:
            return Acted(runner.status, plan.impact, plan.batch)
        action = Action(
            secrets.token_hex(6),
            self._wall(),
            runner.mapping.uuid,
            runner.mapping.name,
            noted(order),
            policy.effect(" ".join(plan.impact)),
            asked.who,
            asked.via,
            asked.why,
        )
        await self._store.note(action)
        doing = asyncio.ensure_future(self._carry_out(action, plan))
        self._doing.add(doing)
        doing.add_done_callback(self._doing.discard)
        await asyncio.wait({doing}, timeout=plan.seconds)
        if doing.done():
            action = doing.result()
        else:
            # nobody asks for its result any more; the log says how it ended
            doing.add_done_callback(lambda task: task.cancelled() or task.exception())
        return Acted(self._mappings.present(runner).status, plan.impact, plan.batch, action, plan.result)

    async def _carry_out(self, action: Action, plan: Plan) -> Action:
        try:
            done = replace(await plan.perform(action), stage=Stage.DONE)
        except NotKnown:
            # it stays in the log as begun, with the way back
            raise
        except PollerError as error:
            effect = policy.effect(f"not done: {error}")
            await self._store.note(replace(action, stage=Stage.FAILED, effect=effect))
            raise
        telemetry.logger().info(
            "action_done", mapping=done.mapping, what=done.what, who=done.who, why=done.why, id=done.id
        )
        try:
            await self._store.note(done)
        except StateError as error:
            # it stays in the log as begun
            telemetry.logger().warning("action_not_noted", id=done.id, text=str(error))
            return replace(done, stage=Stage.BEGUN)
        return done

    async def redrives(self) -> list[Redriven]:
        return await self._redrives.all()

    async def close(self) -> None:
        """End what is still carried out; what it was stays in the log as begun."""
        if self._hands.failures is not None:
            await self._hands.failures.close()
        doing = [*self._doing]
        for task in doing:
            task.cancel()
        if doing:
            await asyncio.wait(doing)

    async def actions(self) -> list[Action]:
        return await self._store.actions()

    async def failed_events(self) -> list[FailedEvent]:
        return await self._hands.events.shown()

    async def failures_elsewhere(self, *, waits: bool) -> FailuresElsewhere:
        failures = self._hands.failures
        if failures is None:
            return NOBODY
        return await failures.now() if waits else failures.lately()

    def functions(self) -> list[str]:
        return sorted(hosted.key for hosted in self._hands.invoker.hosted())

    def restart_function(self, name: str) -> None:
        self._mappings.restart_function(name)

    async def _plan(self, runner: MappingRunner, order: Order) -> Plan:
        """Raises NotPossible and StateError."""
        uuid = runner.mapping.uuid
        match order:
            case policy.Pause():
                return Plan((batches.pausing(runner),), calling(lambda: self._mappings.pause(uuid)))
            case policy.Resume():
                return Plan((batches.resuming(runner),), calling(lambda: self._mappings.resume(uuid)))
            case policy.Retry() | policy.Skip() | policy.Isolate() | policy.HandOver():
                return batches.planned(runner, order, self._hands.invoker)
            case policy.Peek():
                return await peeking(runner, order, self._hands.wiring, await self.moving.stored(runner))
            case policy.Redrive():
                return await self._redrives.plan(runner, order)
            case policy.Rerun():
                return await rerunning(runner, order, self._hands.events, self._hands.invoker)
            case policy.Seek():
                return await self._seeking(runner, order)
            case policy.Undo():
                return await self._undoing(runner)

    # positions

    async def _seeking(self, runner: MappingRunner, order: policy.Seek) -> Plan:
        stored = await self._stored(runner)
        shards = await self._hands.wiring.seek(runner.mapping, order.target, stored.epoch)

        async def perform(action: Action) -> Action:
            moved = await self._move(runner, action, stored, listed)
            return replace(moved, effect=policy.effect(seek_words.done(order.target, moved.before)))

        async def listed() -> Before:
            if order.target.where not in seeking.INTO_THE_PAST:
                return shards
            # what was split off since the plan is read from there as well
            return {**await self._hands.wiring.seek(runner.mapping, order.target, stored.epoch), **shards}

        behind = {one.id: one.behind() for one in runner.status.partitions}
        given_up = seek_words.given_up(await self._store.actions(), runner.mapping.uuid)
        known = seek_words.Known(self._wall(), behind, given_up)
        return Plan(tuple(seek_words.impact(stored, order.target, shards, known)), perform)

    async def _undoing(self, runner: MappingRunner) -> Plan:
        # before the log: a seek in between has another opening, and is not passed over
        stored, uuid = await self._stored(runner), runner.mapping.uuid
        actions = await self._store.actions()
        last = policy.last_seek(actions, uuid)
        if last is None:
            raise NotPossible("no seek of this mapping can be undone")

        async def former() -> Before:
            return last.before

        async def perform(action: Action) -> Action:
            moved = await self._move(runner, replace(action, undoes=last.id), stored, former)
            return replace(moved, effect=policy.effect(seek_words.undone(last.before)))

        return Plan(tuple(seek_words.undo_impact(last, seek_words.given_up(actions, uuid))), perform)

    async def _stored(self, runner: MappingRunner) -> StreamProgress:
        stored = await self.moving.stored(runner)
        if stored is None:
            raise NotPossible("nothing is stored of this mapping, so there is no position that could be moved")
        return stored

    async def _move(
        self, runner: MappingRunner, action: Action, planned: StreamProgress, to: Callable[[], Awaitable[Before]]
    ) -> Action:
        """Move to what `to` gives while all rest, by a plan for what was stored as `planned`. What that replaces is
        stored with the action first, so that it is never lost.
        """
        moved = action

        async def change(stored: StreamProgress) -> StreamProgress:
            nonlocal moved
            if not replaces(planned, stored):
                raise NotPossible("another order or another stream has replaced the position meanwhile; look again")
            shards = await to()
            moved = replace(action, before=seeking.before(stored, shards))
            await self._store.note(moved)
            return seeking.moved(stored, shards)

        await self.moving.move(runner, change)
        try:
            await self._forget_old(action.uuid)
        except StateError as error:
            # the next seek does it
            telemetry.logger().warning("old_seeks_not_forgotten", id=action.id, text=str(error))
        return moved

    async def _forget_old(self, uuid: str) -> None:
        """Former positions may be large: keep those of the last few seeks."""
        own = [one for one in await self._store.actions() if one.uuid == uuid and one.before]
        for old in own[KEPT_SEEKS:]:
            await self._store.note(replace(old, before={}))
