"""What every store of positions promises, over all of them."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from poller.policy.actions import MOST_ACTIONS, Action, Stage
from poller.policy.parts import PartState
from poller.policy.progress import LaneProgress, Paused, ShardProgress, StreamProgress
from poller.policy.response import Failed, Succeeded
from poller.policy.windows import Window, WindowProgress
from poller.state.memory.fleet import MemoryFleet, Rows
from poller.state.memory.store import MemoryStore
from poller.state.sole import Sole, new_member
from poller.state.sqlite.store import SqliteState
from poller.values.kept import Kept
from poller.values.stored_mapping import StoredMapping

PARTS = (
    PartState(3, "7", "9"),
    PartState(1, "6", "6", 2, "r", Failed("Unhandled", "boom", "r", "$LATEST", 200, "Unhandled")),
    PartState(1, "5", "5", 4, "q", Succeeded(b"", "q", "3"), "RetryAttemptsExhausted"),
)


def progress(**shards):
    return StreamProgress("orders", "arn:stream", "epoch", 12.5, dict(shards))


def lanes(*positions, retry=()):
    return ShardProgress(tuple(LaneProgress(position, retry) for position in positions))


@pytest.fixture(params=["memory", "sqlite", "shared"])
def opened(request, tmp_path):
    """Opens the store, each time the same one; a store in memory is one for its life."""
    memory, rows = MemoryStore(), Rows()
    stores: list[Any] = []

    def open_store():
        if request.param == "memory":
            return memory
        if request.param == "shared":
            return Sole(MemoryFleet(rows), new_member())
        for store in stores:
            store.close()
        stores[:] = [SqliteState(tmp_path / "state.db")]
        return stores[0]

    yield open_store
    for store in stores:
        store.close()


async def test_nothing_is_known_of_a_new_mapping(opened):
    store = opened()
    assert await store.load("u") is None
    assert await store.stored() == {}


async def test_what_was_stored_is_read_again_by_the_next_process(opened):
    store = opened()
    first = ShardProgress((LaneProgress("4", PARTS), LaneProgress(None)), initial=True)
    await store.open("u", progress(a=first, b=ShardProgress(finished=True)))
    assert await opened().load("u") == progress(a=first, b=ShardProgress(finished=True))


async def test_window_and_carried_state_are_stored_with_the_position(opened):
    store = opened()
    open_window = Window(60, 120, '{"é":1}'.encode(), 7, terminated_early=True)
    windows = (WindowProgress(open_window, 60), WindowProgress(None, 60), WindowProgress())
    shard = ShardProgress(tuple(LaneProgress("4", PARTS, window) for window in windows))
    await store.open("u", progress(a=shard))
    store = opened()
    assert (await store.load("u")).shards == {"a": shard}
    moved = ShardProgress((LaneProgress("5", (), WindowProgress(None, 120)), *shard.lanes[1:]))
    await store.save("u", "a", moved)
    assert (await opened().load("u")).shards == {"a": moved}


async def test_a_shard_is_stored_as_a_whole(opened):
    store = opened()
    await store.open("u", progress())
    await store.save("u", "a", lanes("1", "2", "3", retry=PARTS))
    await store.save("u", "a", lanes("5", "2", "3"))
    await store.save("u", "b", lanes("1"))
    await store.save("u", "a", lanes("9"))
    assert (await opened().load("u")).shards == {"a": lanes("9"), "b": lanes("1")}


async def test_calls_made_together_are_written_together_and_the_last_counts(opened):
    store = opened()
    await store.open("u", progress())
    shards = [f"s{number}" for number in range(50)]
    await asyncio.gather(*(store.save("u", shard, lanes(str(turn))) for turn in range(5) for shard in shards))
    assert (await opened().load("u")).shards == {shard: lanes("4") for shard in shards}


async def test_beginning_anew_forgets_everything_before(opened):
    store = opened()
    await store.open("u", progress(a=lanes("1")))
    anew = store.open("u", progress(b=lanes(None)), instead_of=progress())
    await asyncio.gather(store.save("u", "a", lanes("2")), anew, return_exceptions=True)
    assert (await opened().load("u")).shards == {"b": lanes(None)}


async def test_the_first_to_open_a_mapping_decides_where_it_starts(opened):
    store = opened()
    first = progress(a=ShardProgress(initial=True))
    assert await store.open("u", first) == first
    second = StreamProgress("orders", "arn:stream", "epoch", 99.0, {"b": lanes("7")})
    assert await store.open("u", second) == first
    assert await opened().load("u") == first


async def test_a_stream_is_given_up_once_for_the_one_that_replaced_it(opened):
    store = opened()
    old = await store.open("u", progress(a=lanes("1")))
    new = StreamProgress("orders", "arn:stream", "another epoch", None, {})
    assert await store.open("u", new, instead_of=old) == new
    await store.save("u", "b", lanes("2"))
    again = StreamProgress("orders", "arn:stream", "another epoch", 5.0, {})
    assert await store.open("u", again, instead_of=old) == await opened().load("u")
    assert (await opened().load("u")).shards == {"b": lanes("2")}


async def test_dropped_shards_and_forgotten_mappings_are_gone_and_no_others(opened):
    store = opened()
    await store.open("u", progress(a=ShardProgress(finished=True), b=lanes("2")))
    await store.open("w", progress(a=lanes("3")))
    await store.drop("u", {"a"})
    assert await store.stored() == {"u": ("orders", "arn:stream"), "w": ("orders", "arn:stream")}
    await store.forget("w")
    store = opened()
    assert (await store.load("u")).shards == {"b": lanes("2")}
    assert await store.load("w") is None


async def test_a_shard_stored_again_after_it_was_forgotten_is_whole(opened):
    store = opened()
    await store.open("u", progress(a=lanes("1", "1")))
    await store.open("u", progress(), instead_of=progress())
    await store.save("u", "a", lanes("1", "1"))
    assert (await opened().load("u")).shards == {"a": lanes("1", "1")}


async def test_pauses_are_remembered_apart_from_positions(opened):
    store = opened()
    await store.pause("u", Paused(12.5, "orders"))
    await store.pause("of a queue", Paused(13.0))
    await store.open("u", progress(a=lanes("1")))
    await store.forget("u")
    store = opened()
    assert await store.paused() == {"u": Paused(12.5, "orders"), "of a queue": Paused(13.0)}
    assert await store.stored() == {}
    await store.resume("u")
    await store.resume("never paused")
    await store.pause("of a queue", Paused(14.0))
    assert await opened().paused() == {"of a queue": Paused(14.0)}


def an_action(number):
    return Action(f"a{number}", 12.5 + number, "u", "orders", "skip", "é\ud800", "ann", "page", "why", Stage.BEGUN)


async def test_actions_are_kept_with_what_became_of_them_the_latest_first(opened):
    store = opened()
    for number in range(3):
        await store.note(an_action(number))
    done = replace(an_action(1), stage=Stage.DONE, effect="it is done")
    await store.note(done)
    assert await opened().actions() == [an_action(2), done, an_action(0)]


async def test_a_shard_that_a_person_moved_keeps_its_instant_and_an_action_the_former_progress(opened):
    store = opened()
    shards = {"a": ShardProgress(start=0.0), "b": ShardProgress(start=12.25), "c": lanes("1", retry=PARTS)}
    await store.open("u", progress(**shards))
    kept = replace(an_action(1), before={**shards, "d": None}, undoes="a0")
    await store.note(kept)
    store = opened()
    assert (await store.load("u")).shards == shards
    assert await store.actions() == [kept]
    await store.save("u", "a", ShardProgress((LaneProgress("3"),), start=0.0))
    await store.save("u", "b", ShardProgress())
    again = (await opened().load("u")).shards
    assert (again["a"].start, again["b"].start) == (0.0, None)


async def test_the_oldest_actions_are_forgotten(opened):
    store = opened()
    for number in range(MOST_ACTIONS + 2):
        await store.note(an_action(number))
    kept = await store.actions()
    assert (len(kept), kept[0], kept[-1]) == (MOST_ACTIONS, an_action(MOST_ACTIONS + 1), an_action(2))


async def test_what_is_kept_for_people_is_listed_the_latest_first_without_its_body_and_let_go(opened):
    store = opened()
    first, second, other = (
        Kept("failed", "a", 1.5, "{}", "x"),
        Kept("failed", "b", 2.5, "é"),
        Kept("redrive", "a", 1, ""),
    )
    for one in (first, second, other, replace(first, about="[]", body="y" * 1000)):
        await store.keep(one)
    store = opened()
    assert await store.kept("failed") == [second, replace(first, about="[]", body="")]
    assert await store.kept_one("failed", "a") == replace(first, about="[]", body="y" * 1000)
    await store.let_go("failed", ["a", "never there"])
    assert (await store.kept_one("failed", "a"), await store.kept("failed")) == (None, [second])
    assert await opened().kept("redrive") == [other]


MADE = {
    "EventSourceArn": "arn:é",
    "BatchSize": 7,
    "Tags": {"a": "b"},
    "FilterCriteria": {"Filters": [{"Pattern": "{}"}]},
}


async def test_a_mapping_that_was_made_is_there_for_the_next_process(opened):
    store = opened()
    first = StoredMapping("u", MADE, 1, 12.25)
    assert await store.mappings() == {}
    assert await store.write_mapping(first)
    assert await store.write_mapping(StoredMapping("w", {}, 1, 13.0, deleted=True))
    assert await opened().mappings() == {"u": first, "w": StoredMapping("w", {}, 1, 13.0, deleted=True)}


async def test_only_the_revision_after_the_stored_one_is_stored(opened):
    store = opened()
    assert not await store.write_mapping(StoredMapping("u", MADE, 2, 1.0))
    assert await store.write_mapping(StoredMapping("u", MADE, 1, 1.0))
    # as after an answer that was lost
    assert await store.write_mapping(StoredMapping("u", MADE, 1, 1.0))
    for revision in (1, 3):
        assert not await store.write_mapping(StoredMapping("u", {}, revision, 2.0))
    second = StoredMapping("u", {"BatchSize": 1}, 2, 2.0)
    assert await store.write_mapping(second)
    assert await opened().mappings() == {"u": second}


async def test_the_version_of_the_made_mappings_is_another_after_each_change(opened):
    store = opened()
    versions = [await store.mappings_version()]
    for mapping in (StoredMapping("u", MADE, 1, 1.0), StoredMapping("w", {}, 1, 1.0), StoredMapping("u", {}, 2, 1.0)):
        await store.write_mapping(mapping)
        versions.append(await store.mappings_version())
    assert len(set(versions)) == len(versions)
    assert await opened().mappings_version() == versions[-1]


async def test_a_mapping_that_was_made_goes_apart_from_its_position_and_its_pause(opened):
    store = opened()
    await store.write_mapping(StoredMapping("u", MADE, 1, 1.0))
    await store.open("u", progress(a=lanes("1")))
    await store.pause("u", Paused(1.0))
    await store.forget("u")
    assert set(await store.mappings()) == {"u"}
    await store.remove_mapping("u")
    await store.remove_mapping("never made")
    store = opened()
    assert await store.mappings() == {}
    assert await store.paused() == {"u": Paused(1.0)}
    assert await store.write_mapping(StoredMapping("u", MADE, 1, 2.0))
