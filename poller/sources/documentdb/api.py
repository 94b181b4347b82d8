"""A database's or a collection's changes as a `ShardApi`: one shard, which never ends."""

from collections.abc import Callable, Sequence
from typing import Any

from bson.datetime_ms import DatetimeMS

from poller.policy.filtering import Filter, Verdict
from poller.policy.invocation_record import iso_seconds
from poller.policy.positions import token_of
from poller.sources.documentdb.change import Change
from poller.sources.documentdb.changes import Watched
from poller.sources.documentdb.extended_json import plain_key
from poller.sources.documentdb.order import Order, cluster_time
from poller.sources.documentdb.server import Server, hello
from poller.sources.sharded.api import Shard, StreamFacts
from poller.support import codec
from poller.values.record import Record

SHARD = "changes"
"""The name of the one shard."""
LARGEST_ANSWER = 17 * 1024 * 1024
"""Bytes: a server ends a batch at 16 MiB, and an answer has a little beside it."""
_AROUND_EACH = len(b'{"event":},')
_AROUND_ALL = len(b'{"eventSourceArn":,"events":[],"eventSource":"aws:docdb"}')


class ChangesApi:
    """A `ShardApi`."""

    largest_page = LARGEST_ANSWER
    latest_is_instant = True

    def __init__(self, server: Server, watched: Watched, arn: str, retention: float | None = None) -> None:
        """`arn` is the cluster's, as events show it; `retention` the seconds for which it keeps changes, if known."""
        self.arn = arn
        self._retention = retention
        self._server = server
        self._watched = watched
        self._begin = b'{"eventSourceArn":' + codec.dumps(arn) + b',"events":['
        self.record_overhead = _AROUND_EACH + _AROUND_ALL + len(codec.dumps(arn))

    async def facts(self) -> StreamFacts:
        """The positions belong to what is watched: tokens of another collection are of no use."""
        said = await hello(self._server)
        local, written = said.get("localTime"), cluster_time(said.get("operationTime"))
        return StreamFacts(
            f"{self._watched.database}.{self._watched.collection or '*'}",
            active=True,
            date=int(local) / 1000 if isinstance(local, DatetimeMS) else None,
            retention=self._retention,
            tip=None if written is None else Order(written, 0, 0).position(),
        )

    async def shards(self) -> list[Shard]:
        return [Shard(SHARD)]

    def complete(self, items: Sequence[Any]) -> None:
        """Nothing to do: a change without token is no answer."""

    def bound(self, items: Sequence[Change]) -> int:
        return sum([len(item.json) for item in items]) + self.record_overhead * len(items)

    def taken_apart(self, items: Sequence[Any]) -> Sequence[Any]:
        return items

    def sequence_number(self, item: Change) -> str:
        return item.position

    def positions(self, items: Sequence[Change]) -> list[str]:
        return [item.position for item in items]

    def key(self, item: Change) -> str:
        """Changes that concern no document have the namespace's own key."""
        return plain_key(item.document_key)

    def arrival(self, item: Change) -> float | None:
        return item.arrival

    def judge(self, criteria: Filter, shard_id: str) -> Callable[[Change], Verdict]:  # noqa: ARG002 - there is only one
        match = criteria.match
        return lambda item: match({}, item.json)

    def encoder(self, shard_id: str) -> Callable[[Sequence[Record]], bytes]:  # noqa: ARG002 - events name no shard
        begin = self._begin

        def encode(records: Sequence[Record]) -> bytes:
            if not records:
                return begin + b'],"eventSource":"aws:docdb"}'
            events = b'},{"event":'.join([record.item.json for record in records])
            return begin + b'{"event":' + events + b'}],"eventSource":"aws:docdb"}'

        return encode

    def batch_info(self, shard_id: str, records: Sequence[Record]) -> tuple[str, dict[str, Any]]:  # noqa: ARG002
        """In the manner of the other streams: Lambda has no destination for this source."""
        info: dict[str, Any] = {"databaseName": self._watched.database, "collectionName": self._watched.collection}
        if records:
            first, last = records[0], records[-1]
            info |= {
                "startResumeToken": token_of(first.identifier),
                "endResumeToken": token_of(last.identifier),
                "clusterTimeOfFirstRecord": iso_seconds(first.item.arrival),
                "clusterTimeOfLastRecord": iso_seconds(last.item.arrival),
                "batchSize": len(records),
            }
        return "DocumentDBBatchInfo", info | {"clusterArn": self.arn}
