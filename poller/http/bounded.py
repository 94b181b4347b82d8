"""One exchange through aiohttp by the rules of our own client: a single answer with bounded size and time.

For what our own client does not do: proxies, and the SDK's clients. aiohttp by itself would follow a redirect, and so
send a POST twice; it bounds each single read but not the whole answer, and no size.
"""

import io

import aiohttp

from poller.http.reserved_bytes import ReservedBytes, fit
from poller.values.errors import AnswerLost

CONNECT_TIMEOUT = 10.0
"""Seconds for a free connection, or for a new one with its proxy and TLS handshake."""

BEFORE_THE_REQUEST = (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError, aiohttp.ConnectionTimeoutError)
"""Errors that aiohttp raises only before it writes the request; its other errors may come later."""


async def bounded(
    session: aiohttp.ClientSession,
    method: str,
    *,
    data: bytes,
    timeout: float,  # noqa: ASYNC109 - the answer's, not this coroutine's
    max_reply_bytes: int,
    room: ReservedBytes | None = None,
    **arguments: object,
) -> tuple[aiohttp.ClientResponse, bytes]:
    """The response and its whole body. The service may be silent for `timeout` seconds; connecting comes on top.

    Raises AnswerLost for an answer over the limit, NoRoom for one that `room` gives up, and whatever aiohttp raises.
    """
    limits = aiohttp.ClientTimeout(
        total=CONNECT_TIMEOUT + timeout, connect=CONNECT_TIMEOUT, sock_connect=CONNECT_TIMEOUT, sock_read=timeout
    )
    body = bytearray()
    # aiohttp would write raw bytes at once and, from 1 MiB on, log a warning
    sending = session.request(method, data=io.BytesIO(data), timeout=limits, allow_redirects=False, **arguments)  # type: ignore[arg-type]
    async with sending as response:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > max_reply_bytes:
                response.close()
                raise AnswerLost(f"the answer's body is larger than {max_reply_bytes} bytes")
            if room is not None and len(body) > room.size:
                await fit(room, min(max(len(body), response.content_length or 0), max_reply_bytes))
        return response, bytes(body)
