"""Writes the requests to a function behind a URL: the event as the body of a POST, with proof of the sender.

Secrets and credentials are read for the first request, kept, and read again after the target has refused them.
"""

import hmac
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from poller import __version__
from poller.aws.answers import timestamp
from poller.aws.credentials import CredentialSource
from poller.aws.port import Operation
from poller.aws.signer import Signer
from poller.http import Origin, Reply
from poller.policy.trace_header import traceparent
from poller.ports.function import FENCE
from poller.values.errors import ConfigurationError

ReadHeaders = Callable[[], Mapping[str, str]]
"""Reads the configured headers, secrets included, as they are now. Raises ConfigurationError."""

TOLERATED_SKEW_SECONDS = 240.0
"""Seconds: signatures up to 5 minutes off are accepted, so a smaller difference was not the reason of a refusal."""

_STANDING = (("user-agent", f"poller/{__version__}"), ("accept", "application/json"), ("accept-encoding", "identity"))
SHORTEST_SECRET = 6
"""Characters of a secret that is hidden. Shorter values are parts of ordinary words, and hardly secret."""
HIDDEN = "***"
_UNFIT = re.compile(r"[\x00-\x1f\x7f]")
"""Characters that would end a header's line, or that no header may have."""


class Requests(Protocol):
    """Builds the requests to one URL."""

    async def build(self, event: bytes, trace: str | None) -> bytes:
        """The whole request. Raises ConfigurationError for a secret that cannot be read, and NoCredentials."""
        ...

    async def refused(self, reply: Reply) -> None:
        """The target refused the credentials: they are read again for the next request."""
        ...

    def forget(self) -> None:
        """Secrets may have changed: they are read again for the next request."""
        ...

    def hide(self, text: str) -> str:
        """The target's text without our secrets, because some servers repeat the whole request."""
        ...


@dataclass(frozen=True, slots=True)
class Hmac:
    """Signs each request with a shared secret."""

    read_secret: Callable[[], str]
    """Raises ConfigurationError."""
    header: str
    timestamp_header: str
    algorithm: str

    def lines(self, secret: bytes, event: bytes, seconds: int) -> bytes:
        """Both headers. The signature covers the time too, so that a request cannot be sent again much later."""
        stamp = b"%d" % seconds
        signature = hmac.new(secret, stamp + b".", self.algorithm)
        signature.update(event)
        return b"%b: %b\r\n%b: %b\r\n" % (
            self.timestamp_header.lower().encode("ascii"),
            stamp,
            self.header.lower().encode("ascii"),
            signature.hexdigest().encode("ascii"),
        )


class PlainRequests:
    """Requests with the configured headers, signed by HMAC where that is configured."""

    def __init__(
        self,
        name: str,
        url: str,
        headers: ReadHeaders,
        signature: Hmac | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`now` gives seconds since the epoch. Raises ConfigurationError for a header that cannot be sent."""
        self._name = name
        self._read_headers = headers
        self._signature = signature
        self._now = now
        standing = (("host", Origin.of(url).host_header), *_STANDING)
        self._start = f"POST {_target(url)} HTTP/1.1\r\n" + "".join(f"{key}: {value}\r\n" for key, value in standing)
        self._confidential: tuple[str, ...] = ()
        self._read: tuple[bytes, bytes] | None = self._read_secrets()

    def _read_secrets(self) -> tuple[bytes, bytes]:
        """The part of the head that never changes, and the key of the signature."""
        own = _fit(self._name, self._read_headers())
        headers = {"content-type": "application/json"} | own
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        secret = self._signature.read_secret() if self._signature else ""
        self._confidential = (secret, *(value for name, value in own.items() if name != "content-type"))
        return (self._start + lines).encode("utf-8"), secret.encode("utf-8")

    async def build(self, event: bytes, trace: str | None) -> bytes:
        """See `Requests.build`."""
        head, secret = self._read = self._read or self._read_secrets()
        own = FENCE.get() if trace is None else FENCE.get() + _trace(trace)
        if self._signature is not None:
            own += self._signature.lines(secret, event, int(self._now()))
        return b"%b%bcontent-length: %d\r\n\r\n%b" % (head, own, len(event), event)

    async def refused(self, reply: Reply) -> None:  # noqa: ARG002  (the port's)
        """See `Requests.refused`."""
        self.forget()

    def forget(self) -> None:
        """See `Requests.forget`."""
        self._read = None

    def hide(self, text: str) -> str:
        """See `Requests.hide`."""
        return _without(text, self._confidential)


class SignedRequests:
    """Requests signed by Signature Version 4, with credentials of the SDK's chain."""

    def __init__(
        self,
        name: str,
        url: str,
        headers: ReadHeaders,
        credentials: CredentialSource,
        *,
        service: str,
        region: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`service` is that of the signature's scope. Raises ConfigurationError for a header that cannot be sent."""
        self._name = name
        self._read_headers = headers
        self._target = _target(url)
        self._origin = str(Origin.of(url))
        self._credentials = credentials
        self._scope = service, region
        self._now = now
        self._signer: Signer | None = None
        self._confidential: tuple[str, ...] = ()
        self._operation: Operation | None = self._read_secrets()

    def _read_secrets(self) -> Operation:
        headers = _fit(self._name, self._read_headers())
        content_type = headers.pop("content-type", "application/json")
        self._confidential = tuple(headers.values())
        return Operation(
            self._scope[0], "Invoke", content_type=content_type, path=self._target, headers=tuple(headers.items())
        )

    async def build(self, event: bytes, trace: str | None) -> bytes:
        """See `Requests.build`."""
        operation = self._operation = self._operation or self._read_secrets()
        credentials = await self._credentials.current()
        signer = self._signer
        if signer is None:
            signer = self._signer = Signer(
                *self._scope, self._origin, credentials, unsigned_headers=_STANDING, now=self._now
            )
        elif signer.credentials is not credentials:
            signer.use(credentials)
        return signer.request(operation, event, trace)

    async def refused(self, reply: Reply) -> None:
        """See `Requests.refused`. Where the clock is wrong, it corrects the clock instead."""
        self.forget()
        assert self._signer is not None, "nothing is refused before it was sent"
        told = timestamp(reply.headers.get("date", ""))
        if told is not None and abs(told - self._now() - self._signer.skew) >= TOLERATED_SKEW_SECONDS:
            self._signer.correct(told - self._now())
        else:
            await self._credentials.replace(self._signer.credentials)

    def forget(self) -> None:
        """See `Requests.forget`. Credentials renew themselves."""
        self._operation = None

    def hide(self, text: str) -> str:
        """See `Requests.hide`."""
        token = self._signer.credentials.token if self._signer else None
        return _without(text, (token or "", *self._confidential))


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _trace(trace: str) -> bytes:
    """Both headers that name a trace: AWS's own, and W3C's for other servers."""
    parent = traceparent(trace)
    lines = f"x-amzn-trace-id: {trace}\r\n" + (f"traceparent: {parent}\r\n" if parent else "")
    return lines.encode("ascii")


def _without(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, HIDDEN)
    return text


def _fit(name: str, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with names in lower case. Raises ConfigurationError."""
    for header, value in headers.items():
        if _UNFIT.search(header) or _UNFIT.search(value) or ":" in header or not header:
            raise ConfigurationError([f"function {name}: header {header!r} cannot be sent: a control character"])
    return {header.lower(): value for header, value in headers.items()}
