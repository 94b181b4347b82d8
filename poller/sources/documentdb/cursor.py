"""One change stream of the server: a cursor, read page by page."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import bson
from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument

from poller.http.reserved_bytes import ReservedBytes, fit
from poller.sources.documentdb.change import Change, Reading
from poller.sources.documentdb.order import Order, cluster_time, seconds
from poller.sources.documentdb.server import CommandFailed, Server, Session
from poller.sources.sharded.api import ShardPage
from poller.values.errors import AnswerLost, CallError, IteratorExpired

AWAIT = 5.0
"""Seconds that the server waits for changes before it answers without any."""
LEAST_PAUSE = 0.5
"""Seconds between two answers without changes, of a server that does not wait for some."""
MOST_CHANGES = 1000
"""Changes of one answer, which the server ends at 16 MiB in any case."""
QUIET = 600
"""Seconds of the server's time by which the place follows it while nothing changes, where the server names no place by
itself: far more than a server needs to show a change."""
KILL = 1.0
"""Seconds to end a cursor: a stop does not wait longer."""
OPEN = "open"
"""Stands for the next iterator of a page: a change stream continues by itself."""


class ChangeStream:
    """A `Subscription`: one cursor of the server."""

    date: float | None = None

    def __init__(
        self, server: Server, database: str, reading: Reading, session: Session, place: Order, *, skips: bool = False
    ) -> None:
        """`place` is that of the last change before the first one. `skips` says that the server may begin before it, at
        the changes of the same cluster time.
        """
        self._server = server
        self._database = database
        self._reading = reading
        self._session = session
        self._place = place
        self._skip_to = place.time if skips else 0
        self._parts: list[bytes] = []
        """The fragments that came of a change that the server splits."""
        self._quiet_since: int | None = None
        """Cluster time of the first answer without a change behind the last place."""
        self._not_before = 0.0
        """The loop's time of the next read."""
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
        loop = asyncio.get_running_loop()
        if (pause := self._not_before - loop.time()) > 0:
            await asyncio.sleep(pause)
        earliest = loop.time() + LEAST_PAUSE
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
            if error.resumable or error.too_large:
                raise IteratorExpired(str(error)) from error
            raise
        self.take(reply)
        self._not_before = 0.0 if self._waiting is not None and self._waiting.records else earliest

    def take(self, reply: bytes) -> None:
        """The reply to a command with this cursor. Raises AnswerLost."""
        try:
            self._take(RawBSONDocument(reply))
        except (bson.errors.BSONError, LookupError, TypeError, AttributeError, ValueError) as error:
            raise AnswerLost(f"the answer is none to a read of a change stream: {error!r}"[:500]) from error

    def _take(self, reply: Mapping[str, Any]) -> None:
        cursor = reply["cursor"]
        changes: list[Change] = []
        place, parts = self._place, self._parts
        for document in cursor["nextBatch"] if "nextBatch" in cursor else cursor["firstBatch"]:
            raw, parts = self._reading.whole(document.raw, parts)
            if not raw:
                continue
            change = self._reading.change(raw, place)
            if change.place.time > self._skip_to:
                changes.append(change)
                place = change.place
        page = ShardPage(changes, OPEN, sum([len(change.json) for change in changes]), _behind(reply, changes))
        passed = cursor.get("postBatchResumeToken")
        token = None if passed is None else bson.decode(passed.raw)
        # a place within a change that is split is none to go on from
        if token is not None and not parts and not (changes and changes[-1].token == token):
            place = place.passed()
            page.continuation, page.passed = place.position(token), True
        quiet_since = None
        if token is None and not changes and not parts:
            quiet_since, followed = _followed(self._quiet_since, cluster_time(reply.get("operationTime")), place)
            if followed is not None:
                place = followed
                page.continuation, page.passed = place.position(), True
        collection = str(cursor["ns"]).partition(".")[2]
        # nothing above changed anything: an answer counts as a whole
        self._place, self._cursor, self._collection, self._waiting = place, int(cursor["id"]), collection, page
        self._parts, self._quiet_since = parts, quiet_since

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


def _followed(since: int | None, now: int | None, place: Order) -> tuple[int | None, Order | None]:
    """Since when a stream is quiet, and the place to go on from where that is long enough. Cluster times."""
    if now is None or since is None:
        return now, None
    if seconds(now) - seconds(since) < QUIET:
        return since, None
    return now, Order(since, 0, 0) if since > place.time else None


def _behind(reply: Mapping[str, Any], changes: list[Change]) -> float | None:
    """Seconds from the last change to the server's present; None where it does not say."""
    if not changes:
        return 0.0
    now, last = cluster_time(reply.get("operationTime")), changes[-1].time
    return None if now is None or last is None else max(0.0, seconds(now) - seconds(last))
