"""The HTTP server's connections: how many there may be, how long a request may take, and what is logged of bad ones.

All of it before the token is looked at, since whoever reaches the port may open connections.
"""

import asyncio
import logging
from http import HTTPStatus

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

from poller.support import telemetry
from poller.support.rate_limited_log import RateLimitedLog
from poller.values.texts import shortened

MOST_CONNECTIONS = 100
"""Open at a time. One more costs the connection its place that has been without a request for longest."""
REQUEST_SECONDS = 10.0
"""For a request to arrive, from the connection or the last answer on."""
ANSWER_SECONDS = 60.0
"""For an answer to be made and taken. A reload that reads thousands of mappings takes longest."""
LINGER_SECONDS = 1.0
"""For a body nobody wants, after the answer."""
SHOWN = 200
"""Characters of what is wrong with a request."""

OWN_TIME = "own_time"
"""In the names of routes that bound every step of an answer themselves. A timer costs 4 us."""

_BOUND = web.RequestKey("bound", asyncio.Timeout)


def allow_seconds(request: web.Request, seconds: float) -> None:
    """Give this request so much time from now on, instead of `ANSWER_SECONDS`, unless its route bounds every step."""
    if (bound := request.get(_BOUND)) is not None:
        bound.reschedule(asyncio.get_running_loop().time() + seconds)


class Connections:
    """Counts connections and answers for requests that never become one."""

    def __init__(self) -> None:
        self._log = RateLimitedLog(telemetry.logger())
        self._answering: set[asyncio.BaseProtocol] = set()
        self.logger = logging.Logger("poller.api", logging.DEBUG)  # noqa: LOG001  (no other part of the program may find it)
        """For the server's own complaints."""
        self.logger.addHandler(_Complaints(self._log))

    @web.middleware
    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Around every request that may be answered: within its time, and its connection is the last to be cut."""
        connection = request.protocol
        self._answering.add(connection)
        try:
            if OWN_TIME in (request.match_info.route.name or ""):
                return await handler(request)
            async with asyncio.timeout(ANSWER_SECONDS) as bound:
                request[_BOUND] = bound
                return await handler(request)
        except TimeoutError:
            return web.json_response(
                {"error": f"there was no answer within {ANSWER_SECONDS:.0f} s"}, status=HTTPStatus.GATEWAY_TIMEOUT
            )
        except web.RequestPayloadError as error:
            self._log.repeating(
                "api_request_malformed", asyncio.get_running_loop().time(), problem=shortened(str(error), SHOWN)
            )
            raise web.HTTPBadRequest from error
        finally:
            self._answering.discard(connection)

    def connection(self, server: web.Server) -> asyncio.Protocol:
        """One more connection to the server; makes room for it."""
        open_now = server.connections
        beyond = len(open_now) + 1 - MOST_CONNECTIONS
        if beyond > 0:
            self._log.repeating("api_crowded", asyncio.get_running_loop().time(), connections=len(open_now))
            # those that are being answered last
            for connection in sorted(open_now, key=self._answering.__contains__)[:beyond]:
                if connection.transport is not None:
                    connection.transport.abort()
        return server()


class _Complaints(logging.Handler):
    """Takes what the server logs of single requests: one line in a while for all that are alike."""

    def __init__(self, log: RateLimitedLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        now = asyncio.get_running_loop().time()
        if isinstance(error, HttpProcessingError):
            problem = shortened(" ".join(str(error).split()), SHOWN)
            self._log.repeating("api_request_malformed", now, problem=problem)
        elif not isinstance(error, ConnectionError):
            self._log.repeating("api_request_failed", now, text=record.getMessage(), exc_info=error)
