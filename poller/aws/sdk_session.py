"""The HTTP session of the SDK's clients: each attempt is one bounded exchange, and no redirect is followed."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple

import aiohttp
from aiobotocore.httpsession import AIOHTTPSession

from poller.http.bounded import bounded
from poller.http.names import Resolver
from poller.http.reserved_bytes import ReservedBytes
from poller.http.sockets import new_socket
from poller.values.errors import NotSent

TRACE_HEADER = "X-Amzn-Trace-Id"


class Limits(NamedTuple):
    """Deadline of the call in this context."""

    timeout: float
    max_reply_bytes: int
    trace: str | None = None
    """The X-Amzn-Trace-Id header. It is set here, because the SDK reads it only from the environment."""
    room: ReservedBytes | None = None


limits: ContextVar[Limits] = ContextVar("limits")


@dataclass(frozen=True, slots=True)
class Answer:
    """The part of aiohttp's response that the SDK uses, with the body read."""

    url: object
    status: int
    raw_headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    async def read(self) -> bytes:
        return self.body


class SdkHttp(AIOHTTPSession):  # type: ignore[misc]  # the SDK has no types
    """The session class for `http_session_cls` of the clients' configuration."""

    def __init__(self, *arguments: Any, connector_args: dict[str, Any] | None = None, **named: Any) -> None:
        ours = {"resolver": Resolver(), "socket_factory": new_socket}
        super().__init__(*arguments, connector_args={**(connector_args or {}), **ours}, **named)

    async def _get_session(self, proxy_url: str | None) -> Any:
        try:
            return await super()._get_session(proxy_url)
        except OSError as error:
            # the CA bundle or client certificate cannot be read
            raise NotSent(f"TLS cannot be set up, CA bundle {self._verify!r}: {error}") from error


class BoundedSession(SdkHttp):
    """The same for the clients of the data plane."""

    async def _get_session(self, proxy_url: str | None) -> "_Straight":
        return _Straight(await super()._get_session(proxy_url))


class _Straight:
    """aiohttp's session, with the part that the SDK uses."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def request(self, method: str, **arguments: Any) -> Answer:
        timeout, most, trace, room = limits.get()
        if trace is not None:
            arguments["headers"][TRACE_HEADER] = trace
        response, body = await bounded(
            self._session, method, timeout=timeout, max_reply_bytes=most, room=room, **arguments
        )
        return Answer(response.url, response.status, response.raw_headers, body)
