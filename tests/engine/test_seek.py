"""Seek and undo: exactly the interval again, nothing unaccounted, and nothing lost wherever the process dies."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from poller.policy.actions import Asked, Pause, Resume, Seek, Undo
from poller.policy.progress import LaneProgress
from poller.policy.seeking import Target
from poller.state.memory.store import MemoryStore
from poller.values.errors import NotPossible, StateError
from tests.engine.house import SOFT_STOP, House, living
from tests.fakes.aws import FakeAws
from tests.fakes.lambda_service import function_error
from tests.fakes.queue import loop_time
from tests.virtual_time import EPOCH

ANN = Asked("ann")
KEYS = [f"key {number}" for number in range(12)]


def put(stream: Any, keys: list[str]) -> list[str]:
    """Their sequence numbers."""
    return [stream.put(key, key) if hasattr(stream, "encrypted") else stream.put(key) for key in keys]


def make(house: House, kind: str, shards: int = 1) -> Any:
    streams = house.aws.streams
    return streams.stream("s", shards) if kind == "kinesis" else streams.table("s", shards)


def delivered(house: House) -> list[str]:
    """Sequence numbers in the order in which the function succeeded on them."""
    ended = [one for one in house.invoked().all if one.ended is not None]
    return [number for one in ended for number in one.identifiers if number in one.succeeded]


async def order(house: House, wanted: Any, *, dry_run: bool = False) -> Any:
    return await house.steering.act("a", wanted, ANN, dry_run=dry_run)


def of_stream(house: House, stream: Any, **parameters: Any) -> Any:
    return house.mapping("a", stream=stream, **{"starting_position": "TRIM_HORIZON", "batch_size": 3, **parameters})


@pytest.mark.parametrize("factor", [1, 3])
@pytest.mark.parametrize("kind", ["kinesis", "dynamodb"])
async def test_a_seek_back_delivers_exactly_the_interval_again(kind, factor):
    house = House()
    stream = make(house, kind)
    async with living(of_stream(house, stream, parallelization_factor=factor), house=house):
        numbers = put(stream, KEYS[:4])
        await asyncio.sleep(10)
        middle = EPOCH + loop_time()
        numbers += put(stream, KEYS[4:])
        await asyncio.sleep(10)
        shard = house.of("a").partitions[0].id
        for target, first in (
            (Target("TRIM_HORIZON"), 0),
            (Target("AT_SEQUENCE_NUMBER", sequence_number=numbers[7], shard=shard), 7),
            (Target("AT_TIMESTAMP", middle, shard=shard), 4),
            (Target("AT_TIMESTAMP", middle), 4),
            (Target("LATEST"), None),
        ):
            before, again = len(delivered(house)), [] if first is None else numbers[first:]
            assert (await order(house, Seek(target))).action.stage.value == "done"
            await asyncio.sleep(20)
            # lanes are ordered by key, and not among each other
            assert sorted(delivered(house)[before:], key=int) == again, target
            if factor == 1:
                assert delivered(house)[before:] == again
            (more,) = put(stream, [f"key {len(numbers)} more"])
            numbers.append(more)
            await asyncio.sleep(5)
            assert delivered(house)[-1] == more
        account = house.of("a").account
        assert (account.unaccounted(house.of("a").in_flight()), house.aws.streams.ledger.lost()) == (0, set())


@pytest.mark.parametrize("kind", ["kinesis", "dynamodb"])
async def test_undo_goes_back_to_where_it_was_with_the_attempts_of_that_time(kind):
    house = House()
    stream = make(house, kind)
    async with living(of_stream(house, stream, batch_size=1), house=house):
        numbers = put(stream, KEYS[:3])
        await asyncio.sleep(5)
        house.aws.functions["fn"].handler = lambda _: function_error()
        stuck = put(stream, ["stuck"])
        await asyncio.sleep(20)
        attempts = house.of("a").partitions[0].lanes[0].held.part.attempts
        assert attempts >= 4
        sought = await order(house, Seek(Target("LATEST")))
        assert any("attempts" in sentence for sentence in sought.impact)
        house.aws.functions["fn"].handler = lambda _: None
        await asyncio.sleep(10)
        assert delivered(house) == numbers
        house.aws.functions["fn"].handler = lambda _: function_error()
        undone = await order(house, Undo())
        assert (undone.action.undoes, undone.action.stage.value) == (sought.action.id, "done")
        await asyncio.sleep(5)
        assert house.of("a").partitions[0].lanes[0].held.part.attempts > attempts
        house.aws.functions["fn"].handler = lambda _: None
        await asyncio.sleep(60)
        assert delivered(house) == numbers + stuck
        with pytest.raises(NotPossible, match="no seek of this mapping can be undone"):
            await order(house, Undo())


async def test_a_preview_moves_nothing():
    house = House()
    stream = make(house, "kinesis", 2)
    async with living(of_stream(house, stream), house=house):
        put(stream, KEYS)
        await asyncio.sleep(10)
        before = await house.store.load("uuid of a")
        told = await order(house, Seek(Target("TRIM_HORIZON")), dry_run=True)
        assert "2 shards are read from the oldest record" in told.impact[0]
        await asyncio.sleep(10)
        assert await house.store.load("uuid of a") == before
        assert (len(delivered(house)), await house.steering.actions()) == (len(KEYS), [])


async def test_a_paused_mapping_is_moved_and_stays_paused():
    house = House()
    stream = make(house, "kinesis")
    async with living(of_stream(house, stream), house=house):
        put(stream, KEYS)
        await asyncio.sleep(10)
        await order(house, Pause())
        await asyncio.sleep(SOFT_STOP)
        await order(house, Seek(Target("TRIM_HORIZON")))
        await asyncio.sleep(100)
        assert (house.of("a").state.value, len(delivered(house))) == ("paused", len(KEYS))
        await order(house, Resume())
        await asyncio.sleep(10)
        assert len(delivered(house)) == 2 * len(KEYS)


async def test_children_are_read_again_after_their_parents():
    house = House()
    stream = make(house, "kinesis")
    async with living(of_stream(house, stream), house=house):
        first = put(stream, KEYS)
        stream.split(stream.open_shards()[0])
        second = put(stream, KEYS)
        await asyncio.sleep(60)
        assert sorted(delivered(house), key=int) == first + second
        await order(house, Seek(Target("TRIM_HORIZON")))
        await asyncio.sleep(60)
        again = delivered(house)[len(first + second) :]
        assert (again[: len(first)], sorted(again, key=int)) == (first, first + second)


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (Target("AT_TIMESTAMP", EPOCH + 1e6), "in the future"),
        (Target("LATEST", shard="nowhere"), "does not list a shard nowhere"),
        (Target("AT_SEQUENCE_NUMBER", sequence_number="x", shard="shardId-000000000000"), "decimal number"),
        (Target("AT_SEQUENCE_NUMBER", sequence_number="1", shard="shardId-000000000000"), "refuses"),
    ],
)
async def test_what_the_stream_does_not_have_is_refused_before_anything_stops(target, why):
    house = House()
    stream = make(house, "kinesis")
    async with living(of_stream(house, stream), house=house):
        stream.put(KEYS[0], "data")
        await asyncio.sleep(5)
        with pytest.raises(NotPossible, match=why):
            await order(house, Seek(target))
        assert (house.of("a").state.value, await house.steering.actions()) == ("running", [])


async def test_a_queue_has_no_position_and_a_second_seek_waits_for_no_first():
    house = House()
    stream = make(house, "kinesis")
    async with living(house.mapping("a"), house=house):
        with pytest.raises(NotPossible):
            await order(house, Seek(Target("LATEST")))
    house = House()
    stream = make(house, "kinesis")
    async with living(of_stream(house, stream), house=house):
        house.aws.functions["fn"].delay = 20.0
        put(stream, KEYS[:3])
        await asyncio.sleep(2)
        begun = await order(house, Seek(Target("TRIM_HORIZON")))
        assert begun.action.stage.value == "begun", "an invocation runs, and is waited for"
        with pytest.raises(NotPossible, match="moved already"):
            await order(house, Seek(Target("LATEST")))
        await asyncio.sleep(60)
        assert [action.stage.value for action in await house.steering.actions()] == ["failed", "done"]
        assert len(delivered(house)) == 6


class Mortal:
    """One process's hold of a store: it dies at a given write, before or after that is done."""

    def __init__(self, file: MemoryStore) -> None:
        self.file = file
        self.dead = False
        self._left = -1
        self._after = False

    def die_at(self, write: int, *, after: bool) -> None:
        """Counted from now on, the first is 1."""
        self._left, self._after = write, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    async def _write(self, write: Callable[[], Awaitable[Any]]) -> Any:
        self._left -= 1
        dies = self._left == 0
        if self.dead or (dies and not self._after):
            self.dead = True
            raise StateError("the process is dead")
        found = await write()
        if dies:
            self.dead = True
            raise StateError("the process is dead")
        return found

    async def open(self, uuid: str, first: Any, **named: Any) -> Any:
        return await self._write(lambda: self.file.open(uuid, first, **named))

    async def save(self, uuid: str, shard_id: str, progress: Any) -> None:
        await self._write(lambda: self.file.save(uuid, shard_id, progress))

    async def note(self, action: Any) -> None:
        await self._write(lambda: self.file.note(action))


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("write", range(1, 7))
async def test_a_death_at_any_write_of_a_seek_loses_nothing_and_a_seek_that_took_place_is_undone(write, after):
    aws = FakeAws()
    aws.latency = 0.01
    stream = aws.stream("s")
    file = MemoryStore()
    store = Mortal(file)

    async def life(store: Any, story: Any) -> House:
        house = House(store, aws)
        await house.open()
        house.mappings.apply([of_stream(house, stream)])
        house.start()
        try:
            await story(house)
        except (StateError, NotPossible):
            assert store.dead
        hard = asyncio.Event()
        hard.set()
        await house.stop(hard)
        await house.close()
        return house

    numbers = put(stream, KEYS)

    async def seek(house: House) -> None:
        await asyncio.sleep(10)
        stream.put("running", "x")
        store.die_at(write, after=after)
        await order(house, Seek(Target("TRIM_HORIZON")))
        await asyncio.sleep(30)

    async def look(house: House) -> None:
        await asyncio.sleep(30)

    await life(store, seek)
    second = Mortal(file)
    house = await life(second, look)
    assert aws.streams.ledger.lost() == set()
    moved = delivered(house).count(numbers[0]) > 1
    actions = await file.actions()
    assert moved <= bool(actions), "no seek without an entry"
    if moved:
        third = Mortal(file)
        before = (actions[0].before["shardId-000000000000"] or LaneProgress()).position

        async def undo(house: House) -> None:
            await asyncio.sleep(5)
            await order(house, Undo())
            stored = await house.store.load("uuid of a")
            assert stored is not None
            assert stored.shards["shardId-000000000000"].position == before

        await life(third, undo)
        assert not third.dead
