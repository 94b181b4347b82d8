"""Requests that change something: pause and resume a mapping, restart a function's workers.

Decides who may: beyond the token, nobody whose request a foreign web page could have made a browser send. Such a
request has an Origin, or a content type that needs no leave, or a host name that was made to point here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from http import HTTPStatus
from typing import Protocol

from aiohttp import web

from poller.configuration.model.settings import ApiSettings
from poller.daemon.api.access import knows_host, unknown_host
from poller.daemon.api.shown_reasons import mapping_reason, reason_text, state_of
from poller.ports.daemon_status import Reloaded
from poller.ports.status import MappingStatus
from poller.values.errors import StateError, UnknownFunction, UnknownMapping

JSON = "application/json"


class Mappings(Protocol):
    """The steered part of the engine."""

    async def pause(self, name: str) -> MappingStatus:
        """Stop it softly until it is resumed, also over restarts. Raises UnknownMapping and StateError."""
        ...

    async def resume(self, name: str) -> MappingStatus:
        """Resume it. Raises UnknownMapping and StateError."""
        ...

    def restart_function(self, name: str) -> None:
        """Begin to restart the workers of a function. Raises UnknownFunction."""
        ...


class Reloads(Protocol):
    """What reads the configuration anew."""

    async def reload(self, by: str) -> Reloaded:
        """Do so, and tell how that ended."""
        ...


class Refused(Exception):
    """Answered with a status and a sentence; nothing has changed."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


class Steering:
    """`POST /mappings/NAME/pause` and `resume`, `POST /functions/NAME/restart`."""

    def __init__(self, mappings: Mappings, reloads: Reloads, api: ApiSettings) -> None:
        self._mappings = mappings
        self._reloads = reloads
        self._api = api

    def add_to(self, application: web.Application) -> None:
        application.router.add_post("/mappings/{name}/pause", self.pause)
        application.router.add_post("/mappings/{name}/resume", self.resume)
        application.router.add_post("/functions/{name}/restart", self.restart)
        application.router.add_post("/reload", self.reload)

    async def pause(self, request: web.Request) -> web.Response:
        return await self._steer(request, self._mappings.pause)

    async def resume(self, request: web.Request) -> web.Response:
        return await self._steer(request, self._mappings.resume)

    async def restart(self, request: web.Request) -> web.Response:
        try:
            await self._check(request)
            self._mappings.restart_function(name := request.match_info["name"])
        except Refused as refused:
            return web.json_response({"error": str(refused)}, status=refused.status)
        except UnknownFunction as unknown:
            return web.json_response({"error": str(unknown)}, status=HTTPStatus.NOT_FOUND)
        return web.json_response({"name": name, "state": "restarting"})

    async def reload(self, request: web.Request) -> web.Response:
        try:
            await self._check(request)
            reloaded = await self._reloads.reload("api")
        except Refused as refused:
            return web.json_response({"error": str(refused)}, status=refused.status)
        if reloaded.problems:
            answer = {"error": "the configuration is refused", "problems": [*reloaded.problems]}
            return web.json_response(answer, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        changes = asdict(reloaded.changes)
        return web.json_response({"state": "reloaded", **changes, "warnings": [*reloaded.warnings]})

    async def _steer(self, request: web.Request, change: Callable[[str], Awaitable[MappingStatus]]) -> web.Response:
        try:
            await self._check(request)
            # a client that goes away meanwhile does not leave half of it done
            status = await asyncio.shield(asyncio.ensure_future(change(request.match_info["name"])))
        except Refused as refused:
            return web.json_response({"error": str(refused)}, status=refused.status)
        except UnknownMapping as unknown:
            return web.json_response({"error": str(unknown)}, status=HTTPStatus.NOT_FOUND)
        except StateError as error:
            return web.json_response({"error": str(error)}, status=HTTPStatus.SERVICE_UNAVAILABLE)
        reason = mapping_reason(status, asyncio.get_running_loop().time())
        return web.json_response(
            {
                "name": status.name,
                "uuid": status.uuid,
                "state": state_of(status, reason).value,
                "reason": reason and {"code": reason.code.value, "text": reason_text(reason)},
            }
        )

    async def _check(self, request: web.Request) -> None:
        """Raise Refused."""
        if "Origin" in request.headers:
            raise Refused(HTTPStatus.FORBIDDEN, "requests of web pages (with an Origin) are not taken")
        if not knows_host(self._api, request.host):
            raise Refused(HTTPStatus.MISDIRECTED_REQUEST, unknown_host(request.host))
        if request.content_type != JSON or "Content-Type" not in request.headers:
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the content type must be {JSON}")
        if (await request.read()).strip() not in (b"", b"{}"):
            raise Refused(HTTPStatus.BAD_REQUEST, "the body must be empty or {}")
