"""One daemon on a shared store: the last one to start has the positions, and the one before is told so."""

import asyncio

import pytest

from poller.policy.progress import LaneProgress, ShardProgress, StreamProgress
from poller.ports.fleet import Lease
from poller.state.memory.fleet import MemoryFleet, Rows
from poller.state.sole import Sole
from poller.values.errors import StateError


def at(position):
    return ShardProgress((LaneProgress(position),))


def mapping(**shards):
    return StreamProgress("orders", "arn:stream", "epoch", None, dict(shards))


async def shards_of(store: Sole):
    stored = await store.load("u")
    assert stored is not None
    return stored.shards


class AwayOnce(MemoryFleet):
    """The answer of the next claim is lost, after it took effect."""

    away = True

    async def claim(self, *arguments):
        claimed = await super().claim(*arguments)
        if self.away:
            self.away = False
            raise StateError("the store does not answer")
        return claimed


@pytest.fixture
def rows():
    return Rows()


async def test_a_daemon_stores_nothing_over_its_successor(rows):
    before, after = Sole(MemoryFleet(rows), "before"), Sole(MemoryFleet(rows), "after")
    await before.open("u", mapping())
    await before.save("u", "a", at("1"))
    assert await shards_of(after) == {"a": at("1")}
    await after.save("u", "a", at("2"))
    for _ in range(2):
        with pytest.raises(StateError, match="another daemon works on the shard a by now"):
            await before.save("u", "a", at("3"))
    assert await shards_of(after) == {"a": at("2")}


async def test_what_is_refused_of_one_shard_leaves_the_others_alone(rows):
    before, after = Sole(MemoryFleet(rows), "before"), Sole(MemoryFleet(rows), "after")
    await before.open("u", mapping())
    await asyncio.gather(*(before.save("u", shard, at("1")) for shard in "ab"))
    await after.save("u", "a", at("2"))
    one, other = await asyncio.gather(*(before.save("u", shard, at("3")) for shard in "ab"), return_exceptions=True)
    assert isinstance(one, StateError)
    assert other is None
    assert await shards_of(after) == {"a": at("2"), "b": at("3")}


async def test_a_claim_whose_answer_was_lost_is_made_again(rows):
    store = Sole(AwayOnce(rows), "only")
    await store.open("u", mapping())
    with pytest.raises(StateError, match="does not answer"):
        await store.save("u", "a", at("1"))
    await store.save("u", "a", at("2"))
    assert rows.leases == {"u": {"a": Lease("only", 2, rows.leases["u"]["a"].version)}}
    assert await shards_of(store) == {"a": at("2")}


async def test_a_shard_that_another_daemon_finished_is_not_worked_on_again(rows):
    before, after = Sole(MemoryFleet(rows), "before"), Sole(MemoryFleet(rows), "after")
    await before.open("u", mapping())
    await after.save("u", "a", ShardProgress(finished=True))
    with pytest.raises(StateError, match="has finished the shard a; restart"):
        await before.save("u", "a", at("3"))
    assert await shards_of(after) == {"a": ShardProgress(finished=True)}


async def test_a_shard_is_claimed_once_in_a_life(rows):
    store = Sole(MemoryFleet(rows), "only")
    await store.open("u", mapping())
    for position in range(5):
        await store.save("u", "a", at(str(position)))
    # opened, claimed, and five saves
    assert rows.writes == 7
