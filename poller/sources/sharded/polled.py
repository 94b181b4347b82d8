"""Polls the pages of one shard with an iterator, within the service's limits and at the mapping's pace."""

import asyncio

from poller.sources.sharded.api import Position, Shard, ShardPage
from poller.sources.sharded.page_memory import PageMemory
from poller.sources.sharded.stream import Stream
from poller.values.errors import IteratorExpired, NoRoom, PositionTrimmed, ShardGone

SLOWER = 1.5
"""Factor by which each empty page stretches the pause of an idle shard."""
READ_RECORDS = 2000
"""Most records of one read. Larger pages do not fit the CPU's cache: with 10,000, each record costs a third more CPU,
and the process takes half as much memory again (measured)."""
OUR_SHARE = 0.5
"""Share of the service's quota of reads that a mapping with a backlog uses, because others may read the shard too. With
full reads this is still several times the rate at which a shard accepts records."""


class PolledPages:
    """`Pages` by GetRecords."""

    call = "GetRecords"

    def __init__(self, stream: Stream, shard: Shard, room: PageMemory) -> None:
        assert stream.polled is not None
        self._stream = stream
        self._api = stream.polled
        self._room = room
        self._shard = shard
        self._limit = stream.limit(shard.id)
        self._most_records = min(self._api.most_records, READ_RECORDS)
        self._catching_up = 1 / (OUR_SHARE * self._api.reads_per_second)
        self._iterator: str | None = stream.tips.iterators.pop(shard.id, None)
        self._ended = False
        """Whether the last page came without an iterator."""
        self._read_at = float("-inf")
        self._interval = 0.0

    def wait(self, now: float) -> float:
        """See `Pages.wait`."""
        return max(self._read_at + self._interval - now, self._limit.wait(now))

    async def next(self, position: Position) -> ShardPage:
        """See `Pages.next`."""
        api, time = self._api, asyncio.get_running_loop().time
        interval, self._interval = self._interval, 0.0
        begins = self._iterator is None
        try:
            if self._iterator is None:
                self._iterator = await api.iterator(self._shard.id, position)
            async with self._limit.calls:
                self._read_at = time()
                limit = self._room.records(self._most_records)
                page = await api.page(self._iterator, limit, self._room.reserved)
        except NoRoom as error:
            # the service has counted the read, though for less than it sent
            self._limit.spend(error.size, time())
            raise
        except (IteratorExpired, PositionTrimmed, ShardGone):
            self._iterator = None
            raise
        page.begins = begins
        self._iterator = page.next_iterator
        self._interval = self._pause_after(page, limit, interval)
        self._limit.spend(page.counted, time())
        return page

    def _pause_after(self, page: ShardPage, limit: int, interval: float) -> float:
        """Seconds until the next read; `interval` is the pause before this one."""
        options = self._stream.options
        again, self._ended = self._ended, page.next_iterator is None
        if self._ended:
            # a new iterator tells whether there is more; shards may wait for that one after the other
            return options.poll_interval if again else 1 / self._api.reads_per_second
        if page.records:
            full = len(page.records) >= limit
            return min(options.poll_interval, self._catching_up) if full else options.poll_interval
        if page.behind_seconds or self._shard.closed:
            # the page is empty, but more records follow: read on as fast as the service allows
            return 1 / self._api.reads_per_second
        slowest = max(options.poll_interval, options.idle_poll_interval)
        return min(slowest, max(options.poll_interval, interval * SLOWER))

    async def close(self) -> None:
        """The next page needs another iterator."""
        self._iterator = None
