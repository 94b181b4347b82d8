"""A MongoDB server's commands over a change log: cursors, sessions, elections, and the errors of the real one.

Replies and errors are those of MongoDB 6.0, as far as a reader of change streams sees them.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import bson
from bson.int64 import Int64
from bson.timestamp import Timestamp

from tests.fakes.mongo.log import INVALIDATE, LAST, PASSED, ChangeLog, Key, Watch, key_of

RESUMABLE = ["ResumableChangeStreamError"]
LARGEST_BATCH = 16 * 1024 * 1024


class Refused(Exception):
    """The command is answered with this error."""

    def __init__(self, code: int, name: str, message: str, labels: list[str] | None = None) -> None:
        super().__init__(message)
        self.reply = {"ok": 0.0, "errmsg": message, "code": code, "codeName": name}
        if labels:
            self.reply["errorLabels"] = labels


class Cut(Exception):
    """The connection breaks before the answer."""


@dataclass(slots=True)
class Cursor:
    id: int
    watch: Watch
    after: Key
    session: Any
    splits: bool = False
    ended: bool = False
    fragments: list[dict[str, Any]] = field(default_factory=list)
    """Of a change that is split, those that were not sent yet."""


class FakeMongo:
    """One node after the other is the primary of a replica set; a cursor lives on the node that opened it."""

    def __init__(
        self, clock: Callable[[], float], *, labels: bool = True, tokens_when_idle: bool = True, waits: bool = True
    ) -> None:
        """Without `labels` errors are known by their codes, as of old servers and DocumentDB. Without
        `tokens_when_idle` an answer has no postBatchResumeToken. Without `waits` one without changes comes at once.
        """
        self.clock = clock
        self.log = ChangeLog(clock)
        self.log.written = self._tell
        self.cursors: dict[int, Cursor] = {}
        self.commands: Counter[str] = Counter()
        self.last: dict[str, Mapping[str, Any]] = {}
        """The last command of each name."""
        self.latency = 0.0
        self.cuts = 0
        """So many of the next commands lose their answer; not those by which drivers watch a server."""
        self.hangs = False
        self.refusals: dict[str, Refused] = {}
        """By command, until they are taken away."""
        self.electing = False
        self.largest_event = LARGEST_BATCH
        """Bytes."""
        self.can_split = True
        self._labels = labels
        self._tokens_when_idle = tokens_when_idle
        self._waits = waits
        self._ids = itertools.count(1000)
        self._changed = asyncio.Event()

    def refused(self, code: int, name: str, message: str, *, labelled: bool = False) -> Refused:
        return Refused(code, name, message, RESUMABLE if labelled else None)

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def elect(self) -> None:
        """The primary steps down: its cursors end, and commands are refused until `elected`."""
        self.electing = True
        self._end_cursors()

    def elected(self) -> None:
        self.electing = False

    def kill_cursors(self) -> None:
        """As after a restart, or ten minutes without a read."""
        self._end_cursors()

    def _end_cursors(self) -> None:
        for cursor in self.cursors.values():
            cursor.ended = True
        self.cursors.clear()
        self._tell()

    async def command(self, database: str, command: Mapping[str, Any], session: Any = None) -> dict[str, Any]:
        """The reply; one with `ok` 0 for an error. Raises Cut."""
        name = next(iter(command))
        self.commands[name] += 1
        self.last[name] = command
        await asyncio.sleep(self.latency)
        if self.hangs:
            await asyncio.get_running_loop().create_future()
        if self.cuts and name != "hello":
            self.cuts -= 1
            raise Cut
        try:
            reply = await self._answer(name, database, command, session)
        except Refused as error:
            reply = dict(error.reply)
            if not self._labels:
                reply.pop("errorLabels", None)
        now = Timestamp(self.log.time >> 32, self.log.time & LAST)
        return {**reply, "operationTime": now, "$clusterTime": {"clusterTime": now}} | {"ok": reply.get("ok", 1.0)}

    async def _answer(self, name: str, database: str, command: Mapping[str, Any], session: Any) -> dict[str, Any]:
        if name in self.refusals:
            raise self.refusals[name]
        if name.lower() in ("hello", "ismaster"):
            return self.hello()
        if name in ("ping", "endSessions"):
            return {}
        if self.electing:
            raise Refused(10107, "NotWritablePrimary", "not primary", RESUMABLE)
        match name:
            case "aggregate":
                return await self._aggregate(database, command, session)
            case "getMore":
                return await self._get_more(command, session)
            case "killCursors":
                for number in command["cursors"]:
                    self.cursors.pop(number, None)
                return {"cursorsKilled": list(command["cursors"])}
        raise Refused(59, "CommandNotFound", f"no such command: '{name}'")

    def hello(self) -> dict[str, Any]:
        return {
            "isWritablePrimary": not self.electing,
            "secondary": self.electing,
            "setName": "rs0",
            "localTime": datetime.fromtimestamp(self.clock(), UTC),
            "logicalSessionTimeoutMinutes": 30,
            "maxBsonObjectSize": 16777216,
            "maxMessageSizeBytes": 48000000,
            "maxWriteBatchSize": 100000,
            "minWireVersion": 0,
            "maxWireVersion": 17,
            "readOnly": False,
        }

    async def _aggregate(self, database: str, command: Mapping[str, Any], session: Any) -> dict[str, Any]:
        target, [stage, *more] = command["aggregate"], command["pipeline"]
        assert more in ([], [{"$changeStreamSplitLargeEvent": {}}])
        if more and not self.can_split:
            raise Refused(40324, "Location40324", "Unrecognized pipeline stage name: '$changeStreamSplitLargeEvent'")
        stream = stage["$changeStream"]
        watch = Watch(database, None if target == 1 else target, stream.get("fullDocument") == "updateLookup")
        cursor = Cursor(next(self._ids), watch, self._begin(stream), session, bool(more))
        self.cursors[cursor.id] = cursor
        return {"cursor": self._batch(cursor, "firstBatch", command["cursor"].get("batchSize", 101))}

    def _begin(self, stream: Mapping[str, Any]) -> Key:
        begins = [name for name in ("resumeAfter", "startAfter", "startAtOperationTime") if name in stream]
        if len(begins) > 1 or any(stream[name] is None for name in begins):
            raise Refused(40674, "Location40674", "only one of resumeAfter, startAfter and startAtOperationTime")
        if not begins:
            return Key(self.log.time, LAST, PASSED)
        if begins == ["startAtOperationTime"]:
            at = stream["startAtOperationTime"]
            key = Key((at.time << 32 | at.inc) - 1, LAST, PASSED)
        else:
            found = key_of(stream[begins[0]])
            if found is None:
                raise Refused(9, "FailedToParse", "Bad resume token: _data of missing or of wrong type")
            key, cluster = found
            if cluster != self.log.cluster:
                raise Refused(280, "ChangeStreamFatalError", "cannot resume stream; the resume token was not found.")
            if key.kind == INVALIDATE and begins == ["resumeAfter"]:
                message = "Attempting to resume a change stream using 'resumeAfter' is not allowed from an invalidate notification."
                raise Refused(260, "InvalidResumeToken", message)
        if key.time + 1 < self.log.oldest:
            message = "Resume of change stream was not possible, as the resume point may no longer be in the oplog."
            raise Refused(286, "ChangeStreamHistoryLost", message, ["NonResumableChangeStreamError"])
        return key

    async def _get_more(self, command: Mapping[str, Any], session: Any) -> dict[str, Any]:
        assert isinstance(command["getMore"], Int64)
        cursor = self.cursors.get(command["getMore"])
        if cursor is None:
            raise Refused(43, "CursorNotFound", f"cursor id {command['getMore']} not found", RESUMABLE)
        if session != cursor.session:
            raise Refused(50738, "Location50738", "Cannot run getMore on a cursor of another session")
        if cursor.after.time + 1 < self.log.oldest:
            del self.cursors[cursor.id]
            raise Refused(
                136, "CappedPositionLost", "CollectionScan died due to position in capped collection being deleted"
            )
        until = asyncio.get_running_loop().time() + command.get("maxTimeMS", 1000) / 1000 * self._waits
        while (
            not cursor.ended
            and not cursor.fragments
            and not any(True for _ in self.log.events(cursor.watch, cursor.after))
        ):
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                break
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
            except TimeoutError:
                break
        if cursor.ended:
            if self.electing:
                raise Refused(11602, "InterruptedDueToReplStateChange", "operation was interrupted", RESUMABLE)
            raise Refused(43, "CursorNotFound", f"cursor id {cursor.id} not found", RESUMABLE)
        return {"cursor": self._batch(cursor, "nextBatch", command.get("batchSize", 10**6))}

    def _batch(self, cursor: Cursor, name: str, most: int) -> dict[str, Any]:
        if not cursor.fragments:
            events = self._fitting(cursor, most)
        if cursor.fragments:
            return {
                "id": Int64(cursor.id),
                "ns": f"{cursor.watch.database}.{cursor.watch.collection}",
                name: [cursor.fragments.pop(0)],
                "postBatchResumeToken": cursor.after.token(self.log.cluster),
            }
        closed = bool(events) and events[-1][0].kind == INVALIDATE
        reply: dict[str, Any] = {
            "id": Int64(0 if closed else cursor.id),
            "ns": f"{cursor.watch.database}.{cursor.watch.collection or '$cmd.aggregate'}",
            name: [event for _, event in events],
        }
        if closed:
            del self.cursors[cursor.id]
        elif len(events) < most:
            cursor.after = max(cursor.after, Key(self.log.time, LAST, PASSED))
        if self._tokens_when_idle:
            reply["postBatchResumeToken"] = cursor.after.token(self.log.cluster)
        return reply

    def _fitting(self, cursor: Cursor, most: int) -> list[tuple[Key, dict[str, Any]]]:
        """The next events, up to one that is too large; if that is the first one, it becomes fragments."""
        events: list[tuple[Key, dict[str, Any]]] = []
        for key, event in itertools.islice(self.log.events(cursor.watch, cursor.after), most):
            if len(bson.encode(event)) > self.largest_event:
                if not events:
                    self._split(cursor, key, event)
                break
            events.append((key, event))
        if events:
            cursor.after = events[-1][0]
        return events

    def _split(self, cursor: Cursor, key: Key, event: dict[str, Any]) -> None:
        if not cursor.splits:
            del self.cursors[cursor.id]
            raise Refused(10334, "BSONObjectTooLarge", "BSONObj size is invalid", ["NonResumableChangeStreamError"])
        members = [name for name in event if name != "_id"]
        cursor.fragments = [
            {"_id": event["_id"], "splitEvent": {"fragment": number, "of": len(members)}, name: event[name]}
            for number, name in enumerate(members, 1)
        ]
        cursor.after = key
