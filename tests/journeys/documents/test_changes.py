"""A collection's changes on their way: where a mapping begins, in which order they come, and where it goes on."""

import asyncio

import pytest
from bson.objectid import ObjectId

from tests.journeys.documents.world import DocumentLife, DocumentWorld
from tests.journeys.run import end
from tests.virtual_time import EPOCH


async def test_changes_arrive_in_order_as_events_of_lambda():
    world = DocumentWorld()
    life = DocumentLife(world, world.mapping())
    await world.until(lambda: life.status.reached)
    key = ObjectId("63eeb6e7d418cd98afb1c1d7")
    world.expect(world.log.insert("shop", "orders", {"_id": key, "n": 1}))
    world.expect(world.log.update("shop", "orders", key, n=2))
    world.expect(world.log.replace("shop", "orders", {"_id": key, "n": 3.5}))
    world.expect(world.log.delete("shop", "orders", key))
    world.log.insert("shop", "others", {"_id": 1})
    await world.until_done(within=10)
    await life.end()
    world.check(once=True)
    [insert, update, replace, delete] = [change for batch in world.events for change in batch]
    assert list(insert) == ["_id", "operationType", "clusterTime", "wallTime", "fullDocument", "ns", "documentKey"]
    assert insert["fullDocument"] == {"_id": {"$oid": str(key)}, "n": 1}
    assert insert["ns"] == {"db": "shop", "coll": "orders"}
    assert insert["clusterTime"].keys() == {"$timestamp"}
    assert update["updateDescription"]["updatedFields"] == {"n": 2}
    assert "fullDocument" not in update
    assert replace["fullDocument"]["n"] == 3.5
    assert delete["documentKey"] == {"_id": {"$oid": str(key)}}
    assert life.account.delivered == life.account.polled == 4


async def test_without_a_collection_every_collection_of_the_database_is_read():
    world = DocumentWorld(collection=None)
    life = DocumentLife(world, world.mapping())
    world.put(1)
    world.expect(world.log.insert("shop", "others", {"_id": 1}))
    world.log.insert("other", "orders", {"_id": 1})
    await world.until_done(within=10)
    await life.end()
    world.check(once=True)
    assert life.account.polled == 2


async def test_latest_begins_behind_the_last_write_and_misses_nothing_after_it():
    world = DocumentWorld()
    for number in range(5):
        world.log.insert("shop", "orders", {"_id": number})
    life = DocumentLife(world, world.mapping(starting_position="LATEST"))
    await world.until(lambda: life.status.reached)
    world.puts(5, 10)
    await world.until_done(within=10)
    await life.end()
    world.check(once=True)
    assert life.account.polled == 5


@pytest.mark.parametrize("how", ["soft", "crash"])
async def test_latest_is_pinned_before_the_first_read(how):
    world = DocumentWorld()
    world.log.insert("shop", "orders", {"_id": 0})
    world.mongo.refusals["aggregate"] = world.mongo.refused(13, "Unauthorized", "not authorized on shop")
    life = DocumentLife(world, world.mapping(starting_position="LATEST"))
    await world.until(lambda: life.status.reached)
    await end(life, how)
    world.puts(1, 5)
    world.mongo.refusals.clear()
    await asyncio.sleep(600)
    life = DocumentLife(world, world.mapping(starting_position="LATEST"))
    await world.until_done(within=60)
    await life.end()
    world.check(once=True)


async def test_at_timestamp_begins_with_the_changes_of_that_second():
    world = DocumentWorld()
    world.log.insert("shop", "orders", {"_id": 0})
    await asyncio.sleep(100)
    world.puts(1, 5)
    await asyncio.sleep(100)
    mapping = world.mapping(starting_position="AT_TIMESTAMP", starting_position_timestamp=EPOCH + 100.5)
    life = DocumentLife(world, mapping)
    await world.until_done(within=10)
    await life.end()
    world.check(once=True)
    assert life.account.polled == 4


async def test_trim_horizon_begins_at_the_oldest_change_that_is_kept():
    world = DocumentWorld()
    for number in range(5):
        world.log.insert("shop", "orders", {"_id": number})
    await asyncio.sleep(5000)
    world.puts(5, 10)
    world.log.trim(world.log.entries[5].time - 50)
    life = DocumentLife(world, world.mapping())
    await world.until_done(within=100)
    await life.end()
    world.check(once=True)


@pytest.mark.parametrize("how", ["soft", "hard", "crash"])
async def test_after_a_restart_it_goes_on_behind_the_last_settled_change(how):
    world = DocumentWorld()
    for begin in range(0, 200, 50):
        life = DocumentLife(world, world.mapping(batch_size=7))
        world.puts(begin, begin + 30)
        account = life.account
        await world.until(lambda account=account: account.delivered >= 7)
        await end(life, how)
        world.puts(begin + 30, begin + 50)
        await asyncio.sleep(1000)
    life = DocumentLife(world, world.mapping(batch_size=7))
    await world.until_done()
    await life.end()
    world.check(once=how == "soft")


@pytest.mark.parametrize("how", ["soft", "crash"])
async def test_a_quiet_collection_keeps_its_place_while_the_log_moves_on(how):
    world = DocumentWorld()
    life = DocumentLife(world, world.mapping())
    world.put(1)
    await world.until_done(within=10)
    for number in range(100):
        world.log.insert("shop", "others", {"_id": number})
        await asyncio.sleep(100)
    saves = world.store.saves
    assert saves < 200
    world.log.trim(world.log.time - (150 << 32))
    await end(life, how)
    life = DocumentLife(world, world.mapping())
    world.put(2)
    await world.until_done(within=60)
    await life.end()
    world.check()


async def test_the_changes_of_a_transaction_cut_in_two_by_a_restart_are_told_apart():
    world = DocumentWorld()
    with world.log.transaction():
        world.puts(0, 20)
    life = DocumentLife(world, world.mapping(batch_size=3))
    await world.until(lambda: life.account.delivered >= 6)
    await life.end()
    world.puts(20, 22)
    life = DocumentLife(world, world.mapping(batch_size=3))
    await world.until_done(within=60)
    await life.end()
    world.check(once=True)


async def test_a_batch_is_tried_again_until_the_function_succeeds_and_nothing_overtakes_it():
    world = DocumentWorld()
    world.fails = 12
    life = DocumentLife(world, world.mapping(batch_size=5))
    world.puts(0, 20)
    await asyncio.sleep(30)
    assert life.status.partitions[0].lanes[0].code.value == "retry"
    await life.crash()
    life = DocumentLife(world, world.mapping(batch_size=5))
    await world.until_done()
    await life.end()
    world.check(once=True)
    assert world.attempts == 12 + 4
    assert [len(batch) for batch in world.events] == [5, 5, 5, 5]


async def test_lanes_keep_the_changes_of_each_document_in_order():
    world = DocumentWorld()
    world.function.delay = 0.3
    life = DocumentLife(world, world.mapping(batch_size=5, parallelization_factor=4))
    world.puts(0, 12)
    for turn in range(5):
        for number in range(12):
            world.expect(world.log.update("shop", "orders", number, turn=turn))
    await world.until(lambda: life.account.delivered >= 20)
    assert world.function.invocations.peak > 1
    await life.crash()
    life = DocumentLife(world, world.mapping(batch_size=5, parallelization_factor=4))
    await world.until_done()
    await life.end()
    world.check()


async def test_a_filter_sees_the_change_and_the_position_passes_what_it_rejects():
    world = DocumentWorld()
    pattern = '{"event": {"operationType": ["insert"], "fullDocument": {"n": [{"numeric": [">", 3]}]}}}'
    life = DocumentLife(world, world.mapping(filter_criteria=(pattern,)))
    for number in range(10):
        if number > 3:
            world.put(number, n=number)
        else:
            world.log.insert("shop", "orders", {"_id": number, "n": number})
    world.log.delete("shop", "orders", 5)
    await world.until_done(within=10)
    await life.end()
    world.check(once=True)
    assert (life.account.polled, life.account.filtered, life.account.delivered) == (11, 5, 6)


async def test_a_partial_batch_response_names_a_change_by_its_token():
    world = DocumentWorld()

    def handle(event):
        changes = [one["event"] for one in event["events"]]
        if world.events:
            world.events.append(changes)
            return None
        world.events.append(changes[:2])
        return {"batchItemFailures": [{"itemIdentifier": changes[2]["_id"]["_data"]}]}

    world.function.handler = handle
    world.puts(0, 5)
    life = DocumentLife(world, world.mapping(function_response_types=("ReportBatchItemFailures",)))
    await world.until_done(within=60)
    await life.end()
    world.check(once=True)
    assert [len(batch) for batch in world.events] == [2, 3]
