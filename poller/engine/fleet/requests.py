"""What members of a fleet ask of each other, through the rows that all of them read anyway.

A request stands in the facts of the member that asks until it is withdrawn, and each of the others answers in its own
facts for as long as it stands. So nothing has to be cleared away: with a member's row, its requests and answers go. A
member that joins meanwhile sees what stands before it takes its first shard.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from math import inf
from secrets import token_hex
from typing import Any

from poller.engine.fleet.life import Life
from poller.ports.fleet import MemberRow, MemberState
from poller.sources.sharded.wakeup import Wakeup
from poller.support import codec
from poller.values.errors import NotPossible

REQUESTS, ANSWERS = "requests", "answers"
"""The facts of a member: by the id of each request what it asks, and by the id of another one's what it answers."""
WORKER = "worker"
"""The fact of a member that names it among the workers of its parent."""
MOST_REMEMBERED = 1000
"""Requests that were answered and withdrawn, and are not to be carried out again."""
STORED_SECONDS = 8.0
"""Until a request is stored and was read again. A store that is there takes a fraction of a second, or 4 s where it
wakes nobody; an order asks twice, and is answered within a minute.
"""
MOST_ASKED = 10
"""Requests of one member at a time: each may have 10 KB, and a row of DynamoDB holds 400 KB."""
MOST_ANSWERED_BYTES = 100_000
"""Of all answers that a row holds; further ones wait until some are withdrawn."""

Json = Mapping[str, Any]
Answers = Callable[[Json, asyncio.Event], AbstractAsyncContextManager[Json]]
"""Carries out what is asked, and gives the answer. Its context is left once the request is withdrawn, which the event
says.
"""


@asynccontextmanager
async def unknown(_about: Json, _withdrawn: asyncio.Event) -> AsyncIterator[Json]:
    """The answer to what is not known here."""
    yield {"refused": "this daemon does not know what was asked; is it of another version?", "held": None}


@dataclass(eq=False)
class Request:
    """One thing that this member asks, while it stands."""

    about: Json
    of: frozenset[str] | None
    """The members that are to answer; None for all, also those that join meanwhile."""
    answers: dict[str, Any] = field(default_factory=dict)
    """By the id of the member."""
    missing: frozenset[str] | None = None
    """Members without an answer; None until the request was seen to be stored."""
    broken: bool = False
    """Whether this member was declared dead since: the others no longer do what they answered."""
    changed: Wakeup = field(default_factory=Wakeup)

    async def answered(self, seconds: float, enough: Callable[[Any], bool] = lambda _: False) -> frozenset[str]:
        """Wait for every answer, or one that is `enough`. Returns the members that gave none within `seconds`. Raises
        NotPossible where the request could not be stored, or this member was declared dead.
        """
        await self._until(lambda: self.missing is not None, STORED_SECONDS)
        if self.missing is None:
            raise NotPossible("the store of the fleet does not answer, so no other daemon was asked")
        found = await self._until(
            lambda: self.missing == frozenset() or any(map(enough, self.answers.values())), seconds
        )
        return frozenset() if found else self.missing

    async def _until(self, condition: Callable[[], bool], seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not condition():
            if (left := end - loop.time()) <= 0:
                return False
            await self.changed.wait(left)
            if self.broken:
                raise NotPossible("the others declared this daemon dead meanwhile; it joins anew: try again")
        return True

    def row(self) -> Json:
        """As it stands in the facts."""
        return {**self.about, "of": None if self.of is None else sorted(self.of)}


@dataclass(eq=False)
class _Served:
    """What another member asks."""

    withdrawn: asyncio.Event
    answer: Json | None = None
    size: int = 0
    """Of the answer in the row, in bytes."""
    told: bool = False
    """Whether the answer is in the row."""

    def give(self, answer: Json) -> None:
        """The answer is known."""
        self.answer, self.size = answer, len(codec.dumps(answer))


def parent_of(process: str) -> str:
    """The parent of a worker, by what names the worker."""
    return process.partition(" ")[0]


def _given(row: MemberRow, fact: str) -> Mapping[str, Any]:
    found = row.facts.get(fact)
    return found if isinstance(found, dict) else {}


def _standing(rows: Iterable[MemberRow], me: str) -> dict[str, Json]:
    """What others ask of this member, by id."""
    found = {}
    for row in rows:
        for key, about in _given(row, REQUESTS).items():
            of = about.get("of", ()) if isinstance(about, dict) else ()
            if row.id != me and (of is None or (isinstance(of, list) and me in of)):
                found[key] = about
    return found


@dataclass(eq=False)
class Requests:
    """Of one member."""

    life: Life
    look: Callable[[], None]
    """The members are to be read soon."""
    carry_out: Answers
    _own: dict[str, Request] = field(default_factory=dict)
    _served: dict[str, _Served] = field(default_factory=dict)
    _tasks: "set[asyncio.Task[None]]" = field(default_factory=set)
    _over: "deque[str]" = field(default_factory=lambda: deque(maxlen=MOST_REMEMBERED))
    _names: dict[str, str] = field(default_factory=dict)
    _parents: dict[str, str | None] = field(default_factory=dict)
    """Of members that are workers, by their ids."""

    @property
    def stand(self) -> bool:
        """Whether anything is asked, so that the members are read more often."""
        return bool(self._own or self._served)

    @asynccontextmanager
    async def ask(self, about: Json, of: Collection[str] | None = None) -> AsyncIterator[Request]:
        """Ask the others something, for as long as the block lasts. Raises NotPossible where too much is asked."""
        if len(self._own) >= MOST_ASKED:
            raise NotPossible(f"{MOST_ASKED} orders of this daemon wait for other daemons: try again in a moment")
        key, request = token_hex(8), Request(about, None if of is None else frozenset(of))
        self._own[key] = request
        self._hurry()
        try:
            yield request
        finally:
            del self._own[key]
            self._hurry()

    def others(self) -> Collection[str]:
        """The ids of the other members, as last read."""
        return self._names.keys() - {self.life.id}

    def strangers(self, process: str | None) -> Collection[str]:
        """The others without those that are workers of the same parent as `process`."""
        own = None if process is None else parent_of(process)
        return [member for member in self.others() if own is None or self._parents.get(member) != own]

    def names(self, members: Iterable[str]) -> Sequence[str]:
        """The names of members for people."""
        return sorted(self._names.get(member, "another daemon") for member in members)

    def _hurry(self) -> None:
        self.life.hurry()
        self.look()

    def facts(self) -> Json:
        """What the others have to know."""
        asked = {key: one.row() for key, one in self._own.items() if not one.broken}
        answers = self._answers()
        return {**({REQUESTS: asked} if asked else {}), **({ANSWERS: answers} if answers else {})}

    def _answers(self) -> Json:
        """Those that were told before, and further ones in their order, as far as there is room."""
        known = {key: one for key, one in self._served.items() if one.answer is not None}
        room = MOST_ANSWERED_BYTES - sum(one.size for one in known.values() if one.told)
        for one in known.values():
            if not one.told and one.size <= room:
                one.told = True
                room -= one.size
        return {key: one.answer for key, one in known.items() if one.told}

    def note(self, rows: Iterable[MemberRow], alive_until: Callable[[str], float]) -> None:
        """These are the members now. One that is dead, or is about to be declared so, neither asks nor answers."""
        living = [row for row in rows if row.state is not MemberState.DEAD and alive_until(row.id) > -inf]
        self._names = {row.id: str(row.facts.get("name", "another daemon")) for row in living}
        workers = {row.id: row.facts.get(WORKER) for row in living}
        self._parents = {key: parent_of(one) if isinstance(one, str) else None for key, one in workers.items()}
        mine = next((_given(row, REQUESTS) for row in living if row.id == self.life.id), {})
        for key, request in self._own.items():
            # what the own row says was stored before those of the others were read
            if key in mine:
                self._hear(key, request, [row for row in living if row.id != self.life.id])
        self._serve(_standing(living, self.life.id))

    def _hear(self, key: str, request: Request, others: Sequence[MemberRow]) -> None:
        asked = [row for row in others if request.of is None or row.id in request.of]
        before = request.missing, len(request.answers)
        request.answers = {row.id: _given(row, ANSWERS)[key] for row in asked if key in _given(row, ANSWERS)}
        request.missing = frozenset(row.id for row in asked) - request.answers.keys()
        if before != (request.missing, len(request.answers)):
            request.changed.notify()

    def _serve(self, standing: Mapping[str, Json]) -> None:
        for key in [*self._served]:
            if key not in standing:
                self._served.pop(key).withdrawn.set()
                self._over.append(key)
                self._hurry()
        for key, about in standing.items():
            if key not in self._served and key not in self._over:
                withdrawn = asyncio.Event()
                task = asyncio.get_running_loop().create_task(self._answer(key, about, withdrawn), name="fleet request")
                self._tasks.add(task)
                self._served[key] = served = _Served(withdrawn)
                task.add_done_callback(partial(self._ended, key, served))

    async def _answer(self, key: str, about: Json, withdrawn: asyncio.Event) -> None:
        async with self.carry_out(about, withdrawn) as answer:
            if (served := self._served.get(key)) is not None:
                served.give(answer)
                self._hurry()
            await withdrawn.wait()

    def _ended(self, key: str, served: _Served, task: "asyncio.Task[None]") -> None:
        """One that fails is told to the other, and nothing else suffers."""
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        self.life.log.error("fleet_request_failed", id=key, exc_info=error)
        served.give({"refused": f"it failed there: {error!r:.300}", "held": None})
        self._hurry()

    def life_ended(self) -> None:
        """Others have declared this member dead: what they answered holds no longer."""
        for request in self._own.values():
            request.broken = True
            request.changed.notify()

    async def close(self) -> None:
        """End what is carried out for others."""
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
