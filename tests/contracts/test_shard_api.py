"""What `ShardApi` promises of one stream, kept over the fakes as over real servers. This keeps the fakes honest.

Nothing is waited for but the answers themselves. Where a server is known to be wrong, the promise says so.
"""

import json

import pytest

from poller.sources.sharded.api import Position
from poller.values.errors import CallError, IteratorExpired, PositionTrimmed, ShardGone, StreamGone
from poller.values.record import Record
from tests.contracts.shards import KINESIS, TABLES, only_shard, promise, read

START = Position("TRIM_HORIZON")


def items(pages):
    return [item for page in pages for item in page.records]


def events(api, shard, found):
    records = [Record(item, api.sequence_number(item), api.key(item)) for item in found]
    return json.loads(api.encoder(shard)(records))["Records"]


@promise(*KINESIS, *TABLES)
async def test_a_stream_is_active_and_of_one_epoch(backend):
    facts = await backend.api.facts()
    assert facts.active
    assert facts.date is not None
    assert (await backend.api.facts()).epoch == facts.epoch != ""


@promise(*KINESIS, *TABLES)
async def test_a_new_stream_has_one_open_shard_without_parents(backend):
    [shard] = await backend.api.shards()
    assert (shard.parents, shard.closed) == ((), False)
    # a table's stream tells none
    assert shard.hash_range == (None if ":dynamodb:" in backend.api.arn else (0, 2**128 - 1))


@promise(*KINESIS, *TABLES)
async def test_records_come_in_order_of_rising_numbers_and_soon(backend):
    for number in range(12):
        backend.put("a", f"value {number}")
    shard = await only_shard(backend.api)
    pages = await read(backend.api, shard, START, 12, limit=5)
    assert max(len(page.records) for page in pages) <= 5
    found = items(pages)
    numbers = [int(backend.api.sequence_number(item)) for item in found]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 12
    assert len({backend.api.key(item) for item in found}) == 1
    dates = [page.date for page in pages]
    assert all(abs(backend.api.arrival(item) - dates[0]) < 60 for item in found)
    assert all(page.size > len(page.records) * 50 for page in pages)
    assert pages[-1].next_iterator is not None


@promise(*KINESIS)
async def test_events_of_a_stream_hold_what_was_put(backend):
    backend.put("a", "hello")
    shard = await only_shard(backend.api)
    [event] = events(backend.api, shard, items(await read(backend.api, shard, START, 1)))
    assert (event["kinesis"]["partitionKey"], event["kinesis"]["data"]) == ("a", "aGVsbG8=")
    assert event["eventID"] == f"{shard}:{event['kinesis']['sequenceNumber']}"
    assert isinstance(event["kinesis"]["approximateArrivalTimestamp"], float | int)


@promise(*TABLES)
async def test_events_of_a_table_hold_what_was_written(backend):
    backend.put("a", "1")
    backend.put("a", "2")
    shard = await only_shard(backend.api)
    first, second = events(backend.api, shard, items(await read(backend.api, shard, START, 2)))
    assert (first["eventName"], second["eventName"]) == ("INSERT", "MODIFY")
    assert second["dynamodb"]["Keys"] == {"pk": {"S": "a"}}
    assert second["dynamodb"]["NewImage"] == {"pk": {"S": "a"}, "value": {"S": "2"}}
    assert second["dynamodb"]["OldImage"] == {"pk": {"S": "a"}, "value": {"S": "1"}}
    assert float(second["dynamodb"]["ApproximateCreationDateTime"]).is_integer()


@promise(*KINESIS, *TABLES)
async def test_reading_resumes_at_and_after_a_number(backend):
    for number in range(3):
        backend.put("a", str(number))
    api, shard = backend.api, await only_shard(backend.api)
    numbers = [api.sequence_number(item) for item in items(await read(api, shard, START, 3))]
    at = await read(api, shard, Position("AT_SEQUENCE_NUMBER", numbers[1]), 2)
    assert [api.sequence_number(item) for item in items(at)] == numbers[1:]
    after = await read(api, shard, Position("AFTER_SEQUENCE_NUMBER", numbers[1]), 1)
    assert [api.sequence_number(item) for item in items(after)] == numbers[2:]


@promise(*KINESIS, *TABLES)
async def test_latest_is_after_what_is_there(backend):
    backend.put("a", "old")
    api, shard = backend.api, await only_shard(backend.api)
    await read(api, shard, START, 1)
    iterator = await api.iterator(shard, Position("LATEST"))
    backend.put("a", "new")
    page = await api.page(iterator, 10)
    if not page.records:
        page = await api.page(page.next_iterator, 10)
    assert len(page.records) == 1


@promise(*KINESIS)
async def test_reading_begins_at_an_instant(backend):
    backend.put("a", "one")
    api, shard = backend.api, await only_shard(backend.api)
    [first] = items(await read(api, shard, START, 1))
    pages = await read(api, shard, Position("AT_TIMESTAMP", timestamp=api.arrival(first) - 1), 1)
    assert items(pages) == [first]


@promise(*KINESIS, *TABLES)
async def test_a_stream_that_is_not_there_is_gone(backend):
    for call in (backend.missing.facts(), backend.missing.shards(), backend.missing.iterator("shardId-0", START)):
        with pytest.raises(StreamGone):
            await call


@promise(*KINESIS, *TABLES)
async def test_a_shard_that_is_not_there_is_gone(backend):
    shard = await only_shard(backend.api)
    with pytest.raises(ShardGone):
        await backend.api.iterator(shard[:-1] + ("9" if shard[-1] != "9" else "8"), START)


@promise(*KINESIS, *TABLES, kinesis_local="answers 500")
async def test_an_iterator_that_is_none_asks_for_a_new_one(backend):
    with pytest.raises(IteratorExpired):
        await backend.api.page("AAAA", 10)


@promise(*KINESIS, *TABLES, kinesis_local="it is no such shard to it", ministack_kinesis="takes it for the beginning")
async def test_a_number_that_was_never_given_out_is_no_position(backend):
    backend.put("a", "1")
    shard = await only_shard(backend.api)
    with pytest.raises((CallError, PositionTrimmed)):
        await backend.api.iterator(shard, Position("AFTER_SEQUENCE_NUMBER", "1"))


@promise(*KINESIS, *TABLES, ministack_kinesis="drops a split shard with its records")
async def test_a_closed_shard_is_read_to_a_null_iterator(backend):
    for number in range(3):
        backend.put("a", str(number))
    shard = await only_shard(backend.api)
    backend.end()
    listed = {one.id: one for one in await backend.api.shards()}
    assert listed[shard].closed
    pages = await read(backend.api, shard, START, 99, limit=2)
    assert len(items(pages)) == 3
    assert pages[-1].next_iterator is None


@promise(*KINESIS, ministack_kinesis="drops a split shard with its records")
async def test_the_end_of_a_shard_names_its_children_as_the_listing_does(backend):
    backend.put("a", "1")
    shard = await only_shard(backend.api)
    backend.end()
    children = {one for one in await backend.api.shards() if one.parents == (shard,)}
    assert [one.hash_range for one in sorted(children, key=lambda one: one.id)] == [
        (0, 2**127 - 1),
        (2**127, 2**128 - 1),
    ]
    last = (await read(backend.api, shard, START, 99))[-1]
    assert set(last.children) == children


@promise(*KINESIS, ministack_kinesis="drops a split shard with its records")
async def test_a_merged_shard_has_two_parents(backend):
    backend.end()
    backend.merge()
    shards = {one.id: one for one in await backend.api.shards()}
    [merged] = [one for one in shards.values() if not one.closed]
    assert len(merged.parents) == 2
    assert all(shards[parent].closed for parent in merged.parents)


@promise(*TABLES)
async def test_a_disabled_stream_is_not_active_and_still_readable(backend):
    backend.put("a", "1")
    shard = await only_shard(backend.api)
    backend.end()
    assert not (await backend.api.facts()).active
    assert len(items(await read(backend.api, shard, START, 99))) == 1
