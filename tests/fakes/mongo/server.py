"""A `FakeMongo` behind OP_MSG on a real socket, for the real driver: its first message may be OP_QUERY, as drivers greet."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import bson

from tests.fakes.mongo.commands import Cut, FakeMongo
from tests.fakes.mongo.scram import MECHANISM, UNAUTHORIZED, Conversation

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
_HEADER = struct.Struct("<iiii")


class MongoServer:
    """Listens on a port of its own at 127.0.0.1."""

    def __init__(self, mongo: FakeMongo, users: dict[str, str] | None = None) -> None:
        """With `users`, passwords by name, a connection has to prove who it is before any command."""
        self.mongo = mongo
        self.users = users
        self.port = 0
        self.connections: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self, **arguments: Any) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, **arguments)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    def cut(self) -> None:
        """Every connection, at once."""
        for writer in list(self.connections):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(writer)
        conversation = None if self.users is None else Conversation(self.users)
        try:
            while True:
                size, request, _, operation = _HEADER.unpack(await reader.readexactly(_HEADER.size))
                body = await reader.readexactly(size - _HEADER.size)
                writer.write(await self._answer(request, operation, body, conversation))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, Cut):
            pass
        finally:
            self.connections.discard(writer)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, request: int, operation: int, body: bytes, conversation: Conversation | None) -> bytes:
        mechanisms = {} if conversation is None else {"saslSupportedMechs": [MECHANISM]}
        if operation == OP_QUERY:
            reply = bson.encode(self._greeting() | mechanisms | {"ok": 1.0})
            return _packed(OP_REPLY, request, struct.pack("<iqii", 8, 0, 0, 1) + reply)
        command: dict[str, Any] = bson.decode(body[5:])
        database, session = command.pop("$db"), command.pop("lsid", None)
        name = next(iter(command))
        if name.lower() in ("hello", "ismaster"):
            reply = bson.encode(await self._hello(command) | mechanisms)
        elif conversation is not None and name in ("saslStart", "saslContinue"):
            reply = bson.encode(conversation.answer(command))
        elif conversation is not None and conversation.user is None:
            reply = bson.encode(UNAUTHORIZED)
        else:
            found = await self.mongo.command(database, command, session and bytes(session["id"]))
            reply = bson.encode(found)
        return _packed(OP_MSG, request, struct.pack("<I", 0) + b"\0" + reply)

    async def _hello(self, command: dict[str, Any]) -> dict[str, Any]:
        reply = await self.mongo.command("admin", {"hello": 1})
        return reply | self._greeting()

    def _greeting(self) -> dict[str, Any]:
        me = f"127.0.0.1:{self.port}"
        return self.mongo.hello() | {"hosts": [me], "me": me, "primary": me, "setVersion": 1, "ismaster": True}


def _packed(operation: int, request: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), 1, request, operation) + body


@asynccontextmanager
async def serving(
    mongo: FakeMongo, *, users: dict[str, str] | None = None, **arguments: Any
) -> AsyncIterator[MongoServer]:
    server = MongoServer(mongo, users)
    await server.start(**arguments)
    try:
        yield server
    finally:
        await server.stop()
