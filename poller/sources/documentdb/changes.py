"""Opens change streams: behind a position, at an instant, at the oldest change, or at the last one.

A stream that broke off is opened again behind the last change by whoever reads it. What the server says about such an
end decides only how: silently and at once, or with a reason and a pause.
"""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from bson.timestamp import Timestamp

from poller.policy.invocation_record import iso_seconds
from poller.sources.documentdb.change import Reading
from poller.sources.documentdb.cursor import MOST_CHANGES, ChangeStream
from poller.sources.documentdb.order import BEGINNING, Order, order_of, resume_token, seconds, timestamp
from poller.sources.documentdb.server import HISTORY_LOST, CommandFailed, Server, Session, tip
from poller.sources.sharded.api import Position

OnHistoryLost = Literal["stop", "latest", "trim_horizon"]
SPLIT: Mapping[str, Any] = {"$changeStreamSplitLargeEvent": {}}
"""The stage that splits what is larger than an answer may be; servers have it from MongoDB 6.0.9 on."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What is watched, and how."""

    database: str
    collection: str | None
    """None for all collections of the database."""
    full_document: str
    """`Default` or `UpdateLookup`."""


class _Begin(NamedTuple):
    """Where a stream begins."""

    place: Order
    """Before the first change."""
    options: Mapping[str, Any]
    """Of the stage."""
    skips: bool = False
    """See `ChangeStream`."""


class ChangeStreams:
    """The change streams of one mapping: `Subscriptions` of its one shard."""

    call = "$changeStream"
    between = 0.0
    buffered = False

    def __init__(
        self,
        server: Server,
        watched: Watched,
        reading: Reading,
        on_history_lost: OnHistoryLost,
        log: Callable[..., None],
    ) -> None:
        """`log` takes an event and its fields."""
        self._server = server
        self._watched = watched
        self._reading = reading
        self._on_history_lost = on_history_lost
        self._log = log
        self._splits = False
        """Whether a change was too large for an answer."""

    async def open(self, shard_id: str, position: Position) -> ChangeStream:
        """See `Subscriptions.open`."""
        async with AsyncExitStack() as stack:
            session = await self._server.session()
            stack.push_async_callback(session.end)
            if position.kind == "TRIM_HORIZON":
                stream, _ = await self._at_horizon(BEGINNING, session)
            else:
                stream = await self._at(shard_id, position, session)
            stack.pop_all()
            return stream

    async def _at(self, shard_id: str, position: Position, session: Session) -> ChangeStream:
        begin = _begin(position)
        try:
            return await self._opened(begin, session)
        except CommandFailed as error:
            if error.reason != HISTORY_LOST or self._on_history_lost == "stop":
                raise
            if self._on_history_lost == "latest":
                time = await tip(self._server)
                stream = await self._opened(_behind(max(begin.place, Order(time, 0, 0))), session)
            else:
                stream, time = await self._at_horizon(begin.place, session)
            lost_from = seconds(begin.place.time) or position.timestamp
            self._log(
                "gap_in_shard",
                partition=shard_id,
                after=position.sequence_number,
                lost_from=None if lost_from is None else iso_seconds(lost_from),
                lost_to=iso_seconds(seconds(time)),
                text=f"{error}; the changes between are lost, and reading goes on at {self._on_history_lost.upper()}",
            )
            return stream

    async def _at_horizon(self, place: Order, session: Session) -> tuple[ChangeStream, int]:
        """Open at the oldest change that the log still has; with a cluster time that is not behind it.

        No command says where that is, so the instants between the epoch and now are halved until one that the server
        takes is a second behind one that it does not.
        """
        lost, kept = 0, int(seconds(await tip(self._server)))
        instant = 1
        while True:
            at = Timestamp(instant, 1)
            # what only tries an instant brings as little as possible
            most = MOST_CHANGES if instant == lost + 1 else 1
            try:
                stream = await self._opened(_Begin(place, {"startAtOperationTime": at}), session, most)
            except CommandFailed as error:
                if error.reason != HISTORY_LOST or instant >= kept:
                    raise
                lost = instant
            else:
                if instant == lost + 1:
                    return stream, at.time << 32
                await stream.kill()
                kept = instant
            instant = max((lost + kept) // 2, lost + 1)

    async def _opened(self, begin: _Begin, session: Session, most: int = MOST_CHANGES) -> ChangeStream:
        try:
            return await self._tried(begin, session, most)
        except CommandFailed as error:
            if self._splits or not error.too_large:
                raise
            self._splits = True
        return await self._tried(begin, session, most)

    async def _tried(self, begin: _Begin, session: Session, most: int) -> ChangeStream:
        watched, stage = self._watched, dict(begin.options)
        if watched.full_document == "UpdateLookup":
            stage["fullDocument"] = "updateLookup"
        command = {
            "aggregate": watched.collection or 1,
            "pipeline": [{"$changeStream": stage}, *([SPLIT] if self._splits else [])],
            "cursor": {"batchSize": most},
        }
        reply = await self._server.run(watched.database, command, session)
        stream = ChangeStream(self._server, watched.database, self._reading, session, begin.place, skips=begin.skips)
        stream.take(reply)
        return stream


def _begin(position: Position) -> _Begin:
    if position.sequence_number is not None:
        place = order_of(position.sequence_number)
        try:
            token = resume_token(position.sequence_number)
        except ValueError as error:
            raise CommandFailed(260, "InvalidResumeToken", f"the stored position is damaged: {error}") from error
        return _behind(place) if token is None else _Begin(place, {"resumeAfter": token})
    if position.timestamp is not None:
        # a cluster time of 0 increments is before every change of its second
        return _Begin(BEGINNING, {"startAtOperationTime": Timestamp(int(position.timestamp), 0)})
    return _Begin(BEGINNING, {})


def _behind(place: Order) -> _Begin:
    """Behind a cluster time. The server begins at that time itself, since it may not know a later one."""
    return _Begin(place, {"startAtOperationTime": timestamp(place.time)}, skips=True)
