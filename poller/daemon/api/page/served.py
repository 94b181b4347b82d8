"""Where screens have their parts from: this process by itself, or all processes of the daemon."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from poller.daemon.api.failures import failures_json
from poller.daemon.api.isolation import Isolation
from poller.daemon.api.page.history import History
from poller.daemon.api.page.parts import row, whole
from poller.ports.daemon_status import DaemonStatus
from poller.ports.failures_elsewhere import NOBODY, FailuresElsewhere
from poller.ports.status import MappingStatus
from poller.ports.steering import Mappings
from poller.support import codec

PARTS = "/page/parts"
ALONE = "alone"
"""Asks for the failures of this process only, without those of other members of the fleet."""
Json = dict[str, Any]
Ask = Callable[[str], Awaitable[Json]]
"""The document at a path below `PARTS`. Raises NotShown."""


class NotShown(Exception):
    """What a screen shows is not there, or cannot be known now."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


class Parts:
    """The parts of this process."""

    def __init__(
        self, status: DaemonStatus, mappings: Mappings, wall: Callable[[], float], isolation: Isolation
    ) -> None:
        self.history = History()
        self._status = status
        self._mappings = mappings
        self._wall = wall
        self._isolation = isolation

    def add_to(self, application: web.Application) -> None:
        for path in (PARTS, f"{PARTS}/failures", f"{PARTS}/mappings/{{name}}"):
            application.router.add_get(path, self._answer)

    async def _answer(self, request: web.Request) -> web.Response:
        path = request.raw_path.partition("?")[0]
        found = await (self._failures(NOBODY) if ALONE in request.query else self.ask(path))
        return web.Response(body=codec.dumps(found), content_type="application/json", charset="utf-8")

    async def ask(self, path: str) -> Json:
        """See `Ask`."""
        match path.removeprefix(PARTS).strip("/").split("/"):
            case ["failures"]:
                return await self._failures(await self._mappings.failures_elsewhere(waits=False))
            case ["mappings", name]:
                found = find(self._status, unquote(name))
                return {"mappings": [] if found is None else [self._whole(found)]}
        now = asyncio.get_running_loop().time()
        mappings = list(self._status.mappings)
        self._isolation.sample(mappings, now)
        offset, rates = self._wall() - now, self.history.rates
        return {"mappings": [row(one, rates(one.uuid), self._isolation, now, offset) for one in mappings]}

    def _whole(self, found: MappingStatus) -> Json:
        now = asyncio.get_running_loop().time()
        self._isolation.sample((found,), now)
        return whole(found, self.history.rates(found.uuid), self._isolation, now, self._wall())

    async def _failures(self, others: FailuresElsewhere) -> Json:
        kept, now = await self._mappings.failed_events(), asyncio.get_running_loop().time()
        return failures_json(self._status.mappings, self._status.configuration, kept, now, self._wall(), others=others)


def find(status: DaemonStatus, name: str) -> MappingStatus | None:
    """The mapping of that name or uuid."""
    return next((mapping for mapping in status.mappings if name in (mapping.name, mapping.uuid)), None)
