"""The routes of the page: its screens, their events, its style and script, signing in and out."""

import re
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from importlib import resources
from urllib.parse import quote

from aiohttp import web

from poller.configuration.model.settings import ApiSettings
from poller.daemon.api import sessions
from poller.daemon.api.access import PAGE_FILES, ROLE, Refused, Role, check_origin, token_named, tokens_of
from poller.daemon.api.page import causes, frame, one, overview
from poller.daemon.api.page.live import Live
from poller.daemon.api.page.parts import Shown
from poller.daemon.api.page.recent import Recent
from poller.daemon.api.page.screen import Screen
from poller.daemon.api.page.served import PARTS, Ask, NotShown
from poller.policy.actions import last_seek
from poller.ports.steering import Mappings

TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
ONWARD = re.compile(r"/(failures|actions|mappings/[\w.%~-]+)?", re.ASCII)
"""Where one may be sent after signing in: screens of this page."""
LIVE = "/page/live"


class Page:
    """Answers browsers."""

    def __init__(self, mappings: Mappings, api: ApiSettings, wall: Callable[[], float], live: Live, ask: Ask) -> None:
        """`ask` gives the parts of screens, also of those mappings that other processes of the daemon have."""
        self._mappings = mappings
        self._api = api
        self._wall = wall
        self._ask = ask
        self._rows = overview.Rows()
        self._redrives = Recent("redrives", mappings.redrives)
        self._actions = Recent("actions", mappings.actions)
        self.live = live

    def add_to(self, application: web.Application) -> None:
        router = application.router
        router.add_get("/login", self.login)
        router.add_post("/login", self.sign_in)
        router.add_post("/logout", self.sign_out)
        router.add_get(f"{LIVE}/mappings", self.live_mappings)
        router.add_get(f"{LIVE}/failures", self.live_failures)
        router.add_get(f"{LIVE}/mappings/{{name}}", self.live_mapping)
        for path in PAGE_FILES:
            name = path.rpartition("/")[2]
            content = resources.files(__package__).joinpath("static", name).read_bytes()
            router.add_get(path, partial(_asset, content, TYPES[name.rpartition(".")[2]]))

    # screens

    async def mappings(self, request: web.Request) -> web.Response:
        """The screen of all mappings."""
        body = overview.layout(await self._overview())
        return frame.answer(frame.document("Mappings", body, request, self._wall(), here="/", live=f"{LIVE}/mappings"))

    async def failures(self, request: web.Request) -> web.Response:
        """The screen of failures."""
        body = causes.failures_layout(await self._failures(steers=request[ROLE] is Role.STEER))
        functions = self._mappings.functions()
        document = frame.document(
            "Failures", body, request, self._wall(), here="/failures", live=f"{LIVE}/failures", functions=functions
        )
        return frame.answer(document)

    async def mapping(self, request: web.Request) -> web.Response:
        """The screen of one mapping."""
        steers, found = request[ROLE] is Role.STEER, await self._found(request.match_info["name"])
        body = one.layout(await self._screen_of(found, steers=steers), found, steers=steers)
        functions = [one for one in self._mappings.functions() if one != found["function"]]
        live = f"{LIVE}{overview.path(found['uuid'])}"
        return frame.answer(frame.document(found["name"], body, request, self._wall(), live=live, functions=functions))

    async def live_mappings(self, request: web.Request) -> web.StreamResponse:
        return await self.live.stream(request, "mappings", self._overview)

    async def live_failures(self, request: web.Request) -> web.StreamResponse:
        steers = request[ROLE] is Role.STEER
        return await self.live.stream(request, f"failures {steers}", partial(self._failures, steers=steers))

    async def live_mapping(self, request: web.Request) -> web.StreamResponse:
        steers, found = request[ROLE] is Role.STEER, await self._found(request.match_info["name"])
        uuid = found["uuid"]
        return await self.live.stream(request, f"{uuid} {steers}", partial(self._one, uuid, steers=steers))

    async def _overview(self) -> Screen:
        return await overview.screen((await self._ask(PARTS))["mappings"], self._rows)

    async def _failures(self, *, steers: bool) -> Screen:
        return causes.failures(await self._ask(f"{PARTS}/failures"), steers=steers)

    async def _one(self, uuid: str, *, steers: bool) -> Screen:
        return await self._screen_of(await self._found(uuid), steers=steers)

    async def _found(self, name: str) -> Shown:
        """Raises NotShown where there is none of that name or uuid."""
        found = (await self._ask(f"{PARTS}/mappings/{quote(name, safe='')}"))["mappings"]
        if not found:
            raise NotShown(HTTPStatus.NOT_FOUND, f"there is no mapping {name}")
        return dict(found[0])

    async def _screen_of(self, found: Shown, *, steers: bool) -> Screen:
        uuid = found["uuid"]
        redrives = [redrive for redrive in await self._redrives.all() if redrive.uuid == uuid]
        known = one.Known(redrives, self._mappings.functions(), last_seek(await self._actions.all(), uuid))
        return one.screen(found, known, steers=steers)

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
