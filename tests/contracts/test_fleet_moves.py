"""What every store of a fleet promises of a position that is moved while nobody works on its stream: it is replaced in
one step, once, and what is late by then changes nothing.
"""

import asyncio
import random
from dataclasses import replace

from poller.policy.actions import Action
from poller.policy.progress import ShardProgress, StreamProgress
from poller.ports.fleet import Claimed, FleetStore, Lease, Write
from tests.contracts.fleet_stores import world
from tests.contracts.test_fleet_stores import ONE, THREE, TWO, UUID, Stores, at, claimed, first

__all__ = ["world"]


async def moving(store: FleetStore) -> tuple[StreamProgress, StreamProgress]:
    """What stands, with one shard that a member has, one that nobody has and one that nobody ever had; and a seek."""
    await store.join(ONE, {})
    await store.open(UUID, first(a=at("1"), b=at("2", initial=True), c=at("3")))
    await claimed(store)
    await store.write(ONE, [Write(UUID, "a", 1, 1, at("900"))])
    await claimed(store, "b", TWO)
    await store.write(TWO, [Write(UUID, "b", 1, 1, at("800"), release=True, to=TWO)])
    await claimed(store, "new")
    await store.write(ONE, [Write(UUID, "new", 1, 1, ShardProgress(finished=True))])
    stood = await store.load(UUID)
    assert stood is not None
    return stood, first(a=ShardProgress(start=0.0), b=at("800", initial=True), c=ShardProgress(finished=True))


async def test_a_position_that_is_moved_is_replaced_whole_with_every_fence_raised_and_every_owner_gone(
    world: Stores,
) -> None:
    async with world as connect:
        store, other = await connect(), await connect()
        stood, wanted = await moving(store)
        assert await store.open(UUID, wanted, instead_of=stood, by=ONE) == wanted
        assert await other.load(UUID) == wanted
        leases = await other.leases(UUID)
        finished = leases.pop("c")
        assert (finished.owner, finished.finished) == (None, True)
        assert {shard: (one.owner, one.next, one.finished) for shard, one in leases.items()} == {
            "a": (None, None, False),
            "b": (None, None, False),
            "new": (None, None, False),
        }
        assert all(one.fence > 1 for one in leases.values())
        for shard, one in leases.items():
            progress = wanted.shards.get(shard, ShardProgress())
            assert await other.claim(UUID, shard, TWO, one) == Claimed(one.fence + 1, progress)


async def test_a_claim_and_a_save_that_arrive_after_a_move_change_nothing(world: Stores) -> None:
    async with world as connect:
        store, late = await connect(), await connect()
        stood, wanted = await moving(store)
        seen = await late.leases(UUID)
        await store.open(UUID, wanted, instead_of=stood, by=ONE)
        for progress, release in (
            (at("901"), False),
            (at("901"), True),
            (None, True),
            (ShardProgress(finished=True), False),
        ):
            assert await late.write(ONE, [Write(UUID, "a", 1, 2, progress, release=release)]) == {(UUID, "a")}
        assert await late.claim(UUID, "a", ONE, seen["a"]) is None
        assert await late.claim(UUID, "b", TWO, seen["b"]) is None
        assert await late.claim(UUID, "c", TWO, Lease()) is None
        assert await store.load(UUID) == wanted


async def test_a_move_that_arrives_late_or_again_replaces_no_later_one(world: Stores) -> None:
    async with world as connect:
        store, other = await connect(), await connect()
        stood, wanted = await moving(store)
        await store.open(UUID, wanted, instead_of=stood, by=ONE)
        assert await store.open(UUID, wanted, instead_of=stood, by=ONE) == wanted, "the answer was lost"
        fences = {shard: one.fence for shard, one in (await store.leases(UUID)).items()}
        assert await claimed(other, "a", ONE, (await other.leases(UUID))["a"]) == fences["a"] + 1
        await other.write(ONE, [Write(UUID, "a", fences["a"] + 1, 1, at("7"))])
        moved_on = await other.load(UUID)
        assert moved_on is not None
        assert await store.open(UUID, wanted, instead_of=stood, by=ONE) == moved_on
        back = first(a=at("900"))
        await other.open(UUID, back, instead_of=moved_on, by=ONE)
        assert await store.open(UUID, wanted, instead_of=stood, by=ONE) == back
        assert await store.open(UUID, wanted, instead_of=moved_on, by=ONE) == back
        assert await other.load(UUID) == back


async def test_a_dead_member_moves_nothing(world: Stores) -> None:
    async with world as connect:
        store, other = await connect(), await connect()
        stood, wanted = await moving(store)
        before = await other.leases(UUID)
        await other.bury(ONE, 0)
        assert await store.open(UUID, wanted, instead_of=stood, by=ONE) == stood
        assert await store.open(UUID, wanted, instead_of=stood, by=THREE) == stood, "one without a row"
        assert await other.leases(UUID) == before
        await other.sweep([ONE])
        assert await store.open(UUID, wanted, instead_of=stood, by=ONE) == stood
        await other.join(THREE, {})
        assert await store.open(UUID, wanted, instead_of=stood, by=THREE) == wanted


async def test_of_two_moves_at_one_instant_one_takes_place(world: Stores) -> None:
    async with world as connect:
        stores = [await connect() for _ in range(3)]
        stood, _ = await moving(stores[0])
        wishes = [first(a=at(str(number))) for number in range(3)]
        moves = (store.open(UUID, wish, instead_of=stood, by=ONE) for store, wish in zip(stores, wishes, strict=True))
        stands = [
            one for one in await asyncio.gather(*moves, return_exceptions=True) if isinstance(one, StreamProgress)
        ]
        assert stands == [await stores[0].load(UUID)] * len(stands)
        assert stands[0] in wishes


async def test_the_former_positions_of_thousands_of_shards_are_kept_with_the_seek(world: Stores) -> None:
    numbers = random.Random(1)
    before = {f"shardId-{number:012}": at(str(numbers.randrange(10**55, 10**56))) for number in range(4000)}
    seek = Action("id", 12.5, UUID, "orders", "seek", "moved", before=before)
    async with world as connect:
        store, other = await connect(), await connect()
        await store.note(seek)
        await store.note(replace(seek, id="small", at=13.5, before={}))
        assert await other.actions() == [replace(seek, id="small", at=13.5, before={}), seek]
