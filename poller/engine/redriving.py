"""Redrives records beside their mapping: a canary first, at a rate, stopped at the first record that fails again.

Each batch is stored with its counts and the position behind it in one write, so that a redrive goes on behind a crash.
"""

import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from poller.configuration import EventSourceMapping
from poller.engine.invoker import FunctionInvoker
from poller.engine.parts import Wiring
from poller.engine.plan import Plan
from poller.engine.redrive_run import GoesOnElsewhere, Run, partitions_of, visibility
from poller.engine.runner import MappingRunner
from poller.policy.actions import Action, Redrive, effect
from poller.policy.redrive_words import impact
from poller.policy.redriving import Leave, Redriven, State, batch_of, read, read_leave
from poller.ports.store import Positions
from poller.values.errors import NotPossible, StateError
from poller.values.kept import Kept

ROOM = "redrive"
LEAVES = "redrive-leave"
"""By the mapping's uuid."""
MOST = 50
"""Redrives that the store keeps."""
ALIVE_SECONDS = 120.0
"""A redrive that runs elsewhere stores something more often than that, unless its function takes longer, or its rate is
low.
"""


class Redrives:
    """The redrives of all mappings."""

    def __init__(self, wiring: Wiring, invoker: FunctionInvoker, store: Positions, wall: Callable[[], float]) -> None:
        self._wiring = wiring
        self._invoker = invoker
        self._store = store
        self._wall = wall
        self.running: dict[str, Run] = {}
        """By the mapping's uuid."""

    async def all(self) -> list[Redriven]:
        """The latest first. Raises StateError."""
        return [_read(kept) for kept in await self._store.kept(ROOM)]

    async def save(self, redriven: Redriven) -> None:
        """Raises StateError."""
        await self._store.keep(Kept(ROOM, redriven.id, self._wall(), redriven.written()))

    async def forget_old(self) -> None:
        """Raises StateError."""
        kept = await self._store.kept(ROOM)
        await self._store.let_go(ROOM, [one.id for one in kept[MOST:]])
        known = {one.uuid for one in map(_read, kept[:MOST])}
        await self._store.let_go(LEAVES, [one.id for one in await self._store.kept(LEAVES) if one.id not in known])

    async def plan(self, runner: MappingRunner, order: Redrive) -> Plan:
        """Raises NotPossible and StateError."""
        mapping = runner.mapping
        if order.stop:
            return await self._stopping(mapping)
        _refuse(mapping)
        await self._refuse_second(mapping)
        before = await self._stopped(mapping) if order.resume else None
        redriven = self._new(mapping, order) if before is None else _resumed(before, mapping, order)
        async with self._wiring.beside(mapping, redriven.which, visibility(mapping, redriven)) as beside:
            partitions = await partitions_of(beside, redriven)
            receives = beside.receives

        async def perform(action: Action) -> Action:
            await self._refuse_second(mapping)
            leave = Leave(secrets.token_hex(6), redriven.id)
            ends = partial(self._ends, mapping.uuid, leave)
            run = Run(self._wiring, self._invoker, self.save, ends, mapping, redriven)
            self.running[mapping.uuid] = run
            try:
                await self._write(mapping.uuid, leave)
                await self.save(redriven)
                await self.forget_old()
                await run.all_of()
            finally:
                del self.running[mapping.uuid]
                now = run.redriven
                plan.result.update(id=now.id, state=now.state.value, lines=[now.words])
            return replace(action, effect=effect(action.effect, f"It {run.redriven.words}."))

        told = impact(mapping.function.key, redriven, partitions, receives=receives, before=before)
        plan = Plan(tuple(told), perform)
        return plan

    async def _stopping(self, mapping: EventSourceMapping) -> Plan:
        leave, running = await self._leave(mapping.uuid), await self._running(mapping)
        if leave is None or running is None or running[0].id != leave.redrive:
            raise NotPossible("no redrive of this mapping runs")

        async def perform(action: Action) -> Action:
            await self._write(mapping.uuid, replace(leave, stop=True))
            return action

        return Plan(("The redrive stops behind the batch that it is at, and can be resumed.",), perform)

    async def _leave(self, uuid: str) -> Leave | None:
        kept = await self._store.kept_one(LEAVES, uuid)
        try:
            return None if kept is None else read_leave(kept.about)
        except (ValueError, TypeError, KeyError) as error:
            raise StateError(f"the leave to redrive {uuid} is damaged in the store: {error}") from error

    async def _write(self, uuid: str, leave: Leave) -> None:
        await self._store.keep(Kept(LEAVES, uuid, self._wall(), leave.written()))

    async def _ends(self, uuid: str, own: Leave) -> str:
        """See `Run.ends`."""
        leave = await self._leave(uuid)
        if leave is None:
            return "its leave is gone from the store"
        if leave.run == own.run:
            return "by hand" if leave.stop else ""
        if leave.redrive == own.redrive:
            raise GoesOnElsewhere("another daemon goes on with it")
        return "another daemon has begun to redrive this mapping"

    def _new(self, mapping: EventSourceMapping, order: Redrive) -> Redriven:
        now = self._wall()
        if order.which == "source" and order.begin is None and order.end is None:
            raise NotPossible("say which interval of the stream: from when, or until when")
        return Redriven(
            secrets.token_hex(6),
            mapping.uuid,
            mapping.name,
            order.which,
            now,
            order.rate,
            batch_of(order.batch, mapping.batch_size, order.rate),
            shard=order.partition,
            begin=order.begin,
            end=now if order.end is None else min(order.end, now),
            asked_batch=order.batch,
        )

    async def _stopped(self, mapping: EventSourceMapping) -> Redriven:
        own = [one for one in await self.all() if one.uuid == mapping.uuid and one.state is not State.FINISHED]
        if not own:
            raise NotPossible("no redrive of this mapping has stopped before its end")
        return own[0]

    async def _refuse_second(self, mapping: EventSourceMapping) -> None:
        if mapping.uuid in self.running:
            raise NotPossible("a redrive of this mapping runs; stop it first, by --stop")
        running = await self._running(mapping)
        if running is not None:
            _, age, most = running
            raise NotPossible(
                f"a redrive of this mapping ran {age:.0f} s ago, on a daemon that may still be at it; stop it by "
                f"--stop, or try again {most:.0f} s after that"
            )

    async def _running(self, mapping: EventSourceMapping) -> tuple[Redriven, float, float] | None:
        """The redrive that may run, the seconds since it was last stored, and how many of them mean that it ended."""
        now = self._wall()
        for kept in await self._store.kept(ROOM):
            one, age = _read(kept), now - kept.at
            most = ALIVE_SECONDS + mapping.function.timeout_seconds + one.batch / one.rate
            if one.uuid == mapping.uuid and one.state is State.RUNNING and age < most:
                return one, age, most
        return None


def _resumed(before: Redriven, mapping: EventSourceMapping, order: Redrive) -> Redriven:
    batch = batch_of(before.asked_batch, mapping.batch_size, order.rate)
    return replace(before.resumed(passing_over=order.pass_over), rate=order.rate, batch=batch)


def _refuse(mapping: EventSourceMapping) -> None:
    if mapping.unwrap is not None or mapping.asynchronous is not None:
        raise NotPossible("a mapping that takes events out of messages cannot be redriven by hand")
    if mapping.tumbling_window_in_seconds:
        raise NotPossible("a tumbling window sums up its records once, so they cannot pass a second time")


def _read(kept: Kept) -> Redriven:
    try:
        return replace(read(kept.about), stored=kept.at)
    except (ValueError, TypeError, KeyError) as error:
        raise StateError(f"the redrive {kept.id} is damaged in the store: {error}") from error
