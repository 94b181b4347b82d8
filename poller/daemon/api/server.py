"""The HTTP server, over TCP or a Unix socket: where it listens, and how its parts are put together.

`pages` and `steering` answer requests, `access` decides whose, `connections` how many.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from poller.configuration.model.settings import ApiSettings
from poller.daemon.api.access import checked
from poller.daemon.api.connections import LINGER_SECONDS, REQUEST_SECONDS, Connections
from poller.daemon.api.faces.door import Faces
from poller.daemon.api.isolation import Isolation
from poller.daemon.api.lambda_api.front import Front
from poller.daemon.api.lambda_api.operation import Operation
from poller.daemon.api.listening import bind_unix, cannot_listen
from poller.daemon.api.page.door import Page
from poller.daemon.api.page.frame import STATUS
from poller.daemon.api.page.live import Live
from poller.daemon.api.page.served import Ask, NotShown, Parts
from poller.daemon.api.pages import Pages
from poller.daemon.api.steering import Reloads, Steering
from poller.ports.daemon_status import DaemonStatus
from poller.ports.invoker import Invoker
from poller.ports.steering import Mappings

SHUTDOWN_SECONDS = 1.0
"""Given to answers on their way when the daemon stops; all are small."""
BACKLOG = 32
"""Connections that wait to be taken; so many may be taken at once."""

Connection = Callable[[], asyncio.Protocol]
Listening = Callable[[Connection, ApiSettings], AbstractAsyncContextManager[str]]
"""Serves each connection by a protocol of its own, and yields the address for people."""
Admit = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]
Relaying = Callable[[Admit], Middleware]
"""Makes what stands before everything else; it is given what bounds connections and time."""


@dataclass(frozen=True, slots=True)
class OneOfSeveral:
    """What is other where several processes serve one address."""

    listening: Listening
    """Where requests come from."""
    relaying: Relaying
    """Answers those that are not for this process alone."""
    ask: Ask
    """Gives the page what all processes have."""


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
    several: OneOfSeveral | None = None,
) -> AsyncIterator[str]:
    """Answer while the context is open, and yield the address as `--api` takes it (`http://HOST:PORT`, `unix:PATH`).

    `wall` tells the seconds since the epoch; `operations` are those of Lambda's API, `invoker` has the functions with
    an HTTP face. Raises EnvironmentProblem when the address cannot be listened on.
    """
    connections, isolation = Connections(), Isolation()
    first = [] if several is None else [several.relaying(connections.admit)]
    if invoker is not None:
        first.append(Faces(invoker, api, connections.admit, wall).middleware)
    application = web.Application(middlewares=[_plain_errors, *first, checked(api, wall), connections.admit])
    application[STATUS] = status
    parts = Parts(status, mappings, wall, isolation)
    parts.add_to(application)
    live = Live(status, parts.history, isolation, wall)
    page = Page(mappings, api, wall, live, parts.ask if several is None else several.ask)
    page.add_to(application)
    Pages(status, mappings, wall, isolation, page).add_to(application)
    Steering(mappings, reloads, api, wall).add_to(application)
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
    driving = asyncio.ensure_future(live.run())
    connection = partial(connections.connection, runner.server)
    try:
        async with (_listening if several is None else several.listening)(connection, api) as address:
            yield address
    finally:
        driving.cancel()
        live.close()
        await runner.cleanup()
        await asyncio.wait({driving})


@web.middleware
async def _plain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except NotShown as error:
        return web.json_response({"error": str(error)}, status=error.status)
    except web.HTTPException as error:
        headers = {name: value for name, value in error.headers.items() if name in ("Allow", "WWW-Authenticate")}
        return web.json_response({"error": error.reason}, status=error.status, headers=headers)


@asynccontextmanager
async def _listening(connection: Connection, api: ApiSettings) -> AsyncIterator[str]:
    listener, address = await _listen(connection, api)
    try:
        yield address
    finally:
        listener.close()
        if api.socket is not None:
            api.socket.unlink(missing_ok=True)


async def _listen(connection: Connection, api: ApiSettings) -> tuple[asyncio.Server, str]:
    return await (_listen_tcp(connection, api) if api.socket is None else _listen_unix(connection, api.socket))


async def _listen_tcp(connection: Connection, api: ApiSettings) -> tuple[asyncio.Server, str]:
    try:
        listener = await asyncio.get_running_loop().create_server(connection, api.host, api.port, backlog=BACKLOG)
    except OSError as error:
        raise cannot_listen(api.listen, error) from error
    host, port = listener.sockets[0].getsockname()[:2]
    return listener, f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _listen_unix(connection: Connection, path: Path) -> tuple[asyncio.Server, str]:
    bound = bind_unix(path)
    listener = await asyncio.get_running_loop().create_unix_server(connection, sock=bound, backlog=BACKLOG)
    return listener, f"unix:{path}"
