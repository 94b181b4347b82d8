"""Functions behind plain HTTP: the event is the body of a POST, the status says what happened."""

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from poller import __version__
from poller.aws.answers import retry_after
from poller.errors import AnswerLost, ConfigurationError, NotSent
from poller.functions.lambda_api import DETAIL, RESPONSE_LIMIT
from poller.http import HttpPool, Origin, Reply, tls_context
from poller.http.proxied import ProxiedPool
from poller.policy.response import Failed, NotInvoked, Outcome, Succeeded, TooLarge

ReadHeaders = Callable[[], Mapping[str, str]]
"""Reads the configured headers, secrets included, as they are now. Raises ConfigurationError."""

_UNFIT = re.compile(r"[\x00-\x1f\x7f]")
"""What would end a header's line, or is no text of one."""


class HttpFunction:
    """Posts to one URL; redirects are not followed."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        headers: ReadHeaders,
        timeout: float,
        payload_limit: int,
        proxy: str | None = None,
    ) -> None:
        """Call it inside the running loop. Raises ConfigurationError for a URL, header or proxy that cannot be used.

        `proxy`: the URL of the one to go through.
        """
        self.name = name
        self.timeout = timeout
        self.payload_limit = payload_limit
        self._read_headers = headers
        origin = Origin.of(url)
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._start = (
            f"POST {target} HTTP/1.1\r\nhost: {origin.host_header}\r\nuser-agent: poller/{__version__}\r\n"
            "accept: application/json\r\naccept-encoding: identity\r\n"
        )
        self._head: bytes | None = self._build_head()
        self._pool = _pool(origin, proxy)

    def _build_head(self) -> bytes:
        headers = {"content-type": "application/json"} | {
            name.lower(): value for name, value in self._read_headers().items()
        }
        for name, value in headers.items():
            if _UNFIT.search(name) or _UNFIT.search(value) or ":" in name or not name:
                raise ConfigurationError([f"function {self.name}: header {name!r} cannot be sent: a control character"])
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return (self._start + lines).encode("utf-8")

    async def invoke(self, event: bytes, trace: str | None = None) -> Outcome:
        """See `Function.invoke`."""
        try:
            head = self._head = self._head or self._build_head()
            traced = b"" if trace is None else b"x-amzn-trace-id: %b\r\n" % trace.encode("ascii")
            request = b"%b%bcontent-length: %d\r\n\r\n%b" % (head, traced, len(event), event)
            reply = await self._pool.exchange(request, self.timeout, RESPONSE_LIMIT)
        except ConfigurationError as error:
            return NotInvoked("configuration", str(error))
        except NotSent as error:
            return NotInvoked("unreachable", str(error))
        except AnswerLost as error:
            return Failed("answer_lost", str(error))
        return self._outcome(reply)

    def _outcome(self, reply: Reply) -> Outcome:
        status = reply.status
        if 200 <= status < 300:
            return Succeeded(reply.body, reply.headers.get("x-amzn-requestid"))
        detail = reply.body[:DETAIL].decode("utf-8", "replace")
        if status in (401, 403):
            # a secret may have been changed since it was read
            self._head = None
        if status in (429, 503):
            code = "throttled" if status == 429 else "unavailable"
            return NotInvoked(code, detail or f"HTTP {status}", retry_after(reply.headers))
        if status == 413:
            return TooLarge(detail)
        return Failed(f"http_{status}", detail, status=status)

    def refresh(self) -> None:
        """See `Function.refresh`."""
        self._head = None

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.close()


def _pool(origin: Origin, proxy: str | None) -> HttpPool | ProxiedPool:
    tls = tls_context() if origin.scheme == "https" else None
    return HttpPool(origin, tls) if proxy is None else ProxiedPool(origin, proxy, tls)
