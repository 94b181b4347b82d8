"""The other processes that run the same mappings: members of the fleet, and workers of this daemon."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from poller.engine.failures_elsewhere import AskedFailures
from poller.engine.fleet.member import Host, Member
from poller.engine.fleet.requests import Json, Requests, unknown
from poller.ports.status import MappingStatus

if TYPE_CHECKING:
    from poller.engine.app import Poller
    from poller.engine.workers import Workers


class Neighbours:
    """What one process tells the others, and does for them."""

    def __init__(self, poller: "Poller", workers: "Workers | None") -> None:
        self._poller = poller
        self._workers = workers
        self.member: Member | None = None
        """In the fleet; None for a daemon by itself."""
        self.started = False
        """Whether the mappings run. Before that nothing is known here that could be old."""
        self._failures: AskedFailures | None = None

    @property
    def host(self) -> Host:
        """For the member."""
        return Host(self._running, self.look_at_news, self._carry_out, self._tell_workers, self._statuses)

    @property
    def requests(self) -> Requests | None:
        """What can be asked of the others; None where there are none."""
        return None if self.member is None else self.member.requests

    def failures(self, wall: Callable[[], float]) -> AskedFailures | None:
        """What functions fail of on the others; None where there are none."""
        if self.member is None:
            return None
        process = None if self._workers is None else self._workers.process
        member, requests = self.member.status.member, self.member.requests
        self._failures = AskedFailures(requests, member, process, self._statuses, wall)
        return self._failures

    def tell(self) -> None:
        """A mapping was paused, resumed or stored, and others should know."""
        for others in (self._workers, self.member):
            if others is not None:
                others.tell()

    def leave(self) -> None:
        """The process ends: each of its shards is released to another member."""
        if self.member is not None:
            self.member.leave()

    async def look_at_news(self) -> None:
        """Another process may have paused, resumed or stored mappings. Raises StateError."""
        await self._poller.mappings.look_at_pauses()
        await self._poller.catalog.look()

    async def look_at_others(self) -> None:
        """Another worker has stored something, or tells something new. Raises StateError."""
        if not self.started:
            return
        if self.member is not None:
            self.member.look()
        await self.look_at_news()

    async def process_ended(self, process: str) -> None:
        """A worker is known to be dead: what it held goes on elsewhere at once. Raises StateError."""
        if self.member is not None:
            await self.member.process_ended(process)

    def _running(self) -> dict[str, str]:
        return self._poller.mappings.running()

    def _statuses(self) -> Sequence[MappingStatus]:
        return self._poller.status.mappings

    @asynccontextmanager
    async def _carry_out(self, about: Json, withdrawn: asyncio.Event) -> AsyncIterator[Json]:
        """What another member asks of this one."""
        steering = self._poller.steering
        match about:
            case {"hold": str(uuid)}:
                async with steering.moving.hold(uuid, withdrawn) as answer:
                    yield answer
            case {"order": given} if steering.passing_on is not None:
                yield await steering.passing_on.ordered(given)
            case {"failures": _} if self._failures is not None:
                yield self._failures.answer()
            case _:
                async with unknown(about, withdrawn) as answer:
                    yield answer

    def _tell_workers(self) -> None:
        if self._workers is not None:
            self._workers.tell()
