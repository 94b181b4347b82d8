"""A function that cannot be invoked: few probes, nothing lost, no receive and no attempt spent, and on again at once."""

import asyncio

import pytest

from poller.daemon.api.shown_reasons import mapping_reason
from tests.fakes.faults import HANG, NOT_SENT, refused
from tests.fakes.lambda_service import function_error
from tests.journeys.streams.test_peers import KINDS, fill
from tests.journeys.streams.world import StreamLife, StreamWorld
from tests.journeys.world import Life, WatchedLoop, World
from tests.present import present
from tests.virtual_time import run

HOUR = 3600.0
PROBES_AN_HOUR = 130
"""One a minute at the rarest, jitter included, and the first few sooner."""


def journey(story):
    """The story over a loop that checks the account at every turn."""

    def test(*arguments, **keywords):
        run(story(*arguments, **keywords), loop_factory=WatchedLoop)

    test.__name__, test.__doc__ = story.__name__, story.__doc__
    return test


def refusals(*lives):
    """Invocations that were tried in vain."""
    return sum(refusals_of(life, "unreachable") for life in lives)


def refusals_of(life, code):
    return life.status.account.invocations.get(code, 0)


def fill_queue(world, count):
    for number in range(count):
        world.queue.send(str(number))


@journey
async def test_down_for_an_hour_and_back():
    world = World(max_receive_count=2)
    life = Life(world, world.mapping(batch_size=4))
    world.aws.faults.always("Invoke", NOT_SENT)
    fill_queue(world, 200)
    await asyncio.sleep(60)
    reason, refused_by_then = life.status.reason, refusals(life)
    assert (life.status.state, present(reason).code) == ("running", "circuit_open")
    assert "unreachable: connection refused" in present(reason).text
    assert 60 < present(present(reason).next_try) <= 125
    held = life.status.in_flight()
    await asyncio.sleep(HOUR)
    assert life.status.in_flight() == held, "nothing more is received"
    assert refusals(life) - refused_by_then <= PROBES_AN_HOUR
    world.aws.faults.clear()
    await world.until_empty(within=120)
    assert life.status.reason is None
    assert [event for event, _ in life.log.events if event.startswith("circuit")] == [
        "circuit_opened",
        "circuit_closed",
    ]
    await life.end()
    world.check()
    assert all(len(entry.receives) == 1 for entry in world.aws.ledger.entries.values())


@journey
async def test_mappings_that_share_the_function_share_its_probes():
    world = World()
    first = Life(world, world.mapping())
    second = Life(world, world.mapping(), wiring=first.wiring)
    world.aws.faults.always("Invoke", NOT_SENT)
    fill_queue(world, 300)
    await asyncio.sleep(60)
    before = refusals(first, second)
    await asyncio.sleep(HOUR)
    assert refusals(first, second) - before <= PROBES_AN_HOUR
    world.aws.faults.clear()
    await world.until_empty(within=120)
    for life in (first, second):
        await life.end()
    world.check()


@journey
async def test_where_no_batch_is_held_one_is_received_for_each_probe():
    """Messages may be held for ten seconds only, so the probes need others."""
    world = World(visibility=30)
    life = Life(world, world.mapping(maximum_hold_seconds=10, batch_size=1))
    world.aws.faults.always("Invoke", NOT_SENT)
    fill_queue(world, 10)
    await asyncio.sleep(120)
    receives = sum(len(entry.receives) for entry in world.aws.ledger.entries.values())
    refused_by_then = refusals(life)
    await asyncio.sleep(HOUR)
    probes = refusals(life) - refused_by_then
    assert 30 <= probes <= PROBES_AN_HOUR
    assert sum(len(entry.receives) for entry in world.aws.ledger.entries.values()) - receives <= probes + 1
    world.aws.faults.clear()
    await world.until_empty(within=240)
    await life.end()
    world.check()


@journey
async def test_a_soft_stop_while_it_is_open_gives_everything_back_at_once():
    world = World(visibility=30)
    life = Life(world, world.mapping())
    world.aws.faults.always("Invoke", NOT_SENT)
    fill_queue(world, 100)
    await asyncio.sleep(300)
    assert life.status.in_flight()
    world.aws.faults.clear()
    begun = asyncio.get_running_loop().time()
    await life.end()
    assert asyncio.get_running_loop().time() - begun < 1
    again = Life(world, world.mapping())
    await world.until_empty(within=60)
    await again.end()
    world.check()


@journey
async def test_a_probe_that_runs_long_has_got_through_and_lets_the_others_go():
    world = World()
    life = Life(world, world.mapping(function_timeout=900, lanes=20))
    world.aws.faults.always("Invoke", NOT_SENT)
    fill_queue(world, 100)
    await asyncio.sleep(300)
    world.function.delay = 600.0
    world.aws.faults.clear()
    held = sum(lane.code == "circuit_open" for lane in life.status.partitions[0].lanes)
    assert held > 1
    await asyncio.sleep(100)
    assert world.function.invocations.running >= held
    await world.until_empty(within=4 * HOUR)
    await life.end()
    world.check()


@pytest.mark.parametrize("retry_after", [17.0, 300.0])
def test_the_probe_comes_when_the_function_asked_for_it(retry_after):
    async def story():
        world = World()
        life = Life(world, world.mapping())
        throttle = refused(429, "TooManyRequestsException", "Rate exceeded", retry_after=retry_after)
        world.aws.faults.always("Invoke", throttle)
        fill_queue(world, 50)
        await asyncio.sleep(3.5 * retry_after)
        # until enough were refused each batch waits as long as it was told, and so does the probe from then on
        assert present(life.status.reason).code == "circuit_open"
        assert 0 < present(present(life.status.reason).next_try) - asyncio.get_running_loop().time() <= retry_after
        assert refusals_of(life, "throttled") <= 20
        world.aws.faults.clear()
        await world.until_empty(within=retry_after + 10)
        await life.end()
        world.check()

    run(story(), loop_factory=WatchedLoop)


@journey
async def test_a_mapping_that_is_cut_in_its_probe_leaves_the_next_one_to_the_other_at_once():
    world = World()
    lives = [Life(world, world.mapping())]
    lives.append(Life(world, world.mapping(), wiring=lives[0].wiring))
    world.aws.faults.always("Invoke", NOT_SENT)
    fill_queue(world, 50)
    await asyncio.sleep(130)
    world.aws.faults.always("Invoke", HANG)
    while not (probing := [life for life in lives if "invoking" in steps_of(life)]):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.1)
    world.aws.faults.clear()
    (cut,) = probing
    await cut.end_in_vain(grace=0)
    lives.remove(cut)
    await world.until_empty(within=5)
    await lives[0].end()
    world.check()


@journey
async def test_an_invocation_that_runs_since_before_the_outage_keeps_nobody_from_probing():
    world = World(visibility=30)
    life = Life(world, world.mapping(batch_size=1, maximum_hold_seconds=20, function_timeout=900))
    world.function.delay = 800.0
    fill_queue(world, 1)
    await asyncio.sleep(5)
    world.function.delay = 0.0
    world.aws.faults.always("Invoke", NOT_SENT)
    fill_queue(world, 20)
    await asyncio.sleep(120)
    before = refusals(life)
    await asyncio.sleep(300)
    assert 4 <= refusals(life) - before <= PROBES_AN_HOUR / 6
    world.aws.faults.clear()
    await asyncio.sleep(120)
    assert (life.status.account.delivered, life.status.in_flight()) == (20, 1)
    await world.until_empty(within=400)
    await life.end()
    world.check()


def steps_of(life):
    return {lane.code.value for lane in life.status.partitions[0].lanes}


@journey
async def test_errors_of_the_function_never_open_it():
    world = World(visibility=30)
    life = Life(world, world.mapping())
    world.function.script(*[function_error()] * 200)
    fill_queue(world, 100)
    shown = set()
    for _ in range(600):
        await asyncio.sleep(1)
        shown.add(life.status.reason and life.status.reason.code)
    assert shown == {None, "function_failing"}
    world.function.forget_script()
    await world.until_empty(within=600)
    await life.end()
    world.check()


@KINDS
async def test_a_stream_waits_an_hour_without_spending_an_attempt(table):
    world = StreamWorld(table=table, shards=4)
    life = StreamLife(world, world.mapping(maximum_retry_attempts=0, batch_size=10, parallelization_factor=2))
    world.aws.faults.always("Invoke", NOT_SENT)
    fill(world, 400)
    await asyncio.sleep(60)
    before = refusals(life)
    assert present(mapping_reason(life.status, asyncio.get_running_loop().time())).code == "circuit_open"
    await asyncio.sleep(HOUR)
    assert refusals(life) - before <= PROBES_AN_HOUR
    world.aws.faults.clear()
    await world.until_done(within=180)
    assert (life.account.dropped, life.account.expired) == (0, 0)
    await life.end()
    world.check()


async def test_records_grow_too_old_while_it_is_open():
    world = StreamWorld()
    life = StreamLife(world, world.mapping(maximum_record_age_in_seconds=60, batch_size=10, destination=True))
    world.aws.faults.always("Invoke", NOT_SENT)
    fill(world, 20)
    await asyncio.sleep(300)
    assert life.account.destination == 20
    await life.end()
    assert world.breaches == []
