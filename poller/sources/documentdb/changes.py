"""Change streams as `Subscriptions`: opened behind a position, read page by page, and closed.

A stream that broke off is opened again behind the last change by whoever reads it. What the server says about such an
end decides only how: silently and at once, or with a reason and a pause.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

import bson
from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp

from poller.http.reserved_bytes import ReservedBytes, fit
from poller.sources.documentdb.change import Change, Reading
from poller.sources.documentdb.order import BEGINNING, Order, cluster_time, order_of, resume_token, seconds, timestamp
from poller.sources.documentdb.server import CommandFailed, Server, Session, tip
from poller.sources.sharded.api import Position, ShardPage
from poller.values.errors import AnswerLost, CallError, IteratorExpired

AWAIT = 5.0
"""Seconds that the server waits for changes before it answers without any."""
MOST_CHANGES = 1000
"""Changes of one answer, which the server ends at 16 MiB in any case."""
KILL = 1.0
"""Seconds to end a cursor: a stop does not wait longer."""
OPEN = "open"
"""Stands for the next iterator of a page: a change stream continues by itself."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What is watched, and how."""

    database: str
    collection: str | None
    """None for all collections of the database."""
    full_document: str
    """`Default` or `UpdateLookup`."""


class ChangeStreams:
    """The change streams of one mapping: `Subscriptions` of its one shard."""

    call = "$changeStream"
    between = 0.0
    buffered = False

    def __init__(self, server: Server, watched: Watched, reading: Reading) -> None:
        self._server = server
        self._watched = watched
        self._reading = reading

    async def open(self, shard_id: str, position: Position) -> "ChangeStream":  # noqa: ARG002 - there is only one
        """See `Subscriptions.open`."""
        place, begin = _begin(position)
        async with AsyncExitStack() as stack:
            session = await self._server.session()
            stack.push_async_callback(session.end)
            if position.kind == "TRIM_HORIZON":
                stream = await self._at_horizon(session)
            else:
                stream = await self._opened(place, begin, session)
            stack.pop_all()
            return stream

    async def _at_horizon(self, session: Session) -> "ChangeStream":
        """Open at the oldest change that the log still has.

        No command says where that is, so the instants between the epoch and now are halved until one that the server
        takes is a second behind one that it does not.
        """
        lost, kept = 0, int(seconds(await tip(self._server)))
        instant = 1
        while True:
            try:
                stream = await self._opened(BEGINNING, {"startAtOperationTime": Timestamp(instant, 1)}, session)
            except CommandFailed as error:
                if error.reason != "history_lost" or instant == kept:
                    raise
                lost = instant
            else:
                if instant == lost + 1:
                    return stream
                await stream.kill()
                kept = instant
            instant = max((lost + kept) // 2, lost + 1)

    async def _opened(self, place: Order, begin: Mapping[str, Any], session: Session) -> "ChangeStream":
        watched, stage = self._watched, dict(begin)
        if watched.full_document == "UpdateLookup":
            stage["fullDocument"] = "updateLookup"
        command = {
            "aggregate": watched.collection or 1,
            "pipeline": [{"$changeStream": stage}],
            "cursor": {"batchSize": MOST_CHANGES},
        }
        reply = await self._server.run(watched.database, command, session)
        stream = ChangeStream(self._server, watched.database, self._reading, session, place)
        stream.take(reply)
        return stream


def _begin(position: Position) -> tuple[Order, Mapping[str, Any]]:
    """The place before the first change, and where the server is to begin."""
    if position.sequence_number is not None:
        place = order_of(position.sequence_number)
        try:
            token = resume_token(position.sequence_number)
        except ValueError as error:
            raise CommandFailed(260, "InvalidResumeToken", f"the stored position is damaged: {error}") from error
        if token is not None:
            return place, {"resumeAfter": token}
        return place, {"startAtOperationTime": timestamp(place.time + 1)}
    if position.timestamp is not None:
        # a cluster time of 0 increments is before every change of its second
        return BEGINNING, {"startAtOperationTime": Timestamp(int(position.timestamp), 0)}
    return BEGINNING, {}


class ChangeStream:
    """A `Subscription`: one cursor of the server."""

    date: float | None = None

    def __init__(self, server: Server, database: str, reading: Reading, session: Session, place: Order) -> None:
        """`place` is that of the last change before the first one."""
        self._server = server
        self._database = database
        self._reading = reading
        self._session = session
        self._place = place
        self._cursor = 0
        self._collection = ""
        self._waiting: ShardPage | None = None
        """A page that came and was not taken yet."""

    async def page(self, room: ReservedBytes | None = None) -> ShardPage | None:
        """See `Subscription.page`. Raises IteratorExpired where the stream is to be opened again."""
        if self._waiting is None:
            await self._read()
        page = self._waiting
        assert page is not None
        if room is not None:
            await fit(room, page.size)
        self._waiting = None
        return page

    async def _read(self) -> None:
        if not self._cursor:
            raise IteratorExpired("the server has closed the cursor")
        command = {
            "getMore": Int64(self._cursor),
            "collection": self._collection,
            "batchSize": MOST_CHANGES,
            "maxTimeMS": int(AWAIT * 1000),
        }
        try:
            reply = await self._server.run(self._database, command, self._session)
        except AnswerLost as error:
            raise IteratorExpired(str(error)) from error
        except CommandFailed as error:
            # an error of the server ends the cursor
            self._cursor = 0
            if error.resumable:
                raise IteratorExpired(str(error)) from error
            raise
        self.take(reply)

    def take(self, reply: bytes) -> None:
        """The reply to a command with this cursor. Raises AnswerLost."""
        try:
            self._take(RawBSONDocument(reply))
        except (bson.errors.BSONError, LookupError, TypeError, AttributeError, ValueError) as error:
            raise AnswerLost(f"the answer is none to a read of a change stream: {error!r}"[:500]) from error

    def _take(self, reply: Mapping[str, Any]) -> None:
        cursor = reply["cursor"]
        changes: list[Change] = []
        place = self._place
        for document in cursor["nextBatch"] if "nextBatch" in cursor else cursor["firstBatch"]:
            changes.append(self._reading.change(document.raw, place))
            place = changes[-1].place
        page = ShardPage(changes, OPEN, sum([len(change.json) for change in changes]), _behind(reply, changes))
        passed = cursor.get("postBatchResumeToken")
        token = None if passed is None else bson.decode(passed.raw)
        if token is not None and not (changes and changes[-1].token == token):
            place = place.passed()
            page.continuation, page.passed = place.position(token), True
        collection = str(cursor["ns"]).partition(".")[2]
        # nothing above changed anything: an answer counts as a whole
        self._place, self._cursor, self._collection, self._waiting = place, int(cursor["id"]), collection, page

    async def kill(self) -> None:
        """End the cursor, but not its session."""
        cursor, self._cursor = self._cursor, 0
        if cursor:
            command = {"killCursors": self._collection, "cursors": [Int64(cursor)]}
            # where that fails, the server ends idle cursors by itself
            with suppress(CallError, TimeoutError):
                async with asyncio.timeout(KILL):
                    await self._server.run(self._database, command, self._session)

    async def close(self) -> None:
        """See `Subscription.close`."""
        try:
            await self.kill()
        finally:
            await self._session.end()


def _behind(reply: Mapping[str, Any], changes: list[Change]) -> float | None:
    """Seconds from the last change to the server's present; None where it does not say."""
    if not changes:
        return 0.0
    now, last = cluster_time(reply.get("operationTime")), changes[-1].time
    return None if now is None or last is None else max(0.0, seconds(now) - seconds(last))
