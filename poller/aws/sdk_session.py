"""How the SDK's clients speak HTTP for us: one request per attempt, one answer of bounded size within bounded time.

The SDK's own session would follow a redirect, and so send an Invoke twice; it bounds each single read but not the whole
answer, and no size. Also decides which of its exceptions were raised before anything of a request was written.
"""

import io
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple

import aiohttp
from aiobotocore.httpsession import AIOHTTPSession
from botocore import exceptions as sdk

from poller.errors import AnswerLost, CallError, NotSent

CONNECT_TIMEOUT = 10.0
"""Seconds for a free connection, and for a new one with its TLS handshake."""


class Limits(NamedTuple):
    """Of the call that runs in this context."""

    timeout: float
    """Seconds the service may be silent; the whole exchange may take `CONNECT_TIMEOUT` more."""
    max_reply_bytes: int


limits: ContextVar[Limits] = ContextVar("limits")


@dataclass(frozen=True, slots=True)
class Answer:
    """As much of aiohttp's response as the SDK looks at, with the body read."""

    url: object
    status: int
    raw_headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    async def read(self) -> bytes:
        return self.body


class BoundedSession(AIOHTTPSession):  # type: ignore[misc]  # the SDK has no types
    """What the clients' configuration names as `http_session_cls`."""

    async def _get_session(self, proxy_url: str | None) -> "_Straight":
        try:
            return _Straight(await super()._get_session(proxy_url))
        except OSError as error:
            # the CA bundle or client certificate cannot be read
            raise NotSent(f"TLS cannot be set up, CA bundle {self._verify!r}: {error}") from error


class _Straight:
    """aiohttp's session as the SDK uses it."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def request(self, method: str, **arguments: Any) -> Answer:
        timeout, most = limits.get()
        # raw bytes would be written at once and, from 1 MiB on, warned of
        arguments["data"] = io.BytesIO(arguments["data"])
        arguments["timeout"] = aiohttp.ClientTimeout(
            total=CONNECT_TIMEOUT + timeout, connect=CONNECT_TIMEOUT, sock_connect=CONNECT_TIMEOUT, sock_read=timeout
        )
        body = bytearray()
        async with self._session.request(method, allow_redirects=False, **arguments) as response:
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > most:
                    response.close()
                    raise AnswerLost(f"the answer's body is larger than {most} bytes")
            return Answer(response.url, response.status, response.raw_headers, bytes(body))


_BEFORE_THE_REQUEST = (
    sdk.ConnectTimeoutError,
    sdk.ProxyConnectionError,
    sdk.InvalidProxiesConfigError,
    sdk.SSLError,
    sdk.EndpointProviderError,
    sdk.UnknownEndpointError,
    sdk.ValidationError,
)


def exchange_error(error: sdk.BotoCoreError) -> CallError:
    """NotSent where it is certain that nothing was written, else AnswerLost."""
    inner = error.kwargs.get("error")
    if isinstance(inner, CallError):
        return inner
    text = str(inner or "") or str(error)
    # the SDK says that it could not connect for resets in the middle of an exchange, too
    unreachable = isinstance(error, sdk.EndpointConnectionError) and isinstance(inner, aiohttp.ClientConnectorError)
    return NotSent(text) if unreachable or isinstance(error, _BEFORE_THE_REQUEST) else AnswerLost(text)
