"""A tiny forward proxy: CONNECT tunnels, and requests in absolute form passed on."""

import asyncio
from urllib.parse import urlsplit

from tests.http.scripted import Peer

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Forward:
    """A script for `serving`."""

    def __init__(self, *, refusal: bytes | None = None) -> None:
        """`refusal` is answered to everything instead."""
        self._refusal = refusal
        self.lines: list[str] = []
        """The first line of each request that came to the proxy."""
        self.authorizations: list[str | None] = []

    async def __call__(self, peer: Peer) -> None:
        request = await peer.request()
        if not request:
            return
        head = request.partition(b"\r\n\r\n")[0].decode()
        line, *lines = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        self.lines.append(line)
        self.authorizations.append(headers.get("proxy-authorization"))
        if self._refusal is not None:
            await peer.send(self._refusal)
            return
        method, target, _ = line.split(" ")
        place = target if method == "CONNECT" else urlsplit(target).netloc
        host, _, port = place.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        absolute = f"POST http://{place}".encode()
        if method == "CONNECT":
            ahead, answer = b"", ESTABLISHED
        else:
            ahead, answer = request.replace(absolute, b"POST ", 1), b""

        async def up() -> None:
            writer.write(ahead)
            while data := await peer.reader.read(65536):
                writer.write(data.replace(absolute, b"POST ", 1))
                await writer.drain()

        async def down() -> None:
            await peer.send(answer)
            while data := await reader.read(65536):
                await peer.send(data)

        tasks = [asyncio.create_task(up()), asyncio.create_task(down())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            writer.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def drops(peer: Peer) -> None:
    """A proxy that takes a request and resets."""
    await peer.request()
    peer.reset()
