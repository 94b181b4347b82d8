"""Moves the stored position of a mapping, while nothing of it runs: neither here nor on another daemon of the fleet.

    held here, and asked of the others -> all of them have let it rest -> the position is replaced, in one write that
                                          also ends every right to save an older one -> all go on from there

A daemon that dies on the way lets the others go on: from the old position, or from the new one once it is stored.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from poller.engine.fleet.requests import Json, Request, Requests
from poller.engine.mappings import Mappings
from poller.engine.runner import SOFT_STOP_SECONDS, MappingRunner
from poller.policy.progress import StreamProgress
from poller.ports.store import Positions
from poller.values.errors import NotKnown, NotPossible, StateError

HEARD_SECONDS = 30.0
"""Until all daemons have heard of a request, and told its answer; those that do not are declared dead meanwhile."""
AGAIN_SECONDS = 1.0
"""Between two tries to replace the position."""
KNOWN_SECONDS = 60.0
"""For which they are made."""
MOVES = "its position is moved: what runs is finished and settled, then it starts again"


class Moving:
    """Positions, and the rest of the mappings that it takes."""

    def __init__(self, mappings: Mappings, store: Positions, others: Requests | None) -> None:
        """`others` are the other daemons that may run the same mappings."""
        self._mappings = mappings
        self._store = store
        self._others = others

    async def stored(self, runner: MappingRunner) -> StreamProgress | None:
        """What is stored of a mapping's position. Raises StateError."""
        return await self._store.load(runner.mapping.uuid)

    async def move(self, runner: MappingRunner, change: Callable[[StreamProgress], Awaitable[StreamProgress]]) -> None:
        """Let the mapping rest, store what `change` makes of its stored progress, and let it go on.

        Raises NotPossible, StateError, and what `change` raises; then nothing has moved.
        """
        uuid, name = runner.mapping.uuid, runner.mapping.name
        async with self._held(uuid, name), self._rest_elsewhere(runner) as request:
            await runner.rested()
            if runner.ending:
                raise NotPossible("the mapping ends")
            stored = await self._store.load(uuid)
            if stored is None:
                raise NotPossible("nothing is stored of this mapping")
            wanted = await change(stored)
            await self._replace(uuid, wanted, stored, request)

    async def _replace(
        self, uuid: str, wanted: StreamProgress, stored: StreamProgress, request: Request | None
    ) -> None:
        """Where the answer is lost it is asked for again, while all still rest. What is late by then is refused by the
        store, because another opening stands, or because this member is dead.
        """
        time = asyncio.get_running_loop().time
        until, doubt = time() + KNOWN_SECONDS, ""
        self._refuse_after_death(request)
        by, stands = None if self._others is None else self._others.life.id, None
        while stands is None:
            try:
                stands = await self._store.open(uuid, wanted, instead_of=stored, by=by)
            except StateError as error:
                doubt = str(error)
                if request is None or request.broken or time() > until:
                    break
                await asyncio.sleep(AGAIN_SECONDS)
        if stands == wanted:
            return
        if doubt:
            raise NotKnown(f"{doubt}; whether the position was moved is not known: an undo goes back in either case")
        raise NotPossible("what is stored of the mapping was changed meanwhile; look again")

    @asynccontextmanager
    async def _held(self, uuid: str, name: str) -> AsyncIterator[None]:
        if self._mappings.held(uuid) is not None:
            raise NotPossible(f"the position of {name} is being moved already")
        self._mappings.hold(uuid, MOVES)
        try:
            yield
        finally:
            self._mappings.go_on(uuid)

    @asynccontextmanager
    async def _rest_elsewhere(self, runner: MappingRunner) -> AsyncIterator[Request | None]:
        """Every other daemon lets the mapping rest for as long as the block lasts."""
        if self._others is None:
            yield None
            return
        seconds = HEARD_SECONDS + SOFT_STOP_SECONDS + runner.mapping.function.timeout_seconds
        async with self._others.ask({"hold": runner.mapping.uuid}) as request:
            silent = await request.answered(seconds, enough=_refuses)
            for member, answer in request.answers.items():
                if _refuses(answer):
                    why = answer.get("refused") if isinstance(answer, dict) else None
                    name = self._others.names([member])[0]
                    raise NotPossible(f"{name} does not let the mapping rest: {why or 'its answer is not understood'}")
            if silent:
                names = ", ".join(self._others.names(silent))
                raise NotPossible(f"{names} did not let the mapping rest within {seconds:.0f} s; nothing has moved")
            yield request

    def _refuse_after_death(self, request: Request | None) -> None:
        if self._others is not None and request is not None and (request.broken or not self._others.life.valid()):
            raise NotPossible("this daemon could not show the others that it lives; nothing has moved: try again")

    @asynccontextmanager
    async def hold(self, uuid: str, withdrawn: asyncio.Event) -> AsyncIterator[Json]:
        """Let a mapping rest for another daemon, which moves its position; gives the answer once it does, or once that
        one has `withdrawn` what it asked.
        """
        if self._mappings.held(uuid) is not None:
            yield {"refused": "its position is being moved already, by another order"}
            return
        self._mappings.hold(uuid, MOVES)
        try:
            ways = [asyncio.ensure_future(way) for way in (self._mappings.rested(uuid), withdrawn.wait())]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
            yield {"rests": True}
        finally:
            self._mappings.go_on(uuid)


def _refuses(answer: object) -> bool:
    return not isinstance(answer, dict) or answer.get("rests") is not True
