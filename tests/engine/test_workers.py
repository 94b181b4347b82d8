"""Several workers of one daemon: their parts of each limit, who polls a queue, and what one leaves that dies."""

import asyncio

import pytest

from poller.configuration.model.mapping import ProvisionedPollerConfig, ScalingConfig
from poller.engine.workers import Workers
from poller.state.memory.fleet import MemoryFleet, Rows
from tests.engine.house import House, living
from tests.fakes.aws import FakeAws

MIB = 1 << 20


def parts(of, *mappings):
    """By name, the parts of all workers that run it."""
    found: dict = {mapping.name: [] for mapping in mappings}
    for number in range(1, of + 1):
        for own in Workers(number, of, f"process {number}").share(mappings):
            found[own.name].append(own)
    return found


@pytest.mark.parametrize("of", [2, 3, 5])
@pytest.mark.parametrize("most", [2, 3, 20])
def test_lanes_of_a_queue_are_those_of_the_mapping_in_total(of, most):
    mapping = House().mapping("a", scaling_config=ScalingConfig(maximum_concurrency=most))
    own = parts(of, mapping)["a"]
    assert len(own) == min(of, most)
    assert sum(one.lanes[1] for one in own) == most


@pytest.mark.parametrize("of", [2, 3, 5])
@pytest.mark.parametrize("concurrency", [1, 2, 7])
def test_a_functions_concurrency_and_rate_hold_in_total_for_all_its_mappings(of, concurrency):
    house = House()
    limits = {"function_concurrency": concurrency, "function_max_requests_per_second": 9.0}
    queue = house.mapping("a", scaling_config=None, **limits)
    stream = house.mapping("b", stream=house.aws.stream("s", shards=2), **limits)
    found = parts(of, queue, stream)
    by_worker = {one.function.concurrency for own in found.values() for one in own}
    assert min(by_worker) >= 1
    assert sum(one.function.concurrency for one in found["b"]) == concurrency
    assert sum(one.function.max_requests_per_second for one in found["b"]) == pytest.approx(9)
    assert sum(one.function.concurrency for one in found["a"]) == concurrency
    assert sum(one.lanes[1] for one in found["a"]) == concurrency


@pytest.mark.parametrize("of", [2, 3, 5])
@pytest.mark.parametrize("concurrency", [1, 2, 7])
def test_callers_reach_a_function_on_workers_whose_parts_are_its_concurrency_in_total(of, concurrency):
    function = House().mapping("a", function_concurrency=concurrency).function
    workers = [Workers(number, of, f"process {number}") for number in range(1, of + 1)]
    having = {one.number: one.function(function).concurrency or 0 for one in workers if one.elsewhere(function) is None}
    assert sum(having.values()) == concurrency
    assert {one.elsewhere(function) for one in workers if one.number not in having} <= having.keys()
    for one in workers:
        one.live([min(having)])
        assert one.elsewhere(function) in (None, min(having))


def test_bytes_and_pollers_are_divided_and_small_limits_take_fewer_workers():
    house = House()
    pollers = ProvisionedPollerConfig(minimum_pollers=2, maximum_pollers=5)
    wide = house.mapping("a", max_bytes_in_flight=64 * MIB, scaling_config=None, provisioned_poller_config=pollers)
    narrow = house.mapping("b", max_bytes_in_flight=2 * MIB)
    found = parts(3, wide, narrow)
    assert [sum(sizes) for sizes in zip(*(one.lanes for one in found["a"]), strict=True)] == [30, 50]
    assert sum(one.max_bytes_in_flight for one in found["a"]) <= 64 * MIB
    assert [one.max_bytes_in_flight for one in found["b"]] == [MIB, MIB]


def test_a_streams_lanes_stay_as_many_for_each_shard():
    house = House()
    mapping = house.mapping("a", stream=house.aws.stream("s", shards=2), parallelization_factor=3)
    assert [one.lanes for one in parts(2, mapping)["a"]] == [(3, 3), (3, 3)]


class Pair:
    """Two workers that hear each other, as through their parent."""

    def __init__(self):
        self.aws, rows = FakeAws(), Rows()
        self.workers = [Workers(number, 2, f"process {number}") for number in (1, 2)]
        self.houses = [House(aws=self.aws, fleet=MemoryFleet(rows), workers=one) for one in self.workers]
        for one, other in (self.workers, self.workers[::-1]):
            one.call = other.called

    def polls(self):
        """Receives of each worker since the last call."""
        found = []
        for house in self.houses:
            found.append(sum(len(lent.of("ReceiveMessage")) for lent in house.local.lent))
            for lent in house.local.lent:
                lent.requests.clear()
        return found

    def delivered(self):
        return [house.of("a").account.delivered for house in self.houses]


async def test_a_quiet_queue_is_polled_by_one_worker_which_calls_the_other_in_while_there_is_more():
    pair = Pair()
    first, second = pair.houses
    mapping = first.mapping("a", batch_size=1)
    pair.aws.functions["fn"].delay = 1.0
    async with living(mapping, house=first), living(mapping, house=second):
        await asyncio.sleep(30)
        pair.polls()
        await asyncio.sleep(200)
        assert sorted(pair.polls()) == [0, 10]
        for number in range(300):
            first.queue("a").send(f"{number}")
        await asyncio.sleep(150)
        assert sum(pair.delivered()) == 300
        assert min(pair.delivered()) > 50
        await asyncio.sleep(60)
        pair.polls()
        await asyncio.sleep(200)
        assert sorted(pair.polls()) == [0, 10]
        assert {house.of("a").state.value for house in pair.houses} == {"running"}


async def test_another_worker_polls_a_quiet_queue_once_the_first_one_is_gone():
    pair = Pair()
    first, second = pair.houses
    mapping = first.mapping("a")
    async with living(mapping, house=first), living(mapping, house=second):
        await asyncio.sleep(30)
        pair.polls()
        await asyncio.sleep(100)
        polls = pair.polls()
        left = pair.workers[polls.index(0)]
        left.live([left.number])
        first.queue("a").send("for the one that is left")
        await asyncio.sleep(5)
        assert pair.polls()[left.number - 1] >= 1
        left.live([1, 2])
        await asyncio.sleep(30)
        pair.polls()
        await asyncio.sleep(100)
        assert pair.polls()[left.number - 1] == 0


async def test_the_shards_of_a_worker_that_has_ended_go_on_at_once_where_its_process_is_known_to_be_dead():
    pair = Pair()
    first, second = pair.houses
    stream = pair.aws.stream("s", shards=4)
    mapping = first.mapping("a", stream=stream)
    async with living(mapping, house=first), living(mapping, house=second):
        await asyncio.sleep(60)
        assert [len(house.of("a").partitions) for house in pair.houses] == [2, 2]
        await second.neighbours.process_ended("process 1")
        await asyncio.sleep(0.9)
        assert len(second.of("a").partitions) == 4


async def test_what_other_workers_tell_of_before_this_one_is_open_is_read_when_it_is():
    pair = Pair()
    first, second = pair.houses
    async with living(first.mapping("a"), house=first):
        await second.neighbours.look_at_others()
        await second.neighbours.process_ended("process 7")
        await second.open()
        await first.mappings.pause("a")
        await second.neighbours.look_at_others()
        second.mappings.apply([second.mapping("a")])
        second.start()
        await asyncio.sleep(5)
        assert second.of("a").state.value == "paused"
        await second.end()
