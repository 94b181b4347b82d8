"""The HTTP server, over TCP or a Unix socket: where it listens, and how its parts are put together.

`pages` and `steering` answer requests, `access` decides whose, `connections` how many.
"""

import asyncio
import errno
import os
import socket
import stat
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from poller.configuration.model.settings import ApiSettings
from poller.daemon.api.access import checked
from poller.daemon.api.connections import LINGER_SECONDS, REQUEST_SECONDS, Connections
from poller.daemon.api.faces.door import Faces
from poller.daemon.api.isolation import Isolation
from poller.daemon.api.lambda_api.front import Front
from poller.daemon.api.lambda_api.operation import Operation
from poller.daemon.api.page.door import Page
from poller.daemon.api.pages import Pages
from poller.daemon.api.steering import Reloads, Steering
from poller.ports.daemon_status import DaemonStatus
from poller.ports.invoker import Invoker
from poller.ports.steering import Mappings
from poller.values.errors import EnvironmentProblem

SHUTDOWN_SECONDS = 1.0
"""Given to answers on their way when the daemon stops; all are small."""
SOCKET_UMASK = 0o117
"""Leaves 0660: the socket's owner and group."""
BACKLOG = 32
"""Connections that wait to be taken; so many may be taken at once."""

Connection = Callable[[], asyncio.Protocol]


@asynccontextmanager
async def serve(
    status: DaemonStatus,
    api: ApiSettings,
    mappings: Mappings,
    reloads: Reloads,
    *,
    wall: Callable[[], float] = time.time,
    operations: Sequence[Operation] = (),
    invoker: Invoker | None = None,
) -> AsyncIterator[str]:
    """Answer while the context is open, and yield the address as `--api` takes it (`http://HOST:PORT`, `unix:PATH`).

    `wall` tells the seconds since the epoch; `operations` are those of Lambda's API, `invoker`
    has the functions with an HTTP face. Raises EnvironmentProblem when the
    address cannot be listened on.
    """
    connections, isolation = Connections(), Isolation()
    faces = [] if invoker is None else [Faces(invoker, api, connections.admit, wall).middleware]
    application = web.Application(middlewares=[_plain_errors, *faces, checked(api, wall), connections.admit])
    page = Page(status, mappings, api, wall, isolation)
    page.add_to(application)
    Pages(status, mappings, wall, isolation, page).add_to(application)
    Steering(mappings, reloads, api).add_to(application)
    Front(operations, api, wall).add_to(application)
    runner = web.AppRunner(
        application,
        access_log=None,
        logger=connections.logger,
        keepalive_timeout=REQUEST_SECONDS,
        lingering_time=LINGER_SECONDS,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    await runner.setup()
    assert runner.server is not None
    driving = asyncio.ensure_future(page.live.run())
    connection = partial(connections.connection, runner.server)
    try:
        listener, address = await _listen(connection, api)
        try:
            yield address
        finally:
            listener.close()
            if api.socket is not None:
                api.socket.unlink(missing_ok=True)
    finally:
        driving.cancel()
        page.live.close()
        await runner.cleanup()


@web.middleware
async def _plain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        headers = {name: value for name, value in error.headers.items() if name in ("Allow", "WWW-Authenticate")}
        return web.json_response({"error": error.reason}, status=error.status, headers=headers)


async def _listen(connection: Connection, api: ApiSettings) -> tuple[asyncio.Server, str]:
    return await (_listen_tcp(connection, api) if api.socket is None else _listen_unix(connection, api.socket))


async def _listen_tcp(connection: Connection, api: ApiSettings) -> tuple[asyncio.Server, str]:
    try:
        listener = await asyncio.get_running_loop().create_server(connection, api.host, api.port, backlog=BACKLOG)
    except OSError as error:
        raise _cannot_listen(api.listen, error) from error
    host, port = listener.sockets[0].getsockname()[:2]
    return listener, f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _listen_unix(connection: Connection, path: Path) -> tuple[asyncio.Server, str]:
    bound = _bind_unix(path)
    listener = await asyncio.get_running_loop().create_unix_server(connection, sock=bound, backlog=BACKLOG)
    return listener, f"unix:{path}"


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
