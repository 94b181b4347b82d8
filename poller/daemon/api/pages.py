"""What can be read over HTTP: health, readiness, status, metrics, and a list of all there is."""

import asyncio
from collections.abc import Callable, Iterator
from http import HTTPStatus

from aiohttp import web

from poller.daemon.api import health, status_json
from poller.daemon.api.access import wants_html
from poller.daemon.api.failures import failures_json
from poller.daemon.api.isolation import Isolation
from poller.daemon.api.page.door import Page
from poller.daemon.api.page.served import ALONE, find
from poller.daemon.api.streaming import answer
from poller.ports.daemon_status import DaemonStatus
from poller.ports.failures_elsewhere import NOBODY
from poller.ports.steering import Mappings
from poller.support import codec

STATUS_AGE = 10.0
"""Seconds for which a source's own numbers, such as the messages in a queue, are good enough for a person."""
METRICS_AGE = 60.0
"""The same for metrics, which are read day and night: each time is a paid call for each queue."""

PAGES = (
    ("GET", "/", "the page, for browsers; this list, for programs"),
    ("GET", "/healthz", "200 while no restart could help, else 503; needs no token"),
    ("GET", "/readyz", "200 once every source was reached or it is known why not, else 503; needs no token"),
    ("GET", "/status", "what each mapping does, why, and its counters"),
    ("GET", "/mappings/NAME", "one mapping as in `/status`; its screen, for browsers"),
    ("GET", "/failures", "what functions of the fleet failed of, by cause (`?alone`: here), and events that are kept"),
    ("GET", "/metrics", "the same for Prometheus"),
    ("GET", "/actions", "what people did to mappings by hand: who, when, why, and its effect"),
    ("GET", "/redrives", "how far redrives came: each record done, failed again, left or gone"),
    ("POST", "/mappings/NAME/pause", "let a mapping rest, over restarts too; `dry_run` previews each order"),
    ("POST", "/mappings/NAME/resume", "let a paused mapping go on"),
    ("POST", "/mappings/NAME/retry", "try batches that wait now, with `reset_attempts` as if they had never failed"),
    ("POST", "/mappings/NAME/skip", "give up one batch that waits: to its on-failure destination, or with `drop` not"),
    ("POST", "/mappings/NAME/peek", "look at records of a shard or a queue, decoded; consumes nothing"),
    ("POST", "/mappings/NAME/redrive", "deliver once more what was given up `of` it, or an interval of its stream"),
    ("POST", "/mappings/NAME/rerun", "invoke a function once with a failed `event` that is kept; settles nothing"),
    ("POST", "/mappings/NAME/isolate", "give up the records of one `key` in a batch that waits, the others pass"),
    ("POST", "/mappings/NAME/handover", "try a batch that waits once with another `function`"),
    ("POST", "/mappings/NAME/seek", "move its position: `to` (TRIM_HORIZON, LATEST), `timestamp` or `sequence_number`"),
    ("POST", "/mappings/NAME/undo", "go back to the position before the last seek"),
    ("POST", "/reload", "read the configuration anew; answers with what that changed, or 422 with what is wrong"),
    ("POST", "/functions/NAME/restart", "start a function's workers anew, each after the invocation it has"),
)


class Pages:
    """Answers the GET requests."""

    def __init__(
        self, status: DaemonStatus, mappings: Mappings, wall: Callable[[], float], isolation: Isolation, page: Page
    ) -> None:
        self._status = status
        self._mappings = mappings
        self._wall = wall
        self._isolation = isolation
        self._page = page

    def add_to(self, application: web.Application) -> None:
        for path, page in (
            ("/", self.index),
            ("/healthz", self.healthz),
            ("/readyz", self.readyz),
            ("/status", self.status),
            ("/mappings/{name}", self.mapping),
            ("/failures", self.failures),
            ("/metrics", self.metrics),
        ):
            application.router.add_get(path, page)

    async def index(self, request: web.Request) -> web.Response:
        if wants_html(request):
            return await self._page.mappings(request)
        pages = [{"method": method, "path": path, "text": text} for method, path, text in PAGES]
        return web.json_response({"version": self._status.version, "pages": pages})

    async def healthz(self, _request: web.Request) -> web.Response:
        unhealthy = health.problems(self._status, asyncio.get_running_loop().time())
        if unhealthy:
            return web.json_response({"status": "unhealthy"}, status=HTTPStatus.SERVICE_UNAVAILABLE)
        return web.json_response({"status": "healthy"})

    async def readyz(self, _request: web.Request) -> web.Response:
        if health.is_ready(self._status, asyncio.get_running_loop().time()):
            return web.json_response({"status": "ready"})
        return web.json_response({"status": "starting"}, status=HTTPStatus.SERVICE_UNAVAILABLE)

    async def status(self, request: web.Request) -> web.StreamResponse:
        await self._isolation.look(self._status.mappings, STATUS_AGE)
        return await answer(request, "application/json; charset=utf-8", self._rendered())

    def _rendered(self) -> Iterator[bytes]:
        return status_json.rendered(self._status, asyncio.get_running_loop().time, self._wall, self._isolation)

    async def mapping(self, request: web.Request) -> web.Response:
        if wants_html(request):
            return await self._page.mapping(request)
        found = find(self._status, request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        now = asyncio.get_running_loop().time()
        return web.json_response(status_json.mapping_json(found, now, self._wall(), self._isolation))

    async def failures(self, request: web.Request) -> web.Response:
        if wants_html(request):
            return await self._page.failures(request)
        others = NOBODY if ALONE in request.query else await self._mappings.failures_elsewhere(waits=True)
        kept = await self._mappings.failed_events()
        now = asyncio.get_running_loop().time()
        found = failures_json(self._status.mappings, self._status.configuration, kept, now, self._wall(), others=others)
        return web.Response(body=codec.dumps(found), content_type="application/json", charset="utf-8")

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        from poller.daemon.api import metrics  # noqa: PLC0415  (memory of those who scrape nothing)

        await self._isolation.look(self._status.mappings, METRICS_AGE)
        accept, now = request.headers.get("Accept", ""), asyncio.get_running_loop().time()
        parts, content_type = metrics.exposition(self._status, accept, now, self._isolation)
        return await answer(request, content_type, parts)
