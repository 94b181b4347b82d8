"""A batch that waits on one member of a fleet is seen on all others, for as long as it waits and its member lives."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from poller.daemon.api.elsewhere import batches, fleet_reason
from poller.daemon.api.isolation import Isolation
from poller.daemon.api.metrics import exposition
from poller.daemon.api.status_json import mapping_json
from poller.engine.fleet.showing import WAITS, Showing
from poller.policy.actions import Asked, HandOver, Isolate, Retry, Skip
from poller.policy.advice import TO_DO
from poller.policy.waiting import MOST_BATCHES, MOST_OF_MAPPING
from poller.ports.fleet import MemberRow, MemberState
from poller.ports.held import Held
from poller.ports.status import LaneStatus, PartitionStatus, ReasonCode
from poller.state.memory.fleet import MemoryFleet, Rows
from poller.values.errors import StateError
from tests.daemon.samples import a_mapping
from tests.engine.house import House, living
from tests.fakes.aws import FakeAws
from tests.fakes.lambda_service import function_error
from tests.fakes.queue import loop_time

SEEN_SECONDS = 1.0 + 2.0 + 5.0 + 3.5 + 0.5
"""A record is read, has waited for a moment, a beat says so, the others read it, and it all takes a little."""
LEASE_SECONDS = 15.0
ORDER_SECONDS = 20.0
STUCK, MOVES = "stuck", "moves"


class Link(MemoryFleet):
    """A connection to the rows that can break."""

    broken = False
    beats: list[Any]

    def __init__(self, rows: Rows) -> None:
        super().__init__(rows)
        self.beats = []

    async def members(self) -> Any:
        self._check()
        return await super().members()

    async def beat(self, *given: Any, **named: Any) -> Any:
        self._check()
        self.beats.append(given[4])
        return await super().beat(*given, **named)

    def _check(self) -> None:
        if self.broken:
            raise StateError("the store is away")


class Linked(House):
    def __init__(self, link: Link, aws: FakeAws) -> None:
        super().__init__(aws=aws, fleet=link)
        self.link = link


def poisoned(event: Any) -> Any:
    """The function fails of what is stuck."""
    return function_error() if any(one["kinesis"]["partitionKey"] == STUCK for one in event["Records"]) else None


def shown(house: House) -> Any:
    return mapping_json(house.of("a"), loop_time(), house.wall(), Isolation())


def seen(house: House) -> list[Any]:
    return [one for partition in shown(house)["partitions"] for one in partition["elsewhere"]]


@asynccontextmanager
async def two(**parameters: Any) -> AsyncIterator[tuple[Any, Any, list[str]]]:
    """The member on which a batch is stuck, the other one, and the numbers of its records."""
    rows, aws = Rows(), FakeAws()
    houses: Any = [Linked(Link(rows), aws) for _ in range(2)]
    stream = aws.stream("s", shards=1)
    given = {"starting_position": "TRIM_HORIZON", "on_failure_destination": houses[0].queue("failed").arn} | parameters
    first, second = (house.mapping("a", stream=stream, **given) for house in houses)
    async with living(first, house=houses[0]), living(second, house=houses[1]):
        aws.functions["fn"].handler = poisoned
        await asyncio.sleep(30)
        numbers = [stream.put(key, key) for key in (MOVES, STUCK, MOVES)]
        await asyncio.sleep(SEEN_SECONDS)
        [holder] = [house for house in houses if house.of("a").partitions]
        [other] = [house for house in houses if house is not holder]
        yield holder, other, numbers


async def test_a_stuck_batch_is_seen_on_the_other_member_with_all_that_a_person_needs() -> None:
    async with two() as (holder, other, numbers):
        [partition] = shown(other)["partitions"]
        [one] = partition["elsewhere"]
        [(name, waiting)] = batches(other.of("a"), loop_time())
        assert partition["reason"]["code"] == "not_mine"
        assert partition["reason"]["text"] == f"read by {name}: {one['reason']['text']}"
        assert (partition["id"], partition["lanes"]) == (holder.of("a").partitions[0].id, [])
        assert (one["first"], one["last"], one["records"], one["lane"]) == (numbers[0], numbers[-1], 3, 0)
        assert (one["discards"], one["awaits_destination"], one["keys"]) == (True, False, ((MOVES, 2), (STUCK, 1)))
        assert (one["reason"]["code"], one["reason"]["text"].partition(TO_DO)[0]) == ("retry", waiting.text)
        [lane] = shown(holder)["partitions"][0]["lanes"]
        assert waiting.text.endswith(": function_error: RuntimeError: by plan")
        assert lane["text"].partition(TO_DO)[0].endswith(waiting.text.partition(": ")[2])
        # it goes for the whole mapping too, as it would if the shard was read here
        found = shown(other)
        assert (found["state"], found["reason"]["text"]) == ("degraded", f"on {name}: {one['reason']['text']}")
        shard = partition["id"]
        lost = f"falls behind: records of {shard} on {name} are lost in 24 h, because a batch waits there"
        assert [note["text"] for note in found["notes"]] == [
            f"{lost}; more lanes would not help: see why it waits",
            f"1 batch waits for another try on {name}: {shard}",
        ]
        assert seen(holder) == []


async def test_the_metrics_of_a_member_are_those_of_its_own_shards() -> None:
    async with two() as (holder, other, _):
        texts = {
            house: b"".join(exposition(house.status, "", loop_time(), Isolation())[0]).decode()
            for house in (holder, other)
        }
        degraded = 'poller_mapping_state{mapping="a",state="degraded"} '
        assert f"{degraded}1" in texts[holder]
        assert f"{degraded}0" in texts[other]


async def test_its_age_and_when_it_expires_are_those_that_its_own_member_shows() -> None:
    async with two(maximum_retry_attempts=1000) as (holder, other, _):
        # and it does not change with the beats
        await asyncio.sleep(3600)
        here, there = shown(holder), shown(other)
        [own], [seen_there] = here["partitions"], there["partitions"]
        [one] = seen(other)
        for told in (seen_there["behind_seconds"], one["behind_seconds"], there["lag"]["seconds"]):
            assert told == pytest.approx(own["behind_seconds"], abs=2.0)
        for told in (one["expires_in_seconds"], there["lag"]["expires_in_seconds"]):
            assert told == pytest.approx(here["lag"]["expires_in_seconds"], abs=2.0)
        assert there["lag"]["drained_in_seconds"] is None
        # the metrics are those of each member
        assert other.of("a").lag().seconds is None


async def test_it_is_gone_once_it_is_settled() -> None:
    async with two() as (holder, other, _):
        assert len(seen(other)) == 1
        await holder.steering.act("a", Skip(), Asked(), dry_run=False)
        await asyncio.sleep(SEEN_SECONDS)
        assert seen(other) == []
        assert shown(other)["state"] == "running"


async def rests(holder: House) -> None:
    """The batch is not tried by itself for as long as an order takes from one member to the other."""
    [lane] = holder.of("a").partitions[0].lanes
    while lane.next_try is None or lane.next_try - loop_time() < ORDER_SECONDS:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(1)


@pytest.mark.parametrize("order", [Skip, Retry, partial(Isolate, key=STUCK), partial(HandOver, function="fn")])
async def test_what_is_shown_there_names_the_batch_to_orders_there(order: Any) -> None:
    async with two() as (holder, other, numbers):
        [partition] = shown(other)["partitions"]
        [one] = partition["elsewhere"]
        which = {"partition": partition["id"], "lane": one["lane"], "first": one["first"]}
        await rests(holder)
        other.aws.functions["fn"].handler = lambda _: None
        acted = await other.steering.act("a", order(**which), Asked(), dry_run=False)
        assert acted.batch is None or acted.batch.first == numbers[0]
        await asyncio.sleep(SEEN_SECONDS)
        assert (seen(other), shown(other)["state"]) == ([], "running")


async def test_it_is_gone_once_its_member_is_dead_and_then_waits_where_the_shard_goes() -> None:
    async with two() as (holder, other, _):
        holder.link.broken = True
        await asyncio.sleep(2 * LEASE_SECONDS + SEEN_SECONDS)
        assert seen(other) == []
        [partition] = other.of("a").partitions
        assert [lane.held is not None for lane in partition.lanes] == [True]
        holder.link.broken = False
        await asyncio.sleep(SEEN_SECONDS)
        # the former holder begins another life, and sees where the batch waits now
        assert len(seen(holder)) == 1


async def test_a_member_that_cannot_read_the_rows_forgets_what_the_others_said() -> None:
    async with two() as (_, other, _):
        other.link.broken = True
        await asyncio.sleep(LEASE_SECONDS)
        assert seen(other) == []


async def test_a_batch_that_waits_is_told_with_few_beats_and_none_is_sent_for_it() -> None:
    async with two(maximum_retry_attempts=1000) as (holder, other, _):
        await asyncio.sleep(600)
        holder.link.beats.clear()
        other.link.beats.clear()
        tried = len(holder.invoked().all)
        await asyncio.sleep(600)
        told = [facts for facts in holder.link.beats if facts is not None]
        # one that was tried at the end of the last ten minutes may be told in these
        assert 0 < len(told) <= len(holder.invoked().all) - tried + 1
        assert len(holder.link.beats) <= len(other.link.beats) + 2
        assert not any(other.link.beats)


async def test_a_queue_shows_its_own_lanes_and_what_waits_on_the_others() -> None:
    rows, aws = Rows(), FakeAws()
    houses: Any = [House(aws=aws, fleet=MemoryFleet(rows)) for _ in range(2)]
    async with living(houses[0].mapping("a"), house=houses[0]), living(houses[1].mapping("a"), house=houses[1]):
        aws.functions.pop("fn")
        houses[0].queue("a").send("1")
        await asyncio.sleep(60)
        [holder] = [house for house in houses if house.of("a").in_flight()]
        [other] = [house for house in houses if house is not holder]
        [one] = seen(other)
        assert (one["discards"], one["records"]) == (False, 1)
        assert shown(other)["state"] == "degraded"
        assert shown(other)["partitions"][0]["lanes"]


HOSTILE: list[Any] = [
    None,
    3,
    [],
    "text",
    {},
    {"u": None},
    {"u": []},
    {"u": {"batches": 3}},
    {"u": {"batches": [None, {}, [1]]}},
]


class Life:
    """A member's life as its batches know it."""

    id = "me"

    def now(self) -> float:
        return loop_time() + 1000.0


def showing(*mappings: Any, process: str | None = None) -> Showing:
    life: Any = Life()
    return Showing(life, process, lambda: mappings, lambda: 1_800_000_000.0 + loop_time())


def alive(_member: str) -> float:
    return loop_time() + 1000.0 + LEASE_SECONDS


def a_row(mapping: Any, waits: Any, **facts: Any) -> MemberRow:
    runs = {mapping.uuid: mapping.event_source_arn}
    return MemberRow("other", 0, MemberState.ACTIVE, 0, {"name": "b", "mappings": runs, WAITS: waits, **facts})


class AnyHeld(Held):
    """A batch at hand."""

    def __init__(self, part: Any) -> None:
        super().__init__(part, "attempt 2 of 5", True, lambda: None, lambda one: str(one.key), lambda _: None)


class Part:
    """Records of a batch."""

    awaiting = None

    def __init__(self, records: Any) -> None:
        self.records = records


class Record:
    def __init__(self, number: int, key: str) -> None:
        self.identifier, self.key = str(number), key


def failing(count: int, records: int = 2, **given: Any) -> Any:
    """A mapping with so many shards whose batch waits."""
    shards = []
    for number in range(count):
        part: Any = Part([Record(number, f"key {place}") for place in range(records)])
        lane = LaneStatus(held=AnyHeld(part))
        lane.wait(ReasonCode.RETRY, -100.0 - number, 50.0, "attempt 2 of 5: boom", ("retry",))
        shards.append(PartitionStatus(f"shard-{number}", lanes=[lane]))
    return a_mapping(**{"partitions": shards, "seeks": True, **given})


async def test_what_one_member_says_another_one_shows() -> None:
    mapping, copy = failing(1), a_mapping(seeks=True)
    told = json.loads(json.dumps(showing(mapping).facts()))
    showing(copy).note([a_row(copy, told[WAITS])], alive)
    [(name, one)] = batches(copy, loop_time())
    assert (name, one.batch.partition, one.text, one.since) == ("b", "shard-0", "attempt 2 of 5: boom", -100.0)
    assert one.causes == ("retry",)
    reason = fleet_reason(copy, loop_time())
    assert reason is not None
    assert reason.text == "on b: attempt 2 of 5: boom"
    showing(copy).note([], alive)


@pytest.mark.parametrize("waits", HOSTILE)
@pytest.mark.parametrize("name", [None, 3, "", [], "\0" * 1000])
async def test_whatever_a_row_says_is_read_without_an_error(waits: Any, name: Any) -> None:
    mapping = a_mapping(uuid="u")
    for facts in ({"name": name}, {"mappings": name}, {"worker": name}):
        here = showing(mapping, process="parent 1")
        here.note([a_row(mapping, waits, **facts)], alive)
        assert batches(mapping, loop_time()) == []


async def test_what_a_member_says_of_another_source_or_says_dead_or_was_this_one_is_not_shown() -> None:
    mapping = a_mapping(seeks=True)
    told = showing(failing(1)).facts()[WAITS]
    right = a_row(mapping, told)
    for row in (
        a_row(mapping, told, mappings={mapping.uuid: "arn:of:another"}),
        replace(right, state=MemberState.DEAD),
        replace(right, id="me"),
    ):
        showing(mapping).note([row], alive)
        assert batches(mapping, loop_time()) == []
    showing(mapping).note([replace(right, state=MemberState.LEAVING)], alive)
    assert len(batches(mapping, loop_time())) == 1


async def test_nothing_is_shown_any_more_when_nobody_says_anything() -> None:
    mapping = a_mapping(seeks=True)
    here = showing(mapping)
    here.note([a_row(mapping, showing(failing(1)).facts()[WAITS])], alive)
    assert len(batches(mapping, loop_time())) == 1
    here.note([], alive)
    assert batches(mapping, loop_time()) == []


async def test_the_workers_of_one_parent_leave_it_to_the_parent_to_put_together_what_they_show() -> None:
    mapping = a_mapping(seeks=True)
    told = showing(failing(1)).facts()[WAITS]
    for worker, seen_here in (("parent 2", 0), ("stranger 2", 1)):
        showing(mapping, process="parent 1").note([a_row(mapping, told, worker=worker)], alive)
        assert len(batches(mapping, loop_time())) == seen_here
    showing(mapping).note([a_row(mapping, told, worker="parent 2")], alive)
    assert len(batches(mapping, loop_time())) == 1


async def test_many_batches_are_counted_and_those_that_wait_for_longest_told() -> None:
    many = [failing(MOST_OF_MAPPING + 10, uuid=f"u{number}") for number in range(MOST_BATCHES)]
    told = showing(*many).facts()[WAITS]
    assert len(told) == MOST_BATCHES
    assert sum(len(one["batches"]) for one in told.values()) <= MOST_BATCHES
    assert {len(one["batches"]) + one["more"] for one in told.values()} == {MOST_OF_MAPPING + 10}
    first = told["u0"]["batches"][0]
    assert first["partition"] == f"shard-{MOST_OF_MAPPING + 9}"


async def test_a_batch_that_is_tried_just_now_stays_as_it_was_and_one_that_just_failed_is_not_told() -> None:
    mapping, just = failing(1), failing(1, uuid="just")
    [lane], [other] = mapping.partitions[0].lanes, just.partitions[0].lanes
    other.waiting_for = (ReasonCode.RETRY, loop_time() - 1.0)
    here = showing(mapping, just)
    told = here.facts()
    assert [*told[WAITS]] == [mapping.uuid]
    held, lane.held = lane.held, None
    assert here.facts() == told
    assert showing(mapping).facts() == {}
    lane.batch_over()
    assert here.facts() == {}
    assert held is not None


async def test_keys_are_told_of_small_batches_alone_and_a_step_of_the_clock_changes_nothing() -> None:
    for records, keys in ((1, 0), (2, 2), (201, 0)):
        [one] = showing(failing(1, records)).facts()[WAITS][failing(1).uuid]["batches"]
        assert len(one["keys"]) == keys
    step = 0.0
    life: Any = Life()
    mapping = failing(1)
    here = Showing(life, None, lambda: [mapping], lambda: 1_800_000_000.4 + step + loop_time())
    told = here.facts()
    step = 0.5
    assert here.facts() == told
    step = 60.0
    assert here.facts() != told
