"""The routes of the page: its screens, their events, its style and script, signing in and out."""

import asyncio
import re
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from importlib import resources

from aiohttp import web

from poller.configuration.model.settings import ApiSettings
from poller.daemon.api import sessions
from poller.daemon.api.access import ROLE, Refused, Role, check_origin, token_named, tokens_of
from poller.daemon.api.isolation import Isolation
from poller.daemon.api.page import causes, frame, one, overview
from poller.daemon.api.page.history import History
from poller.daemon.api.page.live import Live
from poller.daemon.api.page.redrives import Recent
from poller.daemon.api.page.screen import Screen
from poller.ports.daemon_status import DaemonStatus
from poller.ports.status import MappingStatus
from poller.ports.steering import Mappings

ASSETS = {
    frame.STYLE: "text/css; charset=utf-8",
    frame.SCRIPT: "text/javascript; charset=utf-8",
    frame.ICON: "image/svg+xml",
}
ONWARD = re.compile(r"/(failures|actions|mappings/[\w.%~-]+)?", re.ASCII)
"""Where one may be sent after signing in: screens of this page."""
LIVE = "/page/live"


class Page:
    """Answers browsers."""

    def __init__(
        self,
        status: DaemonStatus,
        mappings: Mappings,
        api: ApiSettings,
        wall: Callable[[], float],
        isolation: Isolation,
    ) -> None:
        self._status = status
        self._mappings = mappings
        self._api = api
        self._wall = wall
        self._isolation = isolation
        self._history = History()
        self._rows = overview.Rows()
        self._redrives = Recent(mappings)
        self.live = Live(status, self._history, isolation, wall)

    def add_to(self, application: web.Application) -> None:
        router = application.router
        router.add_get("/login", self.login)
        router.add_post("/login", self.sign_in)
        router.add_post("/logout", self.sign_out)
        router.add_get(f"{LIVE}/mappings", self.live_mappings)
        router.add_get(f"{LIVE}/failures", self.live_failures)
        router.add_get(f"{LIVE}/mappings/{{name}}", self.live_mapping)
        for path, content_type in ASSETS.items():
            content = resources.files(__package__).joinpath("static", path.rpartition("/")[2]).read_bytes()
            router.add_get(path, partial(_asset, content, content_type))

    # screens

    async def mappings(self, request: web.Request) -> web.Response:
        """The screen of all mappings."""
        body = overview.layout(await self._overview())
        return frame.answer(frame.document("Mappings", body, request, here="/", live=f"{LIVE}/mappings"))

    async def failures(self, request: web.Request) -> web.Response:
        """The screen of failures."""
        body = causes.failures_layout(await self._failures(steers=request[ROLE] is Role.STEER))
        functions = self._mappings.functions()
        document = frame.document(
            "Failures", body, request, here="/failures", live=f"{LIVE}/failures", functions=functions
        )
        return frame.answer(document)

    async def mapping(self, request: web.Request, found: MappingStatus) -> web.Response:
        """The screen of one mapping."""
        steers = request[ROLE] is Role.STEER
        body = one.layout(await self._one(found, steers=steers), found, steers=steers)
        functions = [one for one in self._mappings.functions() if one != found.function]
        document = frame.document(found.name, body, request, live=f"{LIVE}{overview.path(found)}", functions=functions)
        return frame.answer(document)

    async def live_mappings(self, request: web.Request) -> web.StreamResponse:
        return await self.live.stream(request, "mappings", self._overview)

    async def live_failures(self, request: web.Request) -> web.StreamResponse:
        steers = request[ROLE] is Role.STEER
        return await self.live.stream(request, f"failures {steers}", partial(self._failures, steers=steers))

    async def live_mapping(self, request: web.Request) -> web.StreamResponse:
        found, steers = find(self._status, request.match_info["name"]), request[ROLE] is Role.STEER
        if found is None:
            raise web.HTTPNotFound
        return await self.live.stream(request, f"{found.uuid} {steers}", partial(self._one, found, steers=steers))

    async def _overview(self) -> Screen:
        to_wall = self._to_wall(asyncio.get_running_loop().time())
        return await overview.screen(self._status.mappings, self._history, self._isolation, self._rows, to_wall)

    async def _failures(self, *, steers: bool) -> Screen:
        now, kept = asyncio.get_running_loop().time(), await self._mappings.failed_events()
        configuration, to_wall = self._status.configuration, self._to_wall(now)
        return causes.failures(self._status.mappings, configuration, kept, to_wall, steers=steers)

    async def _one(self, found: MappingStatus, *, steers: bool) -> Screen:
        now = asyncio.get_running_loop().time()
        self._isolation.sample((found,), now)
        known = one.Known(self._history, await self._redrives.of(found.uuid), self._mappings.functions())
        return one.screen(found, known, self._isolation, now, self._to_wall(now), steers=steers)

    def _to_wall(self, now: float) -> Callable[[float], float]:
        offset = self._wall() - now
        return lambda moment: moment + offset

    # sessions

    async def login(self, request: web.Request) -> web.Response:
        """The form."""
        if self._api.token is None:
            return _to("/")
        return frame.answer(frame.login(None, request.query.get("onward", "/")))

    async def sign_in(self, request: web.Request) -> web.Response:
        """What the form sends."""
        try:
            check_origin(request)
        except Refused as refused:
            return web.json_response({"error": str(refused)}, status=refused.status)
        if self._api.token is None:
            return _to("/")
        form = await request.post()
        sent, onward = form.get("token"), form.get("onward")
        onward = onward if isinstance(onward, str) and ONWARD.fullmatch(onward) else "/"
        key = token_named(self._api, sent) if isinstance(sent, str) else None
        if key is None:
            return frame.answer(frame.login("This token is not known here.", onward), HTTPStatus.FORBIDDEN)
        response = _to(onward)
        response.set_cookie(
            sessions.name(request.url.port),
            sessions.make(key, tokens_of(self._api)[key][0], self._wall()),
            max_age=sessions.SESSION_SECONDS,
            httponly=True,
            samesite="Strict",
            # by the word of a proxy in front, which can only make it stricter
            secure=request.headers.get("X-Forwarded-Proto", "").lower() == "https",
        )
        return response

    async def sign_out(self, request: web.Request) -> web.Response:
        """End the session of this browser."""
        try:
            check_origin(request)
        except Refused as refused:
            return web.json_response({"error": str(refused)}, status=refused.status)
        response = _to("/login")
        response.del_cookie(sessions.name(request.url.port), httponly=True, samesite="Strict")
        return response


def find(status: DaemonStatus, name: str) -> MappingStatus | None:
    """The mapping of that name or uuid."""
    return next((mapping for mapping in status.mappings if name in (mapping.name, mapping.uuid)), None)


def _to(path: str) -> web.Response:
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": path, "Cache-Control": "no-store"})


async def _asset(content: bytes, content_type: str, _request: web.Request) -> web.Response:
    headers = {
        "Content-Type": content_type,
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-cache",
    }
    return web.Response(body=content, headers=headers)
