"""What every store of a fleet promises. Each write is tried as it should be, sent again, too late, and by another."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from poller.policy.actions import Action, Stage
from poller.policy.parts import PartState
from poller.policy.progress import LaneProgress, Paused, ShardProgress, StreamProgress
from poller.policy.response import Failed
from poller.policy.windows import Window, WindowProgress
from poller.ports.fleet import Claimed, FleetStore, Lease, MemberRow, MemberState, Write
from poller.values.stored_mapping import StoredMapping
from tests.contracts.fleet_stores import Connect, world

__all__ = ["world"]

Stores = AbstractAsyncContextManager[Connect]
ONE, TWO, THREE = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "123")
UUID = "aaaaaaaa-0000-4000-8000-000000000000"
OTHER = "bbbbbbbb-0000-4000-8000-000000000000"
ACTIVE, LEAVING, DEAD = MemberState.ACTIVE, MemberState.LEAVING, MemberState.DEAD


def at(position: str | None, *, initial: bool = False) -> ShardProgress:
    return ShardProgress((LaneProgress(position),), initial=initial)


def first(**shards: ShardProgress) -> StreamProgress:
    return StreamProgress("orders", "arn:stream", "epoch", 12.5, dict(shards))


async def claimed(store: FleetStore, shard: str = "a", member: str = ONE, seen: Lease | None = None) -> int:
    """The fence under which the member holds the shard now."""
    found = await store.claim(UUID, shard, member, seen or Lease())
    assert found is not None
    return found.fence


# members


async def test_members_join_and_beat_and_everybody_sees_it(world: Stores) -> None:
    async with world as connect:
        store, other = await connect(), await connect()
        assert await store.join(ONE, {"name": "é", "mappings": {UUID: "x"}})
        assert await other.join(TWO, {})
        assert await store.beat(ONE, 1, ACTIVE, 4)
        assert await other.beat(TWO, 7, LEAVING, 0, {"name": "b"})
        rows = {row.id: row for row in await store.members()}
        assert rows == {
            ONE: MemberRow(ONE, 1, ACTIVE, 4, {"name": "é", "mappings": {UUID: "x"}}),
            TWO: MemberRow(TWO, 7, LEAVING, 0, {"name": "b"}),
        }


async def test_a_join_or_beat_that_comes_late_or_again_changes_nothing(world: Stores) -> None:
    async with world as connect:
        store = await connect()
        assert await store.join(ONE, {"name": "a"})
        assert await store.beat(ONE, 5, ACTIVE, 2)
        assert await store.join(ONE, {"name": "again"})
        assert await store.beat(ONE, 5, LEAVING, 9, {"name": "again"})
        assert await store.beat(ONE, 3, LEAVING, 9)
        assert await store.members() == [MemberRow(ONE, 5, ACTIVE, 2, {"name": "a"})]


async def test_only_a_member_whose_beat_did_not_move_is_buried(world: Stores) -> None:
    async with world as connect:
        store = await connect()
        await store.join(ONE, {})
        await store.beat(ONE, 1, ACTIVE, 0)
        assert not await store.bury(ONE, 0)
        assert await store.beat(ONE, 2, ACTIVE, 0)
        assert await store.bury(ONE, 2)
        assert await store.bury(ONE, 2)


async def test_dead_is_final(world: Stores) -> None:
    async with world as connect:
        store = await connect()
        await store.join(ONE, {"name": "a"})
        await store.bury(ONE, 0)
        assert not await store.beat(ONE, 1, ACTIVE, 0)
        assert not await store.join(ONE, {"name": "a"})
        (row,) = await store.members()
        assert row.state is DEAD
        await store.join(TWO, {})
        await store.leave(TWO)
        await store.leave(TWO)
        assert not await store.beat(TWO, 1, ACTIVE, 0)


async def test_a_member_without_a_row_is_dead_and_can_be_made_so_for_good(world: Stores) -> None:
    async with world as connect:
        store = await connect()
        assert not await store.beat(ONE, 1, ACTIVE, 0)
        assert await store.members() == []
        assert await store.bury(ONE, None)
        assert await store.bury(ONE, None)
        assert not await store.join(ONE, {})
        await store.join(TWO, {})
        assert not await store.bury(TWO, None)


async def test_only_the_rows_of_the_dead_are_swept(world: Stores) -> None:
    async with world as connect:
        store = await connect()
        for member in (ONE, TWO, THREE):
            await store.join(member, {})
        await store.bury(TWO, 0)
        await store.sweep([ONE, TWO])
        await store.sweep([TWO])
        await store.sweep([])
        assert {row.id for row in await store.members()} == {ONE, THREE}


# claims


async def test_a_shard_is_claimed_with_all_that_is_stored_of_it(world: Stores) -> None:
    failed = Failed("Unhandled", "boom", "r", "$LATEST", 200, "Unhandled")
    lane = LaneProgress(
        "4", (PartState(3, "7", "9", 2, "r", failed),), WindowProgress(Window(60, 120, b'{"a":1}', 7), 60)
    )
    progress = ShardProgress((lane, LaneProgress(None)), initial=True)
    async with world as connect:
        store, other = await connect(), await connect()
        await store.open(UUID, first(a=at(None, initial=True)))
        assert await store.claim(UUID, "a", ONE, Lease()) == Claimed(1, at(None, initial=True))
        assert not await store.write(ONE, [Write(UUID, "a", 1, 1, progress)])
        assert await other.claim(UUID, "a", TWO, Lease(ONE, 1)) == Claimed(2, progress)
        assert await other.leases(UUID) == {"a": Lease(TWO, 2)}
        assert (await other.load(UUID) or first()).shards == {"a": progress}


async def test_a_shard_that_was_never_stored_is_claimed_with_nothing(world: Stores) -> None:
    async with world as connect:
        store = await connect()
        await store.open(UUID, first())
        assert await store.leases(UUID) == {}
        assert await store.claim(UUID, "a", ONE, Lease()) == Claimed(1, ShardProgress())


async def test_of_many_claims_one_wins(world: Stores) -> None:
    async with world as connect:
        stores = [await connect() for _ in range(3)]
        await stores[0].open(UUID, first())
        claims = [store.claim(UUID, "a", member, Lease()) for store in stores for member in (ONE, TWO, THREE)]
        won = [claim for claim in await asyncio.gather(*claims) if claim is not None]
        # the same member's claim is the same claim, sent again
        assert won == [Claimed(1, ShardProgress())] * 3


async def test_a_claim_sent_again_returns_the_same_and_a_late_one_nothing(world: Stores) -> None:
    async with world as connect:
        store = await connect()
        await store.open(UUID, first(a=at("1")))
        assert await store.claim(UUID, "a", ONE, Lease()) == Claimed(1, at("1"))
        assert await store.claim(UUID, "a", ONE, Lease()) == Claimed(1, at("1"))
        assert await store.claim(UUID, "a", TWO, Lease()) is None
        await store.write(ONE, [Write(UUID, "a", 1, 1, at("2"))])
        assert await store.claim(UUID, "a", ONE, Lease()) is None
        assert await store.claim(UUID, "a", ONE, Lease(ONE, 1)) == Claimed(2, at("2"))
        assert await store.claim(UUID, "a", TWO, Lease(ONE, 1)) is None


async def test_a_finished_shard_is_never_claimed(world: Stores) -> None:
    async with world as connect:
        store = await connect()
        await store.open(UUID, first(done=ShardProgress(initial=True, finished=True)))
        fence = await claimed(store)
        assert not await store.write(ONE, [Write(UUID, "a", fence, 1, ShardProgress(finished=True))])
        leases = await store.leases(UUID)
        assert {shard for shard, lease in leases.items() if lease.finished} == {"a", "done"}
        for shard, lease in leases.items():
            assert lease.owner is None
            assert await store.claim(UUID, shard, TWO, lease) is None


# saves and releases


async def test_every_shard_of_one_write_is_judged_by_itself(world: Stores) -> None:
    async with world as connect:
        store = await connect()
        await store.open(UUID, first())
        await store.open(OTHER, first())
        mine = [f"s{number}" for number in range(30)]
        for shard in mine:
            await claimed(store, shard)
        await claimed(store, "theirs", TWO)
        await store.claim(OTHER, "s0", ONE, Lease())
        writes = [Write(UUID, shard, 1, 1, at(shard)) for shard in [*mine, "theirs", "unknown"]]
        lost = await store.write(ONE, [*writes, Write(OTHER, "s0", 1, 1, at("x")), Write("gone", "s0", 1, 1, at("1"))])
        assert lost == {(UUID, "theirs"), (UUID, "unknown"), ("gone", "s0")}
        assert (await store.load(UUID) or first()).shards == {shard: at(shard) for shard in mine}
        assert (await store.load(OTHER) or first()).shards == {"s0": at("x")}
        assert await store.write(ONE, []) == set()


async def test_a_save_sent_again_or_late_is_not_lost_and_changes_nothing(world: Stores) -> None:
    async with world as connect:
        store = await connect()
        await store.open(UUID, first())
        await claimed(store)
        assert not await store.write(ONE, [Write(UUID, "a", 1, 2, at("2"))])
        assert not await store.write(ONE, [Write(UUID, "a", 1, 2, at("other"))])
        assert not await store.write(ONE, [Write(UUID, "a", 1, 1, at("1"))])
        assert (await store.load(UUID) or first()).shards == {"a": at("2")}
        assert await store.leases(UUID) == {"a": Lease(ONE, 1, 2)}


async def test_nothing_is_stored_under_an_older_fence(world: Stores) -> None:
    async with world as connect:
        store = await connect()
        await store.open(UUID, first())
        await claimed(store)
        # adopted: the same member, which did not know that its claim was stored
        assert await claimed(store, seen=Lease(ONE, 1)) == 2
        assert await store.write(ONE, [Write(UUID, "a", 1, 9, at("old"))]) == {(UUID, "a")}
        assert await claimed(store, member=TWO, seen=Lease(ONE, 2)) == 3
        for fence in (1, 2, 3, 4):
            assert await store.write(ONE, [Write(UUID, "a", fence, 99, at("old"))]) == {(UUID, "a")}
            assert await store.write(ONE, [Write(UUID, "a", fence, 99, None, release=True)]) == {(UUID, "a")}
        assert await store.leases(UUID) == {"a": Lease(TWO, 3)}


async def test_a_release_stores_the_last_progress_and_names_the_next_owner(world: Stores) -> None:
    async with world as connect:
        store = await connect()
        await store.open(UUID, first())
        await claimed(store)
        release = Write(UUID, "a", 1, 1, at("5"), release=True, to=TWO)
        assert not await store.write(ONE, [release])
        assert await store.leases(UUID) == {"a": Lease(None, 1, 1, TWO)}
        assert not await store.write(ONE, [release])
        assert await store.write(ONE, [Write(UUID, "a", 1, 2, at("6"))]) == {(UUID, "a")}
        assert await store.claim(UUID, "a", TWO, Lease(None, 1, 1, TWO)) == Claimed(2, at("5"))
        assert await store.leases(UUID) == {"a": Lease(TWO, 2)}
        assert await store.write(ONE, [release]) == {(UUID, "a")}


async def test_a_release_without_progress_leaves_the_stored_one(world: Stores) -> None:
    async with world as connect:
        store = await connect()
        await store.open(UUID, first(a=at("1", initial=True)))
        await claimed(store)
        assert not await store.write(ONE, [Write(UUID, "a", 1, 1, None, release=True)])
        assert await store.claim(UUID, "a", TWO, Lease(None, 1)) == Claimed(2, at("1", initial=True))


async def test_a_finished_shard_sent_again_is_not_lost(world: Stores) -> None:
    async with world as connect:
        store = await connect()
        await store.open(UUID, first())
        await claimed(store)
        finish = Write(UUID, "a", 1, 1, ShardProgress(finished=True))
        assert not await store.write(ONE, [finish])
        assert not await store.write(ONE, [finish])
        assert await store.leases(UUID) == {"a": Lease(None, 1, 1, None, finished=True)}
        assert (await store.load(UUID) or first()).shards == {"a": ShardProgress(finished=True)}


# mappings


async def test_a_mapping_is_opened_once_for_all_daemons(world: Stores) -> None:
    async with world as connect:
        stores = [await connect() for _ in range(3)]
        starts = [StreamProgress("orders", "arn:stream", "epoch", float(number), {}) for number in range(3)]
        opened = await asyncio.gather(*(store.open(UUID, one) for store, one in zip(stores, starts, strict=True)))
        assert opened[0] in starts
        assert opened == [opened[0]] * 3
        assert await stores[0].load(UUID) == opened[0]
        assert await stores[0].load(OTHER) is None
        assert await stores[1].stored() == {UUID: ("orders", "arn:stream")}


async def test_a_thousand_initial_shards_are_opened_and_loaded(world: Stores) -> None:
    async with world as connect:
        store = await connect()
        shards = {f"shardId-{number:012}": at(None, initial=True) for number in range(1000)}
        await store.open(UUID, first(**shards))
        assert await (await connect()).load(UUID) == first(**shards)


async def test_after_a_stream_was_replaced_nothing_of_the_old_one_can_be_stored(world: Stores) -> None:
    async with world as connect:
        store = await connect()
        old = await store.open(UUID, first())
        await claimed(store)
        await store.write(ONE, [Write(UUID, "a", 1, 1, at("900"))])
        new = StreamProgress("orders", "arn:stream", "another", None, {})
        assert await store.open(UUID, new, instead_of=old) == new
        assert await store.write(ONE, [Write(UUID, "a", 1, 2, at("901"))]) == {(UUID, "a")}
        seen = (await store.leases(UUID))["a"]
        assert (seen.owner, seen.finished) == (None, False)
        assert await claimed(store, seen=seen) == seen.fence + 1 > 2
        assert await store.write(ONE, [Write(UUID, "a", 1, 3, at("902"))]) == {(UUID, "a")}
        assert (await store.load(UUID) or first()).shards.get("a", ShardProgress()).position is None
        assert await store.open(UUID, first(), instead_of=old) == await store.load(UUID)


async def test_only_finished_shards_are_dropped(world: Stores) -> None:
    async with world as connect:
        store = await connect()
        await store.open(UUID, first())
        for shard in ("a", "b"):
            await claimed(store, shard)
        await store.write(ONE, [Write(UUID, "a", 1, 1, ShardProgress(finished=True))])
        await store.drop(UUID, {"a", "b", "unknown"})
        await store.drop(UUID, {"a"})
        await store.drop(UUID, ())
        assert set(await store.leases(UUID)) == {"b"}


async def test_what_a_holder_saves_of_a_forgotten_mapping_is_lost(world: Stores) -> None:
    async with world as connect:
        store = await connect()
        await store.open(UUID, first(a=at("1")))
        await store.open(OTHER, first(a=at("2")))
        await claimed(store)
        await store.forget(UUID)
        assert await store.load(UUID) is None
        assert await store.leases(UUID) == {}
        assert await store.write(ONE, [Write(UUID, "a", 1, 1, at("2"))]) == {(UUID, "a")}
        assert await store.load(UUID) is None
        assert await store.load(OTHER) == first(a=at("2"))


async def test_pauses_are_everybodys(world: Stores) -> None:
    async with world as connect:
        store, other = await connect(), await connect()
        await store.pause(UUID, Paused(12.5, "orders"))
        await store.pause(OTHER, Paused(13.0))
        assert await other.paused() == {UUID: Paused(12.5, "orders"), OTHER: Paused(13.0)}
        await other.resume(UUID)
        await other.resume(UUID)
        assert await store.paused() == {OTHER: Paused(13.0)}


async def test_the_action_log_is_everybodys_the_latest_first(world: Stores) -> None:
    begun = [
        Action(f"a{n}", 12.5 + n, UUID, "orders", "skip", "é", "ann", "page", "why", Stage.BEGUN) for n in range(3)
    ]
    async with world as connect:
        store, other = await connect(), await connect()
        for action in begun:
            await store.note(action)
        done = replace(begun[1], stage=Stage.DONE, effect="it is done")
        await other.note(done)
        assert await store.actions() == [begun[2], done, begun[0]]


async def test_a_made_mapping_is_everybodys_and_of_two_that_change_it_one_does(world: Stores) -> None:
    async with world as connect:
        store, other, elsewhere = await connect(), await connect(), await connect(fleet="payments")
        made = StoredMapping(UUID, {"BatchSize": 1, "Tags": {"é": ""}}, 1, 12.5)
        assert not await store.write_mapping(replace(made, revision=2))
        assert await store.write_mapping(made)
        assert await store.write_mapping(made)
        assert not await other.write_mapping(replace(made, parameters={}))
        assert await other.write_mapping(replace(made, revision=2, deleted=True))
        assert not await store.write_mapping(replace(made, revision=2))
        assert await store.mappings() == {UUID: replace(made, revision=2, deleted=True)}
        assert await elsewhere.mappings() == {}
        await elsewhere.remove_mapping(UUID)
        await store.forget(UUID)
        assert set(await store.mappings()) == {UUID}
        for _ in range(2):
            await other.remove_mapping(UUID)
        assert await store.mappings() == {}


async def test_the_version_of_the_made_mappings_changes_for_all_with_each_change(world: Stores) -> None:
    async with world as connect:
        store, other = await connect(), await connect()
        versions = [await (await connect(fleet="payments")).mappings_version()]
        for uuid, revision in ((UUID, 1), (UUID, 2), ("another", 1)):
            assert await store.write_mapping(StoredMapping(uuid, {}, revision, 1.0))
            versions.append(await other.mappings_version())
        assert len({*versions}) == len(versions)


async def test_two_fleets_of_one_store_see_nothing_of_each_other(world: Stores) -> None:
    async with world as connect:
        store, other = await connect(fleet="orders"), await connect(fleet="payments")
        await store.join(ONE, {})
        await store.open(UUID, first(a=at("1")))
        await claimed(store)
        await store.pause(UUID, Paused(1.0))
        assert await other.members() == []
        assert await other.leases(UUID) == {}
        assert await other.load(UUID) is None
        assert await other.stored() == {}
        assert await other.paused() == {}
        assert not await other.beat(ONE, 1, ACTIVE, 0)
        await other.open(UUID, first())
        assert await claimed(other, member=TWO) == 1
