"""One process's run of one mapping, as every journey has it: started, stopped, cut off."""

import asyncio
from typing import Any, Self

from poller.configuration.model.mapping import EventSourceMapping
from poller.engine.parts import Wired, Wiring
from poller.ports.status import MappingStatus
from poller.runtime.stop import Stop
from poller.runtime.supervisor import run_mapping
from tests.fakes.queue import loop_time
from tests.fakes.recording import EventLog

GRACE_SECONDS = 25.0
"""The daemon's default."""
FUNCTION_SECONDS = 30.0
"""Timeout of the functions of random journeys."""
HARD_STOP_SECONDS = 3.0
"""Virtual: two for what was handed over, and a little for the rest."""


class Run:
    """Also its own `Transports` and its own transport, whose `call` a world of its own makes."""

    def __init__(self, world: Any, mapping: EventSourceMapping, wiring: Wiring, status: MappingStatus) -> None:
        self.world = world
        self.wiring = wiring
        self.stop = Stop()
        self.log = EventLog()
        self.status = status
        self.dead = False
        self.memory: Any = None
        """The mapping's, once it is built."""
        self.most_held = 0
        """Bytes, at the end of any turn of the loop."""
        world.lives.append(self)
        self.task = asyncio.get_running_loop().create_task(self._run(mapping))

    async def _run(self, mapping: EventSourceMapping) -> None:
        wired = await self.wiring.mapping(mapping, self.status, self.stop, self.log)  # type: ignore[arg-type]
        self.memory = wired.context.admission.memory
        self.built(wired)
        await run_mapping(wired.source, wired.context, self.log, wired.running)  # type: ignore[arg-type]

    def watch(self) -> None:
        """After each turn of the loop."""
        if self.memory is not None:
            self.most_held = max(self.most_held, self.memory.held)

    def built(self, wired: Wired) -> None:
        """For worlds that listen in."""

    def borrow(self) -> Self:
        return self

    async def get(self, *_: object) -> Self:
        return self

    async def close(self) -> None:
        """The services' own."""

    async def end(self, *, within: float = GRACE_SECONDS) -> None:
        """Stop softly. That ends by itself, and where the function does not hang within the daemon's grace period."""
        self.stop.request()
        await asyncio.wait([self.task], timeout=within)
        lanes = [(lane.code.value, lane.text) for partition in self.status.partitions for lane in partition.lanes]
        assert self.task.done(), f"the soft stop did not end within {within:g} s; lanes: {lanes}"
        await self.cut()

    async def end_in_vain(self, grace: float) -> None:
        """Stop as the daemon does with a grace period that is too short on purpose: softly, then hard."""
        self.stop.request()
        await asyncio.wait([self.task], timeout=grace)
        await self.cut()

    async def crash(self) -> None:
        """From now on nothing of it reaches the services."""
        self.dead = True
        await self.cut()

    async def cut(self) -> None:
        """Hard stop."""
        begun = loop_time()
        self.task.cancel()
        await asyncio.wait([self.task])
        assert loop_time() - begun <= HARD_STOP_SECONDS
        assert self.task.cancelled() or self.task.exception() is None
        assert self.status.in_flight() == 0
        self.world.lives.remove(self)


async def end(life: Run, how: str) -> None:
    """`crash`, `hard`, or `soft`, which may have to wait for an invocation that hangs until its function's timeout."""
    match how:
        case "crash":
            await life.crash()
        case "hard":
            await life.end_in_vain(grace=0)
        case _:
            await life.end(within=FUNCTION_SECONDS + GRACE_SECONDS)
