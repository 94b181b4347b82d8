"""Answers that may be long, made and sent in pieces, so that the loop is free between them."""

import asyncio
from collections.abc import AsyncIterator, Iterator

from aiohttp import web

PIECE = 64 * 1024
"""Bytes after which a piece is sent."""
SLICE = 0.005
"""Seconds of making it after which the loop gets its turn."""


async def answer(request: web.Request, content_type: str, parts: Iterator[bytes]) -> web.StreamResponse:
    """Send what `parts` yields. What fits into one piece goes with its length, as an ordinary answer."""
    pieces = _pieces(parts)
    piece, last = await anext(pieces)
    if last or request.method == "HEAD":
        return web.Response(body=piece, headers={"Content-Type": content_type})
    response = web.StreamResponse(headers={"Content-Type": content_type})
    await response.prepare(request)
    await response.write(piece)
    async for piece, _ in pieces:
        await response.write(piece)
    await response.write_eof()
    return response


async def _pieces(parts: Iterator[bytes]) -> AsyncIterator[tuple[bytes, bool]]:
    """Each piece, and whether it is the last."""
    time = asyncio.get_running_loop().time
    piece, turn_ends = bytearray(), time() + SLICE
    for part in parts:
        piece += part
        if len(piece) >= PIECE:
            yield bytes(piece), False
            piece.clear()
        if time() > turn_ends:
            await asyncio.sleep(0)
            turn_ends = time() + SLICE
    yield bytes(piece), True
