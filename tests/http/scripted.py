"""A server that does with each connection exactly what a test says, over real sockets on 127.0.0.1."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

from poller.http import Origin

CERTIFICATES = Path(__file__).parent / "certificates"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REQUEST = b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 0\r\n\r\n"


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def head(self) -> None:
        """The head of a request alone."""
        await self.reader.readuntil(b"\r\n\r\n")

    async def request(self) -> bytes:
        """A whole request; empty once the client is gone."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(line.partition(b":")[2]) for line in head.lower().split(b"\r\n") if b"content-length" in line), 0
            )
            return head + await self.reader.readexactly(length)
        except (asyncio.IncompleteReadError, OSError):
            return b""

    async def send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self.writer.write(data)
            await self.writer.drain()

    async def flood(self, data: bytes) -> None:
        """Send for as long as the client listens."""
        with contextlib.suppress(OSError):
            while not self.writer.is_closing():
                self.writer.write(data)
                await self.writer.drain()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    def reset(self) -> None:
        """RST instead of FIN."""
        connected = self.writer.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def receive(self) -> bytes:
        """What came; empty once the client is gone."""
        try:
            return await self.reader.read(65536)
        except OSError:
            return b""

    async def gone(self) -> None:
        """Until the client has closed."""
        with contextlib.suppress(OSError):
            while await self.reader.read(65536):
                pass


Script = Callable[[Peer], Awaitable[None]]


async def until(condition: Callable[[], bool]) -> None:
    """Turn the loop until it holds; what a connection's life changes has no event to wait for."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0)


class Server:
    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.connections = 0
        """Accepted so far."""

    async def connected(self) -> None:
        await until(lambda: self.connections > 0)


@contextlib.asynccontextmanager
async def serving(
    *scripts: Script,
    certificate: str | None = None,
    scheme_host: str = "127.0.0.1",
    protocols: Sequence[str] = (),
    asks_for_certificate: bool = False,
) -> AsyncIterator[Server]:
    """The first connection gets the first script, and so on; the last script is for all that follow. `protocols` are
    what a TLS handshake offers."""
    server: Server

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = scripts[min(server.connections, len(scripts) - 1)]
        server.connections += 1
        peer = Peer(reader, writer)
        running.add(task := asyncio.current_task())
        # cancelled at the end of the test
        with contextlib.suppress(asyncio.CancelledError):
            await script(peer)
            await peer.close()
        writer.close()
        running.discard(task)

    running: set[asyncio.Task[None] | None] = set()
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(CERTIFICATES / f"{certificate}.pem")
        if protocols:
            context.set_alpn_protocols(protocols)
        if asks_for_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(CERTIFICATES / "authority.pem")
    listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    server = Server(Origin("http" if context is None else "https", scheme_host, port))
    try:
        yield server
    finally:
        listening.close()
        for _ in range(5):  # connections accepted just now get their task within these turns
            await asyncio.sleep(0)
        tasks = [task for task in running if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()


def answering(*answers: bytes) -> Script:
    """One answer to each request, then nothing more."""

    async def script(peer: Peer) -> None:
        for answer in answers:
            if not await peer.request():
                return
            await peer.send(answer)
        await peer.gone()

    return script


async def always_ok(peer: Peer) -> None:
    while await peer.request():
        await peer.send(OK)
