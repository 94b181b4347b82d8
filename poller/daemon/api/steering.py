"""Requests that change something: orders to mappings, reload, and the restart of a function's workers.

`access` decides who may. Beyond that, a request without the content type of JSON is refused, because a foreign web page
could make a browser send it without asking.
"""

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from http import HTTPStatus
from typing import Protocol

from aiohttp import web

from poller.configuration.model.settings import ApiSettings
from poller.daemon.api import orders
from poller.daemon.api.access import BY_SESSION, Refused, check_steering, wants_html
from poller.daemon.api.page import frame, log
from poller.ports.daemon_status import Reloaded
from poller.ports.steering import Mappings
from poller.values.errors import NotPossible, StateError, UnknownFunction, UnknownMapping

JSON = "application/json"


class Reloads(Protocol):
    """What reads the configuration anew."""

    async def reload(self, by: str) -> Reloaded:
        """Do so, and tell how that ended."""
        ...


class Steering:
    """`POST /mappings/NAME/ORDER`, `POST /functions/NAME/restart`, `POST /reload`, and the log of the orders."""

    def __init__(self, mappings: Mappings, reloads: Reloads, api: ApiSettings, wall: Callable[[], float]) -> None:
        self._mappings = mappings
        self._reloads = reloads
        self._api = api
        self._wall = wall

    def add_to(self, application: web.Application) -> None:
        for what in orders.BODIES:
            application.router.add_post(f"/mappings/{{name}}/{what}", partial(self._steer, what))
        application.router.add_post("/functions/{name}/restart", self.restart)
        application.router.add_post("/reload", self.reload)
        application.router.add_get("/actions", self.actions)
        application.router.add_get("/redrives", self.redrives)

    async def restart(self, request: web.Request) -> web.Response:
        try:
            await self._check_empty(request)
            self._mappings.restart_function(name := request.match_info["name"])
        except Refused as refused:
            return _refused(refused)
        except UnknownFunction as unknown:
            return web.json_response({"error": str(unknown)}, status=HTTPStatus.NOT_FOUND)
        return web.json_response({"name": name, "state": "restarting"})

    async def reload(self, request: web.Request) -> web.Response:
        try:
            await self._check_empty(request)
            reloaded = await self._reloads.reload("api")
        except Refused as refused:
            return _refused(refused)
        if reloaded.problems:
            answer = {"error": "the configuration is refused", "problems": [*reloaded.problems]}
            return web.json_response(answer, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        changes = asdict(reloaded.changes)
        return web.json_response({"state": "reloaded", **changes, "warnings": [*reloaded.warnings]})

    async def actions(self, request: web.Request) -> web.Response:
        try:
            found, redrives = await self._mappings.actions(), await self._mappings.redrives()
        except StateError as error:
            return web.json_response({"error": str(error)}, status=HTTPStatus.SERVICE_UNAVAILABLE)
        if wants_html(request):
            table = log.table(found, redrives, self._wall())
            return frame.answer(frame.document("Actions", table, request, self._wall(), here="/actions"))
        return web.json_response(orders.actions_json(found, redrives, self._wall()))

    async def redrives(self, _request: web.Request) -> web.Response:
        try:
            return web.json_response(orders.redrives_json(await self._mappings.redrives()))
        except StateError as error:
            return web.json_response({"error": str(error)}, status=HTTPStatus.SERVICE_UNAVAILABLE)

    async def _steer(self, what: str, request: web.Request) -> web.Response:
        try:
            self._check(request)
            body = orders.read(what, await request.read())
            order = body.order()
            doing = self._mappings.act(
                request.match_info["name"],
                order,
                body.asked("page" if request[BY_SESSION] or "Origin" in request.headers else "api"),
                dry_run=body.dry_run or "dry_run" in request.query,
            )
            # a client that goes away meanwhile does not leave half of it done
            acted = await asyncio.shield(asyncio.ensure_future(doing))
        except Refused as refused:
            return _refused(refused)
        except ValueError as wrong:
            return web.json_response({"error": str(wrong)}, status=HTTPStatus.BAD_REQUEST)
        except UnknownMapping as unknown:
            return web.json_response({"error": str(unknown)}, status=HTTPStatus.NOT_FOUND)
        except NotPossible as reason:
            return web.json_response({"error": str(reason)}, status=HTTPStatus.CONFLICT)
        except StateError as error:
            return web.json_response({"error": str(error)}, status=HTTPStatus.SERVICE_UNAVAILABLE)
        return web.json_response(orders.acted_json(acted, order, asyncio.get_running_loop().time()))

    def _check(self, request: web.Request) -> None:
        """Raise Refused."""
        check_steering(request, self._api)
        if request.content_type != JSON or "Content-Type" not in request.headers:
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the content type must be {JSON}")

    async def _check_empty(self, request: web.Request) -> None:
        self._check(request)
        if (await request.read()).strip() not in (b"", b"{}"):
            raise Refused(HTTPStatus.BAD_REQUEST, "the body must be empty or {}")


def _refused(refused: Refused) -> web.Response:
    return web.json_response({"error": str(refused)}, status=refused.status)
