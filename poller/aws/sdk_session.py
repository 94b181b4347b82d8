"""How the SDK's clients speak HTTP for us: each attempt one bounded exchange, and no redirect followed.

Also decides which of the SDK's exceptions were raised before anything of a request was written.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple

import aiohttp
from aiobotocore.httpsession import AIOHTTPSession
from botocore import exceptions as sdk

from poller.errors import AnswerLost, CallError, NoCredentials, NotSent
from poller.http.bounded import BEFORE_THE_REQUEST, bounded

TRACE_HEADER = "X-Amzn-Trace-Id"


class Limits(NamedTuple):
    """Of the call that runs in this context."""

    timeout: float
    max_reply_bytes: int
    trace: str | None = None
    """The X-Amzn-Trace-Id header. It is set here, because the SDK takes it from nowhere but the environment."""


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
        timeout, most, trace = limits.get()
        if trace is not None:
            arguments["headers"][TRACE_HEADER] = trace
        response, body = await bounded(self._session, method, timeout=timeout, max_reply_bytes=most, **arguments)
        return Answer(response.url, response.status, response.raw_headers, body)


_NO_CREDENTIALS = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.TokenRetrievalError,
    sdk.SSOError,
)
"""What the SDK raises where it renews credentials just before it signs."""
_NOT_SENT = (
    sdk.InvalidProxiesConfigError,
    sdk.EndpointProviderError,
    sdk.UnknownEndpointError,
    sdk.ValidationError,
)


def exchange_error(error: sdk.BotoCoreError) -> CallError:
    """NotSent, NoCredentials included, where it is certain that nothing was written, else AnswerLost."""
    if isinstance(error, _NO_CREDENTIALS):
        return NoCredentials(str(error))
    inner = error.kwargs.get("error")
    if isinstance(inner, CallError):
        return inner
    text = str(inner or "") or str(error)
    # not by the SDK's own class: it says that it could not connect for resets in the middle of an exchange, too
    if isinstance(inner, BEFORE_THE_REQUEST) or isinstance(error, _NOT_SENT):
        return NotSent(text)
    return AnswerLost(text)
