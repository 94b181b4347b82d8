"""The HTTP server: health, readiness, metrics and status, over TCP or a Unix socket.

Decides who may read what; what is read is decided in `health`, `report` and `metrics`. Health and readiness answer
anybody, and say nothing but yes or no.
"""

import asyncio
import errno
import hmac
import os
import socket
import stat
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from poller import telemetry
from poller.configuration.secrets import Secret
from poller.configuration.settings import ApiSettings
from poller.control import health, report
from poller.control.steering import Mappings, Steering
from poller.errors import ConfigurationError, EnvironmentProblem
from poller.runtime.daemon_status import DaemonStatus

SHUTDOWN_SECONDS = 1.0
"""Given to answers on their way when the daemon stops; all are small."""
SOCKET_UMASK = 0o117
"""Leaves 0660: the socket's owner and group."""


@asynccontextmanager
async def serve(
    status: DaemonStatus, api: ApiSettings, mappings: Mappings, wall: Callable[[], float] = time.time
) -> AsyncIterator[str]:
    """Answer while the context is open, and yield the address as `--api` takes it (`http://HOST:PORT`, `unix:PATH`).

    `wall` tells the seconds since the epoch. Raises EnvironmentProblem when the address cannot be listened on.
    """
    application = web.Application(middlewares=[_plain_errors, _token_check(api.token)])
    _Pages(status, wall).add_to(application)
    Steering(mappings, api).add_to(application)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        if api.socket is None:
            yield await _listen_tcp(runner, api)
        else:
            listener = _bind_unix(api.socket)
            try:
                await web.SockSite(runner, listener).start()
                yield f"unix:{api.socket}"
            finally:
                api.socket.unlink(missing_ok=True)
    finally:
        await runner.cleanup()


class _Pages:
    def __init__(self, status: DaemonStatus, wall: Callable[[], float]) -> None:
        self._status = status
        self._wall = wall

    def add_to(self, application: web.Application) -> None:
        application.router.add_get("/healthz", self.healthz)
        application.router.add_get("/readyz", self.readyz)
        application.router.add_get("/status", self.status)
        application.router.add_get("/metrics", self.metrics)

    async def healthz(self, _request: web.Request) -> web.Response:
        unhealthy = health.problems(self._status, asyncio.get_running_loop().time())
        if unhealthy:
            return web.json_response({"status": "unhealthy"}, status=HTTPStatus.SERVICE_UNAVAILABLE)
        return web.json_response({"status": "healthy"})

    async def readyz(self, _request: web.Request) -> web.Response:
        if health.is_ready(self._status, asyncio.get_running_loop().time()):
            return web.json_response({"status": "ready"})
        return web.json_response({"status": "starting"}, status=HTTPStatus.SERVICE_UNAVAILABLE)

    async def status(self, _request: web.Request) -> web.Response:
        # one that asks its source may take a moment, and all of them together not longer
        await asyncio.gather(*(mapping.look() for mapping in self._status.mappings))
        now = asyncio.get_running_loop().time()
        self._status.sample(now)
        return web.json_response(report.render(self._status, now, self._wall()))

    async def metrics(self, request: web.Request) -> web.Response:
        from poller.control import metrics  # noqa: PLC0415  (memory of those who scrape nothing)

        body, content_type = metrics.exposition(self._status, request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})


@web.middleware
async def _plain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        headers = {name: value for name, value in error.headers.items() if name in ("Allow", "WWW-Authenticate")}
        return web.json_response({"error": error.reason}, status=error.status, headers=headers)


def _token_check(token: Secret | None) -> Middleware:
    open_to_all = frozenset({"/healthz", "/readyz"})

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if token is not None and request.path not in open_to_all:
            _check(token, request.headers.get("Authorization", ""))
        return await handler(request)

    return check


def _check(token: Secret, given: str) -> None:
    try:
        expected = token.read()
    except ConfigurationError as error:
        telemetry.logger().error("api_token_unreadable", problem=str(error))
        raise web.HTTPServiceUnavailable(reason="The token is not readable") from error
    scheme, _, sent = given.partition(" ")
    if not given:
        raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
    # bytes, because compare_digest refuses text outside ASCII
    right = hmac.compare_digest(sent.strip().encode(errors="surrogateescape"), expected.encode())
    if scheme.lower() != "bearer" or not expected or not right:
        raise web.HTTPForbidden


async def _listen_tcp(runner: web.AppRunner, api: ApiSettings) -> str:
    try:
        await web.TCPSite(runner, api.host, api.port).start()
    except OSError as error:
        raise _cannot_listen(api.listen, error) from error
    host, port = runner.addresses[0][:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _bind_unix(path: Path) -> socket.socket:
    try:
        _remove_stale(path)
        listener = socket.socket(socket.AF_UNIX)
        previous = os.umask(SOCKET_UMASK)
        try:
            listener.bind(str(path))
        except OSError:
            listener.close()
            raise
        finally:
            os.umask(previous)
    except OSError as error:
        raise _cannot_listen(f"unix:{path}", error) from error
    return listener


def _remove_stale(path: Path) -> None:
    """Remove the socket a killed daemon left. One that still answers, or a file of another kind, is not ours."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise EnvironmentProblem(f"unix:{path} cannot be listened on: a file that is no socket is in its place")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _cannot_listen(where: str, error: OSError) -> EnvironmentProblem:
    if error.errno == errno.EADDRINUSE:
        return EnvironmentProblem(
            f"{where} is already in use, perhaps by another poller; stop that process or choose another api.listen"
        )
    if isinstance(error, socket.gaierror) or not error.errno:
        reason = error.strerror or str(error)
    else:
        # asyncio words the message as an error of its own
        reason = os.strerror(error.errno)
    return EnvironmentProblem(f"{where} cannot be listened on: {reason}; choose another api.listen")
