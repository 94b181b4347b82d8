"""The server as the source's own port sees it, without driver and sockets: for journeys on virtual time."""

import asyncio
from collections.abc import Mapping
from typing import Any

import bson

from poller.sources.documentdb.server import CommandFailed
from poller.values.errors import AnswerLost, NotSent
from tests.fakes.mongo.commands import Cut, FakeMongo

ANSWER = 40.0
"""Seconds, as the driver waits."""


class FakeSession:
    async def end(self) -> None:
        """Nothing to give back."""


class FakeServer:
    """A `Server`."""

    def __init__(self, mongo: FakeMongo) -> None:
        self.mongo = mongo
        self.down = False
        """Whether nobody listens."""
        self.dead = False
        """Whether the process is: it hears no more of anything."""
        self.closed = False

    async def session(self) -> FakeSession:
        return FakeSession()

    async def run(self, database: str, command: Mapping[str, Any], session: Any = None) -> bytes:
        if self.dead:
            await asyncio.get_running_loop().create_future()
        if self.down:
            raise NotSent("mongo.test:27017: connection refused")
        # over the wire and back
        sent = bson.decode(bson.encode(command))
        try:
            async with asyncio.timeout(ANSWER):
                reply = await self.mongo.command(database, sent, session)
        except (Cut, TimeoutError):
            raise AnswerLost("mongo.test:27017: connection closed") from None
        if not reply["ok"]:
            raise CommandFailed(
                reply["code"], reply["codeName"], reply["errmsg"], frozenset(reply.get("errorLabels", ()))
            )
        return bson.encode(reply)

    async def close(self) -> None:
        self.closed = True
