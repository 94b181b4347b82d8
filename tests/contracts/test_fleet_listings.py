"""What every store of a fleet promises of a stream's listing, which one member stores for all, and of what is kept for
people.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from poller.ports.fleet import LISTING, Lease, Published, Write
from poller.values.kept import LARGEST_BODY, Kept
from tests.contracts.fleet_stores import Connect, world
from tests.contracts.test_fleet_stores import ONE, TWO, UUID, claimed, first

__all__ = ["world"]

Stores = AbstractAsyncContextManager[Connect]


async def test_one_member_publishes_the_listing_and_all_read_it(world: Stores) -> None:
    async with world as connect:
        store, other = await connect(), await connect()
        await store.open(UUID, first())
        assert await other.published(UUID) is None
        assert await claimed(store, LISTING) == 1
        text = "é" * 20_000
        assert await store.publish(ONE, UUID, 1, 1, text)
        assert await other.published(UUID) == Published(1, 1, text)
        assert await other.published(UUID, 1 << 32 | 1) is None
        assert await store.publish(ONE, UUID, 1, 1, "again")
        assert not await store.publish(TWO, UUID, 1, 2, "not its own")
        assert await claimed(other, LISTING, TWO, Lease(ONE, 1)) == 2
        assert not await store.publish(ONE, UUID, 1, 9, "too late")
        assert await other.published(UUID) == Published(1, 1, text)
        assert await other.publish(TWO, UUID, 2, 1, "newer")
        assert await store.published(UUID, 1 << 32 | 1) == Published(2, 1, "newer")
        assert (await store.leases(UUID))[LISTING] == Lease(TWO, 2, 1)


async def test_the_listing_is_released_like_a_shard_and_is_no_shard_of_the_stream(world: Stores) -> None:
    async with world as connect:
        store = await connect()
        await store.open(UUID, first())
        await claimed(store, LISTING)
        await store.publish(ONE, UUID, 1, 1, "listed")
        assert not await store.write(ONE, [Write(UUID, LISTING, 1, 2, None, release=True, to=TWO)])
        assert await store.leases(UUID) == {LISTING: Lease(None, 1, 2, TWO)}
        assert await store.published(UUID) == Published(1, 1, "listed")
        assert (await store.load(UUID) or first()).shards == {}


async def test_what_is_kept_for_people_is_everybodys(world: Stores) -> None:
    async with world as connect:
        store, other, elsewhere = await connect(), await connect(), await connect(fleet="payments")
        first, second = Kept("failed", "a", 1.5, "é", "x" * LARGEST_BODY), Kept("failed", "b", 2.5, "{}")
        await store.keep(first)
        await store.keep(second)
        assert await other.kept("failed") == [second, replace(first, body="")]
        assert (await other.kept_one("failed", "a"), await other.kept_one("failed", "c")) == (first, None)
        await other.let_go("failed", ["a"])
        assert (await store.kept("failed"), await elsewhere.kept("failed")) == ([second], [])
