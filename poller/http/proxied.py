"""Exchanges through an HTTP proxy, with the outcomes of `HttpPool`: an answer of any status, NotSent or AnswerLost."""

import ssl
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from poller.http.bounded import BEFORE_THE_REQUEST, bounded
from poller.http.names import Resolver
from poller.http.reply import DEFAULT_PORTS, Origin, Reply
from poller.http.sockets import new_socket
from poller.values.errors import AnswerLost, ConfigurationError, NotSent

CONNECTIONS = 1000


class ProxiedPool:
    """Replaces an `HttpPool`. Opened inside a running loop; `close` it before the loop ends."""

    def __init__(self, origin: Origin, proxy: str, tls: ssl.SSLContext | None = None) -> None:
        """`proxy` is the proxy's URL, with user and password if it needs them."""
        if urlsplit(proxy).scheme not in DEFAULT_PORTS:
            raise ConfigurationError([f"the proxy for {origin} has to be an http:// or https:// URL"])
        self._origin = origin
        self._proxy = proxy
        self._tls = tls
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS, resolver=Resolver(), socket_factory=new_socket),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def exchange(self, request: bytes, timeout: float, max_reply_bytes: int) -> Reply:  # noqa: ASYNC109
        """Send `request`, in the form that an `HttpPool` writes."""
        if self._session.closed:
            raise NotSent(f"the client for {self._origin} was closed")
        head, _, body = request.partition(b"\r\n\r\n")
        line, *lines = head.decode().split("\r\n")
        method, target, _ = line.split(" ", 2)
        try:
            response, answer = await bounded(
                self._session,
                method,
                url=URL(f"{self._origin}{target}", encoded=True),
                headers=dict(line.split(": ", 1) for line in lines),
                data=body,
                proxy=self._proxy,
                ssl=self._tls or True,
                timeout=timeout,
                max_reply_bytes=max_reply_bytes,
            )
        except BEFORE_THE_REQUEST as error:
            raise NotSent(f"no connection to {self._origin} through the proxy: {error}") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise AnswerLost(str(error) or "no complete answer in time") from error
        if response.status == 407:
            raise NotSent("the proxy wants other credentials (407)")
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.raw_headers}
        return Reply(response.status, headers, answer)

    def use(self, tls: ssl.SSLContext) -> None:
        """Change the TLS settings of new connections."""
        self._tls = tls

    async def close(self) -> None:
        """Close: running exchanges end with AnswerLost."""
        await self._session.close()
