"""What every store of a fleet promises of what is kept for people."""

from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from poller.values.kept import LARGEST_BODY, Kept
from tests.contracts.fleet_stores import Connect, world

__all__ = ["world"]

Stores = AbstractAsyncContextManager[Connect]


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
