"""What a cluster does to a stream: elections, lost cursors, cut connections, servers that are away."""

import asyncio

import pytest

from tests.journeys.documents.world import DocumentLife, DocumentWorld
from tests.journeys.run import end


@pytest.mark.parametrize("labels", [True, False], ids=["labels", "codes"])
@pytest.mark.parametrize("trouble", ["elect", "kill_cursors", "cut"])
async def test_it_goes_on_behind_the_last_change_without_loss_or_repetition(trouble, labels):
    world = DocumentWorld(labels=labels)
    life = DocumentLife(world, world.mapping(batch_size=5))
    for begin in range(0, 100, 20):
        world.puts(begin, begin + 10)
        await asyncio.sleep(1)
        if trouble == "cut":
            world.mongo.cuts = 1
        else:
            getattr(world.mongo, trouble)()
        world.puts(begin + 10, begin + 20)
        await asyncio.sleep(12)
        world.mongo.elected()
    await world.until_done()
    await life.end()
    world.check(once=True)
    assert life.account.delivered == 100


async def test_a_server_that_is_away_is_a_reason_and_reading_goes_on_once_it_is_back():
    world = DocumentWorld()
    life = DocumentLife(world, world.mapping())
    world.puts(0, 5)
    await world.until_done(within=10)
    life.server.down = True
    world.mongo.kill_cursors()
    await world.until(lambda: life.reason is not None)
    assert life.reason.code.value == "unreachable"
    assert "connection refused" in life.reason.text
    world.puts(5, 10)
    await asyncio.sleep(3600)
    life.server.down = False
    await world.until_done(within=300)
    assert life.reason is None
    await life.end()
    world.check(once=True)


@pytest.mark.parametrize(
    ("code", "name", "reason"),
    [
        (13, "Unauthorized", "access_denied"),
        (18, "AuthenticationFailed", "credentials"),
        (40573, "Location40573", "error"),
        (286, "ChangeStreamHistoryLost", "history_lost"),
        (280, "ChangeStreamFatalError", "history_lost"),
    ],
)
async def test_a_refusal_is_a_reason_and_is_tried_again(code, name, reason):
    world = DocumentWorld()
    world.mongo.refusals["aggregate"] = world.mongo.refused(code, name, "no")
    life = DocumentLife(world, world.mapping(starting_position="LATEST"))
    await world.until(lambda: life.reason is not None)
    assert life.reason.code.value == reason
    assert f"{name} ({code}): no" in life.reason.text
    assert life.status.reached
    world.puts(0, 3)
    world.mongo.refusals.clear()
    await world.until_done(within=300)
    await life.end()
    world.check(once=True)


async def history_lost():
    """A world whose log no longer has the stored position; document 1 was lost, 2 is kept, 3 comes later."""
    world = DocumentWorld()
    life = DocumentLife(world, world.mapping())
    world.put(0)
    await world.until_done(within=10)
    await life.end()
    world.log.insert("shop", "orders", {"_id": 1})
    await asyncio.sleep(8000)
    world.log.insert("shop", "orders", {"_id": 2})
    world.log.trim(world.log.time)
    return world


async def test_a_position_that_the_log_has_lost_stops_reading_with_its_reason():
    world = await history_lost()
    life = DocumentLife(world, world.mapping())
    await asyncio.sleep(600)
    assert life.reason.code.value == "history_lost"
    assert life.account.polled == 0
    assert life.log.named("gap_in_shard") == []
    await life.end()


@pytest.mark.parametrize("choice", ["latest", "trim_horizon"])
async def test_where_that_is_configured_reading_goes_on_behind_the_gap_which_is_logged(choice):
    world = await history_lost()
    kept = world.log.entries[-1]
    if choice == "trim_horizon":
        world.expect(kept.key)
    life = DocumentLife(world, world.mapping(on_history_lost=choice))
    await asyncio.sleep(60)
    world.put(3)
    await world.until_done(within=60)
    await asyncio.sleep(100)
    [gap] = life.log.named("gap_in_shard")
    assert gap["lost_from"] < gap["lost_to"]
    assert f"reading goes on at {choice.upper()}" in gap["text"]
    await life.end()
    world.puts(4, 6)
    life = DocumentLife(world, world.mapping(on_history_lost=choice))
    await world.until_done(within=60)
    await life.end()
    world.check(once=True)
    assert life.log.named("gap_in_shard") == []


async def test_a_position_of_another_cluster_is_lost_history_too():
    world = DocumentWorld()
    life = DocumentLife(world, world.mapping())
    world.put(0)
    await world.until_done(within=10)
    await life.end()
    world.log.cluster = 2
    world.put(1)
    life = DocumentLife(world, world.mapping())
    await asyncio.sleep(60)
    assert life.reason.code.value == "history_lost"
    await life.end()


@pytest.mark.parametrize("destination", [True, False], ids=["destination", "dropped"])
async def test_a_change_that_no_invocation_can_hold_is_discarded_at_once(destination):
    world = DocumentWorld()
    life = DocumentLife(world, world.mapping(destination=destination))
    world.put(0)
    world.given_up.add(world.put(1, text="x" * 7_000_000))
    world.put(2)
    await world.until_done(within=60)
    await life.end()
    world.check(once=True)
    assert (life.account.destination, life.account.dropped) == ((1, 0) if destination else (0, 1))
    assert life.account.delivered == 2
    assert len(world.failed.messages) == destination


@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
async def test_a_change_larger_than_an_answer_is_split_by_the_server_and_put_together_again(first):
    world = DocumentWorld()
    world.mongo.largest_event = 3000
    life = DocumentLife(world, world.mapping())
    if not first:
        world.puts(0, 2)
        await world.until_done(within=10)
    world.put(2, text="x" * 2990, n=float("inf"))
    world.puts(3, 5)
    await world.until_done(within=60)
    await life.end()
    world.check(once=True)
    [large] = [change for batch in world.events for change in batch if change["documentKey"]["_id"] == 2]
    assert large["fullDocument"] == {"_id": 2, "text": "x" * 2990, "n": {"$numberDouble": "Infinity"}}
    assert "splitEvent" not in large
    assert large["operationType"] == "insert"


async def test_a_server_that_cannot_split_is_a_reason():
    world = DocumentWorld()
    world.mongo.largest_event, world.mongo.can_split = 3000, False
    world.put(0, text="x" * 3000)
    life = DocumentLife(world, world.mapping())
    await world.until(lambda: life.reason is not None, within=60)
    assert "Location40324 (40324): Unrecognized pipeline stage name" in life.reason.text
    await life.end()


async def test_a_dropped_collection_ends_with_its_last_event_and_a_reason():
    world = DocumentWorld()
    life = DocumentLife(world, world.mapping())
    world.puts(0, 3)
    world.expect(world.log.drop("shop", "orders"))
    await world.until_done(within=10)
    await asyncio.sleep(60)
    assert life.reason.code.value == "invalidated"
    await life.end()
    assert [change["operationType"] for batch in world.events for change in batch][-2:] == ["drop", "invalidate"]
    assert life.account.delivered == 5


async def test_a_database_s_stream_goes_on_when_a_collection_is_dropped_or_renamed():
    world = DocumentWorld(collection=None)
    life = DocumentLife(world, world.mapping())
    world.puts(0, 3)
    world.expect(world.log.rename("shop", "orders", "old"))
    world.expect(world.log.drop("shop", "old"))
    world.puts(3, 5)
    await world.until_done(within=10)
    await life.end()
    world.check(once=True)
    assert life.reason is None


async def test_without_tokens_while_idle_the_last_change_is_the_place():
    world = DocumentWorld(tokens_when_idle=False)
    life = DocumentLife(world, world.mapping())
    world.puts(0, 3)
    await world.until_done(within=10)
    await asyncio.sleep(100)
    await life.end()
    world.puts(3, 5)
    life = DocumentLife(world, world.mapping())
    await world.until_done(within=10)
    await life.end()
    world.check(once=True)


@pytest.mark.parametrize("how", ["soft", "crash"])
async def test_without_tokens_while_idle_the_place_follows_the_server_s_time_through_its_retention(how):
    world = DocumentWorld(tokens_when_idle=False)
    life = DocumentLife(world, world.mapping())
    world.put(1)
    await world.until_done(within=10)
    for number in range(40):
        world.log.insert("shop", "others", {"_id": number})
        await asyncio.sleep(100)
    assert world.store.saves < 10
    world.put(2)
    await world.until_done(within=10)
    for number in range(40, 80):
        world.log.insert("shop", "others", {"_id": number})
        await asyncio.sleep(100)
    world.log.trim(world.log.time - (1500 << 32))
    await end(life, how)
    world.put(3)
    life = DocumentLife(world, world.mapping())
    await world.until_done(within=60)
    await life.end()
    world.check(once=True)


async def test_a_server_that_does_not_wait_for_changes_is_not_asked_without_a_pause():
    world = DocumentWorld(waits=False)
    life = DocumentLife(world, world.mapping())
    world.put(1)
    await world.until_done(within=10)
    before = world.mongo.commands["getMore"]
    await asyncio.sleep(60)
    assert world.mongo.commands["getMore"] - before <= 121
    world.puts(2, 5000)
    await world.until_done(within=10)
    await life.end()
    world.check(once=True)


@pytest.mark.parametrize("retention", [10_800, None])
async def test_the_status_says_when_the_oldest_change_expires_where_the_retention_is_known(retention):
    world = DocumentWorld()
    world.fails = 10_000
    life = DocumentLife(world, world.mapping(change_log_retention_seconds=retention))
    world.put(1)
    await asyncio.sleep(3600)
    expires = life.status.lag().expires_in_seconds
    # cluster times are whole seconds
    assert expires == (None if retention is None else pytest.approx(retention - 3600, abs=2))
    world.fails = 0
    await world.until_done(within=3600)
    await life.end()
    world.check(once=True)
