"""Reads records of a shard beside the mapping that owns it. Nothing is consumed: a stream gives them to everybody."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from poller.policy.beside import From
from poller.policy.filtering import Filter
from poller.sources.sharded.api import PolledApi, Position, ShardPage
from poller.sources.sharded.limits import ReadLimits, ShardLimit
from poller.values.errors import (
    CallError,
    IteratorExpired,
    NotPossible,
    PositionTrimmed,
    ShardGone,
    StreamGone,
    UnreadableRecord,
)
from poller.values.record import Record

EMPTY_PAGES = 10
"""So many pages without a record in a row are taken for the tip, where the service does not say how far it is."""
TRIES = 3
AGAIN_SECONDS = 1.0
BETWEEN = 2.0
"""Reads of the quota that are left to others for each one."""
REFUSALS = (ShardGone, StreamGone, PositionTrimmed, IteratorExpired, UnreadableRecord)


class SeenInShard:
    """Implements `poller.sources.kind.Seen`."""

    ordered = True
    gone = 0
    why = ""

    def __init__(self, api: PolledApi, shard_id: str, records: Sequence[Record], criteria: Filter | None) -> None:
        self._api = api
        self._judge = None if criteria is None else api.judge(criteria, shard_id)
        self.partition = self.key = shard_id
        self.records = records
        self.encode = api.encoder(shard_id)

    def passes(self, record: Record) -> bool:
        return self._judge is None or bool(self._judge(record.item))

    def arrived(self, record: Record) -> float | None:
        return self._api.arrival(record.item)

    async def done(self, records: Sequence[Record]) -> None:
        """A stream keeps its records."""

    async def give_back(self, records: Sequence[Record]) -> None:
        """A stream keeps its records."""


class ShardsBeside:
    """Implements `poller.sources.kind.Beside`."""

    receives = False

    def __init__(self, api: PolledApi, limits: ReadLimits, criteria: Filter | None) -> None:
        """`limits` are those that the mappings keep to, `criteria` the filter of this mapping."""
        self._criteria = criteria
        self._api = api
        self._limits = limits

    async def partitions(self) -> list[str]:
        try:
            shards = {shard.id: shard for shard in await self._api.shards()}
        except StreamGone as error:
            raise NotPossible(str(error)) from error
        in_order: dict[str, None] = {}
        for name in shards:
            # parents first, so that the records of a key stay in order
            line = [name]
            while line:
                waits = [parent for parent in shards[line[-1]].parents if parent in shards and parent not in in_order]
                if waits:
                    line.append(waits[0])
                else:
                    in_order[line.pop()] = None
        return list(in_order)

    async def amount(self) -> None:
        """A stream counts its records nowhere."""

    async def seen(self, partition: str, begin: From, most: int) -> AsyncIterator[SeenInShard]:
        try:
            async for page in self._pages(partition, begin, min(most, self._api.most_records)):
                items = [one for one in page.records if not self._too_early(one, begin)]
                if items:
                    taken = self._api.taken_apart(items)
                    records = [Record(item, at) for item, at in zip(taken, self._api.positions(taken), strict=True)]
                    yield SeenInShard(self._api, partition, records, self._criteria)
        except REFUSALS as error:
            raise NotPossible(f"{partition}: {error}") from error

    async def _pages(self, shard_id: str, begin: From, most: int) -> AsyncIterator[ShardPage]:
        """The pages up to the present tip of the shard."""
        api, time = self._api, asyncio.get_running_loop().time
        limit = self._limits.of(api.arn, shard_id, api.reads_per_second, api.bytes_per_second)
        iterator: str | None = await api.iterator(shard_id, self._position(begin))
        empty = 0
        while iterator is not None and empty < EMPTY_PAGES:
            await asyncio.sleep(limit.wait(time()))
            page = await self._page(iterator, most, limit)
            limit.spend(page.counted, time())
            iterator, empty = page.next_iterator, 0 if page.records else empty + 1
            yield page
            if not page.records and page.behind_seconds == 0:
                return

    async def _page(self, iterator: str, most: int, limit: ShardLimit) -> ShardPage:
        """One read, slower than the mapping's own, and again where others have used up the quota."""
        for _ in range(TRIES - 1):
            await asyncio.sleep(BETWEEN / self._api.reads_per_second)
            try:
                async with limit.calls:
                    return await self._api.page(iterator, most)
            except CallError:
                await asyncio.sleep(AGAIN_SECONDS)
        async with limit.calls:
            return await self._api.page(iterator, most)

    def _position(self, begin: From) -> Position:
        if begin.kind == "AT_TIMESTAMP" and not self._api.latest_is_instant:
            return Position("TRIM_HORIZON")
        return Position(begin.kind, begin.sequence_number, begin.timestamp)

    def _too_early(self, item: object, begin: From) -> bool:
        """Where a service knows no instants, records before the second of the instant are passed over."""
        arrived = None if begin.timestamp is None else self._api.arrival(item)
        return arrived is not None and begin.timestamp is not None and arrived < int(begin.timestamp)
