"""What the fake streams promise about shards, and no real server at hand does: ends, lineage, trimming, limits."""

import asyncio
import json

import pytest

from poller.aws.answers import timestamp
from poller.values.errors import AnswerLost, ServiceError
from tests.fakes.aws import FakeAws
from tests.fakes.faults import LOST_AFTER
from tests.fakes.operations import call, dynamodb_streams, kinesis
from tests.virtual_time import EPOCH

HOUR = 3600.0


async def k(aws, name, **request):
    return await call(aws, kinesis(name), **request)


async def d(aws, name, **request):
    return await call(aws, dynamodb_streams(name), **request)


async def k_iterator(aws, stream, shard, kind="TRIM_HORIZON", **more):
    asked = {"StreamARN": stream.arn, "ShardId": shard, "ShardIteratorType": kind} | more
    return (await k(aws, "GetShardIterator", **asked))["ShardIterator"]


async def d_iterator(aws, stream, shard, kind="TRIM_HORIZON", **more):
    asked = {"StreamArn": stream.arn, "ShardId": shard, "ShardIteratorType": kind} | more
    return (await d(aws, "GetShardIterator", **asked))["ShardIterator"]


async def described(aws, table, **more):
    return (await d(aws, "DescribeStream", StreamArn=table.arn, **more))["StreamDescription"]


def numbers(answer):
    return [r["dynamodb"]["SequenceNumber"] if "dynamodb" in r else r["SequenceNumber"] for r in answer["Records"]]


async def test_a_split_shard_is_read_to_its_null_iterator_which_comes_with_the_last_records_and_names_the_children():
    aws = FakeAws()
    stream = aws.stream("s")
    [parent] = stream.open_shards()
    first, second = stream.put("a", "1"), stream.put("b", "2")
    children = stream.split(parent)
    page = await k(aws, "GetRecords", ShardIterator=await k_iterator(aws, stream, parent), Limit=1)
    assert numbers(page) == [first]
    assert "ChildShards" not in page
    page = await k(aws, "GetRecords", ShardIterator=page["NextShardIterator"], Limit=1)
    assert numbers(page) == [second]
    assert page["NextShardIterator"] is None
    assert [(child["ShardId"], child["ParentShards"]) for child in page["ChildShards"]] == [
        (c, [parent]) for c in children
    ]


async def test_listed_shards_tell_parents_hash_keys_and_ends():
    aws = FakeAws()
    stream = aws.stream("s", shards=2)
    low, high = stream.open_shards()
    merged = stream.merge(low, high)
    shards = {shard["ShardId"]: shard for shard in (await k(aws, "ListShards", StreamARN=stream.arn))["Shards"]}
    assert (shards[merged]["ParentShardId"], shards[merged]["AdjacentParentShardId"]) == (low, high)
    assert shards[merged]["HashKeyRange"] == {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)}
    assert ["EndingSequenceNumber" in shards[one]["SequenceNumberRange"] for one in (low, high, merged)] == [
        True,
        True,
        False,
    ]


async def test_a_listing_goes_on_by_its_token_alone_for_five_minutes():
    aws = FakeAws()
    stream = aws.stream("s", shards=5, shards_per_page=2)
    page = await k(aws, "ListShards", StreamARN=stream.arn)
    with pytest.raises(ServiceError, match="InvalidArgumentException"):
        await k(aws, "ListShards", StreamARN=stream.arn, NextToken=page["NextToken"])
    found = [shard["ShardId"] for shard in page["Shards"]]
    while "NextToken" in page:
        token = page["NextToken"]
        page = await k(aws, "ListShards", NextToken=token)
        found += [shard["ShardId"] for shard in page["Shards"]]
    assert found == stream.open_shards()
    await asyncio.sleep(301)
    with pytest.raises(ServiceError, match="ExpiredNextTokenException"):
        await k(aws, "ListShards", NextToken=token)


async def test_descriptions_page_by_the_last_shard():
    aws = FakeAws()
    table = aws.table("t", shards=250)
    page = await described(aws, table)
    assert len(page["Shards"]) == 100
    assert len((await described(aws, table, ExclusiveStartShardId=page["LastEvaluatedShardId"]))["Shards"]) == 100


async def test_iterators_expire():
    aws = FakeAws()
    stream, table = aws.stream("s"), aws.table("t")
    of_stream = await k_iterator(aws, stream, stream.open_shards()[0])
    of_table = await d_iterator(aws, table, table.open_shards()[0])
    await asyncio.sleep(300)
    await k(aws, "GetRecords", ShardIterator=of_stream)
    await asyncio.sleep(1)
    with pytest.raises(ServiceError, match="ExpiredIteratorException"):
        await k(aws, "GetRecords", ShardIterator=of_stream)
    await asyncio.sleep(599)
    await d(aws, "GetRecords", ShardIterator=of_table)
    await asyncio.sleep(1)
    with pytest.raises(ServiceError, match="ExpiredIteratorException"):
        await d(aws, "GetRecords", ShardIterator=of_table)


async def test_a_table_s_shards_roll_over_every_four_hours_and_are_forgotten_a_day_after_their_end():
    aws = FakeAws()
    table = aws.table("t")
    [first] = table.open_shards()
    await asyncio.sleep(9 * HOUR)
    shards = (await described(aws, table))["Shards"]
    assert [shard.get("ParentShardId") for shard in shards] == [None, *(shard["ShardId"] for shard in shards[:-1])]
    assert ["EndingSequenceNumber" in shard["SequenceNumberRange"] for shard in shards] == [True, True, False]
    await asyncio.sleep(20 * HOUR)
    shards = (await described(aws, table))["Shards"]
    assert len(shards) == 7
    assert shards[0]["ParentShardId"] == first, "a child names its parent for ever"
    with pytest.raises(ServiceError, match="ResourceNotFoundException"):
        await d_iterator(aws, table, first)


async def test_a_trimmed_position_of_a_table_is_refused_and_one_of_a_stream_is_moved_on():
    aws = FakeAws()
    stream, table = aws.stream("s"), aws.table("t", rollover_seconds=None)
    [shard], [table_shard] = stream.open_shards(), table.open_shards()
    old, old_of_table = stream.put("a", "1"), table.put("a")
    await asyncio.sleep(12 * HOUR)
    new, new_of_table = stream.put("a", "2"), table.put("b")
    held = await d_iterator(aws, table, table_shard)
    await asyncio.sleep(12 * HOUR + 1)
    after = {"kind": "AFTER_SEQUENCE_NUMBER"}
    with pytest.raises(ServiceError, match="TrimmedDataAccessException"):
        await d_iterator(aws, table, table_shard, **after, SequenceNumber=old_of_table)
    with pytest.raises(ServiceError, match="ExpiredIteratorException"):
        await d(aws, "GetRecords", ShardIterator=held)
    page = await d(aws, "GetRecords", ShardIterator=await d_iterator(aws, table, table_shard))
    assert numbers(page) == [new_of_table]
    iterator = await k_iterator(aws, stream, shard, **after, StartingSequenceNumber=old)
    assert numbers(await k(aws, "GetRecords", ShardIterator=iterator)) == [new]
    assert aws.streams.ledger[old].trimmed


async def test_an_iterator_that_trimming_overtook_is_refused_by_a_table():
    aws = FakeAws()
    table = aws.table("t")
    iterator = await d_iterator(aws, table, table.open_shards()[0])
    table.put("a")
    table.trim()
    with pytest.raises(ServiceError, match="TrimmedDataAccessException"):
        await d(aws, "GetRecords", ShardIterator=iterator)


async def test_the_sixth_read_within_a_second_is_throttled():
    aws = FakeAws()
    stream, table = aws.stream("s"), aws.table("t")
    of_stream = await k_iterator(aws, stream, stream.open_shards()[0])
    of_table = await d_iterator(aws, table, table.open_shards()[0])
    for _ in range(5):
        await k(aws, "GetRecords", ShardIterator=of_stream)
        await d(aws, "GetRecords", ShardIterator=of_table)
    with pytest.raises(ServiceError, match="ProvisionedThroughputExceededException"):
        await k(aws, "GetRecords", ShardIterator=of_stream)
    with pytest.raises(ServiceError, match="LimitExceededException"):
        await d(aws, "GetRecords", ShardIterator=of_table)
    await asyncio.sleep(1)
    await k(aws, "GetRecords", ShardIterator=of_stream)


async def test_ten_mebibytes_are_the_most_of_a_read_and_the_shard_rests_after_them():
    aws = FakeAws()
    stream = aws.stream("s")
    for _ in range(12):
        stream.put("a", bytes(2**20 - 1))
    page = await k(aws, "GetRecords", ShardIterator=await k_iterator(aws, stream, stream.open_shards()[0]))
    assert len(page["Records"]) == 10
    assert page["MillisBehindLatest"] == 0
    with pytest.raises(ServiceError, match="ProvisionedThroughputExceededException"):
        await k(aws, "GetRecords", ShardIterator=page["NextShardIterator"])
    await asyncio.sleep(5)
    assert len((await k(aws, "GetRecords", ShardIterator=page["NextShardIterator"]))["Records"]) == 2


async def test_positions_of_a_stream():
    aws = FakeAws()
    stream = aws.stream("s")
    [shard] = stream.open_shards()
    first = stream.put("a", "1")
    await asyncio.sleep(10)
    second = stream.put("a", "2")

    async def found(kind, **more):
        return numbers(await k(aws, "GetRecords", ShardIterator=await k_iterator(aws, stream, shard, kind, **more)))

    assert await found("TRIM_HORIZON") == [first, second]
    assert await found("AT_SEQUENCE_NUMBER", StartingSequenceNumber=second) == [second]
    assert await found("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=first) == [second]
    assert await found("AT_TIMESTAMP", Timestamp=EPOCH + 5) == [second]
    await asyncio.sleep(1)
    assert await found("LATEST") == []


async def test_a_disabled_stream_ends_its_shards_and_another_one_has_another_arn():
    aws = FakeAws()
    table = aws.table("t")
    record = table.put("a")
    table.disable()
    description = await described(aws, table)
    assert description["StreamStatus"] == "DISABLED"
    shard = description["Shards"][0]["ShardId"]
    page = await d(aws, "GetRecords", ShardIterator=await d_iterator(aws, table, shard))
    assert numbers(page) == [record]
    assert "NextShardIterator" not in page
    await asyncio.sleep(1)
    assert aws.table("t").arn != table.arn
    await asyncio.sleep(24 * HOUR)
    with pytest.raises(ServiceError, match="ResourceNotFoundException"):
        await described(aws, table)


async def test_a_stream_made_anew_has_another_creation_time_and_knows_no_old_iterator():
    aws = FakeAws()
    old = aws.stream("s")
    number = old.put("a", "1")
    [shard] = old.open_shards()
    iterator = await k_iterator(aws, old, shard)
    await asyncio.sleep(60)
    new = aws.stream("s")
    summary = (await k(aws, "DescribeStreamSummary", StreamARN=new.arn))["StreamDescriptionSummary"]
    assert summary["StreamCreationTimestamp"] == old.created_at + 60
    with pytest.raises(ServiceError, match="InvalidArgumentException"):
        await k(aws, "GetRecords", ShardIterator=iterator)
    with pytest.raises(ServiceError, match="did not come from this stream"):
        await k_iterator(aws, new, shard, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=number)


async def test_answers_tell_the_service_s_time():
    aws = FakeAws(clock=lambda: 1_800_000_000.0)
    stream = aws.stream("s")
    reply = await aws.call(kinesis("ListShards"), json.dumps({"StreamARN": stream.arn}).encode())
    assert timestamp(reply.headers["date"]) == 1_800_000_000.0


async def test_connections_break_as_on_every_service():
    aws = FakeAws()
    stream = aws.stream("s")
    aws.faults.script("ListShards", LOST_AFTER)
    with pytest.raises(AnswerLost):
        await k(aws, "ListShards", StreamARN=stream.arn)


async def test_items_of_a_table_leave_images_by_view_type_and_nothing_where_nothing_changed():
    aws = FakeAws()
    table = aws.table("t", view_type="NEW_IMAGE")
    table.put("a", n={"N": "1"})
    assert table.put("a", n={"N": "1"}) is None
    table.put("a", n={"N": "2"})
    table.delete("a", time_to_live=True)
    records = (await d(aws, "GetRecords", ShardIterator=await d_iterator(aws, table, table.open_shards()[0])))[
        "Records"
    ]
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    assert [sorted(record["dynamodb"].keys() & {"NewImage", "OldImage"}) for record in records] == [
        ["NewImage"]
    ] * 2 + [[]]
    assert records[2]["userIdentity"] == {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}


async def test_the_ledger_knows_order_loss_and_repetition():
    aws = FakeAws()
    stream = aws.stream("s")
    ledger = aws.streams.ledger
    one, two, three, other = (stream.put(key, "") for key in ("a", "a", "a", "b"))
    ledger.note("invoked", [one, other], 1.0)
    ledger.note("succeeded", [one, other], 2.0)
    assert ledger.lost() == {two, three}
    assert not ledger.out_of_order()
    ledger.note("invoked", [two], 3.0)
    ledger.note("invoked", [three], 4.0)
    assert ledger.out_of_order() == {f"{stream.arn}:a"}, "one was begun before the one before it was done"
    ledger.note("succeeded", [one], 5.0)
    assert ledger.repeated() == {one}
    ledger.note("invoked", [other, one], 6.0)
    assert not ledger.disordered
    ledger.note("invoked", [two, one], 7.0)
    assert ledger.disordered == {f"{stream.arn}:a"}
