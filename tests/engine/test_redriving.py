"""Redrives: exactly accounted, in order, stopped at the first record that fails again, and resumed behind crashes."""

import asyncio
import json
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest

from poller.policy.actions import Asked, Redrive
from poller.policy.redriving import State
from poller.state.memory.fleet import MemoryFleet, Rows
from poller.state.memory.store import MemoryStore
from poller.values.errors import NotPossible, StateError
from tests.engine.house import House, living
from tests.engine.test_seek import delivered, make, put
from tests.fakes.aws import FakeAws
from tests.fakes.lambda_service import batch_item_failures, function_error
from tests.fakes.queue import loop_time
from tests.virtual_time import EPOCH

ANN = Asked("ann", "api", "mended")


async def redrive(house: Any, *, seconds: float = 120, **wanted: Any) -> Any:
    preview = await house.steering.act("a", Redrive(**wanted), ANN, dry_run=True)
    assert any("can be resumed" in sentence for sentence in preview.impact)
    await house.steering.act("a", Redrive(**wanted), ANN, dry_run=False)
    await asyncio.sleep(seconds)
    return (await house.steering.redrives())[0]


def counts(one: Any) -> tuple[int, int, int, int]:
    return one.done, one.failed, one.left, one.gone


def with_dead_letters(house: Any, count: int, *, fifo: bool = False, **parameters: Any) -> tuple[Any, Any]:
    suffix = ".fifo" if fifo else ""
    dead = house.queue("dead" + suffix)
    house.aws.queue("q" + suffix, visibility_timeout=30, dead_letter_queue=dead, max_receive_count=1)
    mapping = house.mapping("a", queue="q" + suffix, **parameters)
    for number in range(count):
        dead.send(json.dumps({"n": number}), group=f"g{number % 2}" if fifo else None)
    return mapping, dead


def bodies(house: Any) -> list[int]:
    return [
        json.loads(record["body"])["n"]
        for one in house.invoked().all
        if one.ended is not None
        for record in json.loads(one.event)["Records"]
        if record["messageId"] in one.succeeded
    ]


@pytest.mark.parametrize("fifo", [False, True])
async def test_dead_letters_go_through_the_function_the_first_of_them_alone(fifo):
    house = House()
    mapping, dead = with_dead_letters(house, 12, fifo=fifo)
    async with living(mapping, house=house):
        one = await redrive(house, which="dead_letters")
        assert (one.state, counts(one), len(dead.messages)) == (State.FINISHED, (12, 0, 0, 0), 0)
        sizes = [len(invocation.identifiers) for invocation in house.invoked().all]
        assert (sizes[0], max(sizes) > 1) == (1, True)
        assert house.of("a").account.delivered == 0
        (action,) = await house.steering.actions()
        assert (action.stage.value, "12 records taken: 12 done" in action.effect) == ("done", True)


async def test_a_canary_that_fails_again_stops_it_and_everything_stays():
    house = House()
    mapping, dead = with_dead_letters(house, 5)
    async with living(mapping, house=house):
        house.aws.functions["fn"].handler = lambda _: function_error("KeyError", "still")
        one = await redrive(house, which="dead_letters")
        assert (one.state, counts(one), "still" in one.why) == (State.STOPPED, (0, 1, 0, 0), True)
        assert (len(dead.messages), len(house.invoked().all)) == (5, 1)


@pytest.mark.parametrize("partial", [False, True])
async def test_it_stops_at_the_record_that_fails_again_and_passes_over_it_when_told_to(partial):
    house = House()
    given: dict[str, Any] = {"function_response_types": ("ReportBatchItemFailures",)} if partial else {}
    mapping, dead = with_dead_letters(house, 12, **given)

    def handler(event):
        broken = [one["messageId"] for one in event["Records"] if json.loads(one["body"])["n"] == 7]
        if not broken:
            return None
        return batch_item_failures(*broken) if partial else function_error()

    async with living(mapping, house=house):
        house.aws.functions["fn"].handler = handler
        one = await redrive(house, which="dead_letters")
        assert (one.state, one.failed) == (State.STOPPED, 1)
        assert one.done + len(dead.messages) == 12
        one = await redrive(house, resume=True, pass_over=True)
        assert (one.state, counts(one)) == (State.FINISHED, (11, 1, 0, 0))
        assert [json.loads(message.body)["n"] for message in dead.messages.values()] == [7]
        await asyncio.sleep(100)
        house.aws.functions["fn"].handler = lambda _: None
        one = await redrive(house, which="dead_letters")
        assert (counts(one), sorted(bodies(house))) == ((1, 0, 0, 0), list(range(12)))


async def test_what_comes_to_the_queue_later_is_not_of_this_redrive():
    house = House()
    mapping, dead = with_dead_letters(house, 3)
    async with living(mapping, house=house):
        await house.steering.act("a", Redrive("dead_letters", rate=0.1), ANN, dry_run=False)
        await asyncio.sleep(2)
        dead.send(json.dumps({"n": 99}))
        await asyncio.sleep(120)
        (one,) = await house.steering.redrives()
        assert (one.state, counts(one), len(dead.messages)) == (State.FINISHED, (3, 0, 0, 0), 1)


@pytest.mark.parametrize("kind", ["kinesis", "dynamodb"])
async def test_an_interval_of_a_stream_is_delivered_once_more_in_order(kind):
    house = House()
    stream = make(house, kind)
    async with living(house.mapping("a", stream=stream, starting_position="TRIM_HORIZON"), house=house):
        put(stream, ["a", "b"])
        await asyncio.sleep(10)
        begin = EPOCH + loop_time()
        wanted = put(stream, [f"key {number}" for number in range(7)])
        await asyncio.sleep(10)
        end = EPOCH + loop_time()
        await asyncio.sleep(2)
        put(stream, ["z"])
        await asyncio.sleep(10)
        before, position = len(delivered(house)), house.of("a").partitions[0].position
        one = await redrive(house, begin=begin, end=end)
        assert (one.state, counts(one)) == (State.FINISHED, (7, 0, 0, 0))
        assert delivered(house)[before:] == wanted
        assert house.of("a").partitions[0].position == position
        assert house.of("a").account.delivered == 10


@pytest.mark.parametrize(("rate", "batch", "largest"), [(2.0, None, 2), (0.5, None, 1), (2.0, 8, 8), (100.0, None, 10)])
async def test_no_invocation_has_more_than_the_rate_allows_in_a_second_unless_a_person_says_so(rate, batch, largest):
    house = House()
    mapping, _ = with_dead_letters(house, 40, batch_size=10)
    async with living(mapping, house=house):
        await redrive(house, which="dead_letters", rate=rate, batch=batch)
        assert max(len(one.identifiers) for one in house.invoked().all) == largest


async def test_a_redrive_that_is_resumed_at_another_rate_has_batches_of_that_rate():
    house: Any = House()
    mapping, _ = with_dead_letters(house, 40, batch_size=10)
    async with living(mapping, house=house):
        house.aws.functions["fn"].handler = lambda _: function_error()
        await redrive(house, which="dead_letters", rate=2.0)
        house.aws.functions["fn"].handler = lambda _: None
        await redrive(house, resume=True, rate=5.0)
        assert max(len(one.identifiers) for one in house.invoked().all) == 5


def stuck_stream(house: Any, count: int = 5, **parameters: Any) -> Any:
    """A stream whose function fails everything, so that all of it goes to the destination."""
    house.stream, house.failed = house.aws.stream("s"), house.queue("failed")
    given: dict[str, Any] = {"batch_size": 2, "maximum_retry_attempts": 0, "starting_position": "TRIM_HORIZON"}
    mapping = house.mapping(
        "a", stream=house.stream, on_failure_destination=house.failed.arn, **{**given, **parameters}
    )
    house.aws.functions["fn"].handler = lambda _: function_error()
    house.numbers = [house.stream.put("key", str(number)) for number in range(count)]
    return mapping


async def test_what_a_destination_holds_is_read_from_the_stream_and_forgotten():
    house: Any = House()
    async with living(stuck_stream(house), house=house):
        await asyncio.sleep(30)
        held = len(house.failed.messages)
        assert (held >= 3, house.of("a").account.destination) == (True, 5)
        one = await redrive(house, which="destination")
        assert (one.state, one.failed, len(house.failed.messages)) == (State.STOPPED, 1, held)
        house.aws.functions["fn"].handler = lambda _: None
        one = await redrive(house, resume=True)
        assert (one.state, counts(one), len(house.failed.messages)) == (State.FINISHED, (5, 0, 0, 0), 0)
        assert sorted(delivered(house), key=int) == house.numbers


async def test_what_the_stream_no_longer_has_is_gone():
    house: Any = House()
    async with living(stuck_stream(house, 0, batch_size=1), house=house):
        for number in range(5):
            house.stream.put("key", str(number))
            await asyncio.sleep(2)
        await asyncio.sleep(30)
        house.aws.functions["fn"].handler = lambda _: None
        house.stream.trim(keep=3)
        one = await redrive(house, which="destination")
        assert (one.state, counts(one), len(house.failed.messages)) == (State.FINISHED, (3, 0, 0, 2), 0)


async def test_a_message_that_is_no_invocation_record_stops_it():
    house: Any = House()
    async with living(stuck_stream(house, 0), house=house):
        house.failed.send("{}")
        one = await redrive(house, which="destination")
        assert (one.state, "is no invocation record" in one.why) == (State.STOPPED, True)


class Dying(MemoryStore):
    """Loses the writes of redrives from the given number on: the process dies there."""

    most = 1 << 30

    async def keep(self, kept):
        if kept.room == "redrive":
            if not self.most:
                raise StateError("the process dies")
            self.most -= 1
        await super().keep(kept)


@pytest.mark.parametrize("writes", range(1, 9))
@pytest.mark.parametrize("which", ["dead_letters", "source", "destination"])
async def test_a_crash_at_any_write_loses_nothing_and_counts_nothing_twice(which, writes):
    store = Dying()
    house: Any = House(store)
    if which == "dead_letters":
        mapping, dead = with_dead_letters(house, 6, batch_size=2)
    else:
        mapping, dead = stuck_stream(house, 6), None
    async with living(mapping, house=house):
        await asyncio.sleep(40)
        house.aws.functions["fn"].handler = lambda _: None
        wanted: dict[str, Any] = {"begin": EPOCH - 100} if which == "source" else {"which": which}
        store.most = writes
        with suppress(StateError):
            await house.steering.act("a", Redrive(**wanted, rate=1000.0), ANN, dry_run=False)
        await asyncio.sleep(30)
        store.most = 1 << 30
        await asyncio.sleep(400)
        if (await house.steering.redrives())[0].state is not State.FINISHED:
            await redrive(house, resume=True, rate=1000.0)
        (one,) = await house.steering.redrives()
        assert (one.state, counts(one)) == (State.FINISHED, (6, 0, 0, 0))
        left = bool((house.failed if dead is None else dead).messages)
        assert left == (which == "source"), "an interval of the source takes nothing from the destination"
        seen = Counter(bodies(house) if dead is not None else delivered(house))
        assert len(seen) == 6
        assert max(seen.values()) <= 2, "at most the batch that was cut off is delivered twice"


async def test_one_at_a_time_and_it_stops_when_told_to_and_says_so_where_there_is_none():
    house = House()
    mapping, dead = with_dead_letters(house, 20)
    async with living(mapping, house.mapping("b"), house=house):
        for wanted in (Redrive(stop=True), Redrive(resume=True), Redrive(), Redrive("destination")):
            with pytest.raises(NotPossible):
                await house.steering.act("a", wanted, ANN, dry_run=True)
        await house.steering.act("a", Redrive("dead_letters", rate=1.0, batch=1), ANN, dry_run=False)
        await asyncio.sleep(5)
        with pytest.raises(NotPossible, match="runs; stop it first"):
            await house.steering.act("a", Redrive("dead_letters"), ANN, dry_run=True)
        await house.steering.act("a", Redrive(stop=True), ANN, dry_run=False)
        await asyncio.sleep(10)
        (one,) = await house.steering.redrives()
        assert (one.state, one.why, one.failed) == (State.STOPPED, "by hand", 0)
        assert one.done + len(dead.messages) == 20
        one = await redrive(house, resume=True)
        assert counts(one) == (20, 0, 0, 0)


async def test_a_stop_of_the_daemon_in_the_middle_is_bounded_and_it_goes_on_in_the_next_life():
    store = MemoryStore()
    house: Any = House(store)
    mapping, dead = with_dead_letters(house, 10)
    async with living(mapping, house=house):
        await house.steering.act("a", Redrive("dead_letters", rate=0.5, batch=1), ANN, dry_run=False)
        await asyncio.sleep(6)
    again: Any = House(store, house.aws)
    async with living(again.mapping("a", queue="q"), house=again):
        (one,) = await again.steering.redrives()
        assert (one.state, one.why, one.done + len(dead.messages)) == (
            State.STOPPED,
            "the function was not invoked: stopping the daemon stops",
            10,
        )
        one = await redrive(again, resume=True, rate=100.0)
        assert (counts(one), len(dead.messages)) == ((10, 0, 0, 0), 0)


async def test_a_redrive_is_stopped_and_resumed_by_another_member_of_the_fleet_than_the_one_that_runs_it():
    rows, aws = Rows(), FakeAws()
    first, second = House(aws=aws, fleet=MemoryFleet(rows)), House(aws=aws, fleet=MemoryFleet(rows))
    mapping, dead = with_dead_letters(first, 20)
    async with living(mapping, house=first), living(second.mapping("a", queue="q"), house=second):
        with pytest.raises(NotPossible, match="no redrive of this mapping runs"):
            await second.steering.act("a", Redrive(stop=True), ANN, dry_run=True)
        await first.steering.act("a", Redrive("dead_letters", rate=1.0, batch=1), ANN, dry_run=False)
        await asyncio.sleep(5)
        with pytest.raises(NotPossible, match="may still be at it"):
            await second.steering.act("a", Redrive("dead_letters"), ANN, dry_run=True)
        await second.steering.act("a", Redrive(stop=True), ANN, dry_run=False)
        await asyncio.sleep(5)
        (one,) = await second.steering.redrives()
        assert (one.state, one.why, one.failed) == (State.STOPPED, "by hand", 0)
        assert one.done + len(dead.messages) == 20
        one = await redrive(second, resume=True, rate=100.0)
        assert (one.state, counts(one), len(dead.messages)) == (State.FINISHED, (20, 0, 0, 0), 0)
        assert sorted(bodies(first)) == [*range(20)]


class Slow(MemoryFleet):
    """What is kept arrives later, so that another daemon reads what was before."""

    async def keep(self, kept):
        await asyncio.sleep(0.2)
        await super().keep(kept)


@pytest.mark.parametrize("same", [True, False])
async def test_of_two_members_that_redrive_a_mapping_at_once_the_later_one_goes_on(same):
    rows, aws = Rows(), FakeAws()
    first, second = House(aws=aws, fleet=Slow(rows)), House(aws=aws, fleet=Slow(rows))
    mapping, dead = with_dead_letters(first, 30)
    given: dict[str, Any] = {"rate": 1.0, "batch": 1, "which": "dead_letters"}
    async with living(mapping, house=first), living(second.mapping("a", queue="q"), house=second):
        if same:
            await first.steering.act("a", Redrive(**given), ANN, dry_run=False)
            await asyncio.sleep(5)
            await first.steering.act("a", Redrive(stop=True), ANN, dry_run=False)
            await asyncio.sleep(5)
            given = {"rate": 1.0, "resume": True}
        doing = [house.steering.act("a", Redrive(**given), ANN, dry_run=False) for house in (first, second)]
        await asyncio.gather(*doing)
        await asyncio.sleep(300)
        found = await first.steering.redrives()
        assert sorted(one.state for one in found) == [State.FINISHED] + [State.STOPPED] * (not same)
        assert (len(dead.messages), sorted(set(bodies(first)))) == (0, [*range(30)])
        assert sum(one.done for one in found) >= 30
