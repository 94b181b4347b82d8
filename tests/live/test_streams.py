"""`poller run` as a process against streams that split, merge and roll over under load, killed and started again."""

import base64
import json
from typing import Any

import pytest

from tests.fakes.server import real_time_aws, serving
from tests.live.stream_daemon import Daemon, Watched, mapping, put

pytestmark = pytest.mark.live


async def test_splits_and_merges_under_load_lose_and_reorder_nothing(tmp_path):
    aws = real_time_aws()
    stream, ledger = aws.stream("s", shards=2), aws.streams.ledger
    aws.function("fn")
    watched = Watched(aws)
    async with serving(watched) as url:
        daemon = Daemon(tmp_path, url, mapping("m", stream.arn, parallelization_factor=3, batch_size=20))
        put(stream, 200)
        async with daemon.running():
            await watched.until(lambda: len(ledger.lost()) < 100, daemon)
            for step in range(4):
                put(stream, 50, 200 + 100 * step)
                shards = stream.open_shards()
                stream.split(shards[0]) if step % 2 == 0 else stream.merge(*shards[:2])
                put(stream, 50, 250 + 100 * step)
            await watched.until(lambda: not ledger.lost(), daemon)
    assert (ledger.out_of_order(), ledger.repeated()) == (set(), set())


@pytest.mark.heavy
async def test_killed_in_the_middle_it_goes_on_where_it_was_without_losing_or_reordering(tmp_path):
    aws = real_time_aws()
    stream, table = aws.stream("s"), aws.table("t", shards=2)
    ledger = aws.streams.ledger
    function = aws.function("fn")
    function.delay = 0.05
    watched = Watched(aws)
    async with serving(watched) as url:
        daemon = Daemon(tmp_path, url, mapping("m", stream.arn, batch_size=5), mapping("t", table.arn, batch_size=5))
        for number in range(300):
            stream.put(f"key {number % 7}", str(number))
            table.put(f"key {number % 7}", n={"N": str(number)})
        for left in (500, 350):
            async with daemon.running() as process:
                await watched.until(lambda left=left: len(ledger.lost()) < left, daemon)
                await daemon.kill(process)
            stream.split(stream.open_shards()[0])
            table.rollover(into=2)
        async with daemon.running():
            await watched.until(lambda: not ledger.lost(), daemon)
    again = {number for number, entry in ledger.entries.items() if len(entry.invoked) > 1}
    assert not ledger.disordered
    assert len(again) <= 2 * 2 * 3 * 5, "twice killed, with a batch in each lane of a few shards"


@pytest.mark.heavy
async def test_killed_and_stopped_within_tumbling_windows_it_counts_every_record_in_exactly_one(tmp_path):
    aws = real_time_aws()
    stream, ledger = aws.stream("s"), aws.streams.ledger
    closed: dict[str, set[str]] = {}

    def count(event):
        if event["isFinalInvokeForWindow"]:
            closed.setdefault(event["window"]["start"], set()).update(event["state"]["seen"])
            return {"state": {}}
        numbers = [record["kinesis"]["sequenceNumber"] for record in event["Records"]]
        return {"state": {"seen": event["state"].get("seen", []) + numbers}}

    aws.function("fn", count)
    watched = Watched(aws)
    async with serving(watched) as url:
        daemon = Daemon(tmp_path, url, mapping("m", stream.arn, tumbling_window_in_seconds=1))
        for part, ending in enumerate(("kill", "stop")):
            async with daemon.running() as process:
                wanted = len(closed) + 1
                while len(closed) < wanted:
                    put(stream, 5, 1000 * part)
                    await watched.until(lambda: not ledger.lost(), daemon)
                if ending == "kill":
                    await daemon.kill(process)
        stream.split(stream.open_shards()[0])
        async with daemon.running():
            await watched.until(lambda: sum(len(seen) for seen in closed.values()) == len(ledger.entries), daemon)
    assert set().union(*closed.values()) == set(ledger.entries)


async def test_started_again_after_a_stop_it_delivers_nothing_twice(tmp_path):
    aws = real_time_aws()
    stream, ledger = aws.stream("s", shards=3), aws.streams.ledger
    aws.function("fn")
    watched = Watched(aws)
    async with serving(watched) as url:
        daemon = Daemon(tmp_path, url, mapping("m", stream.arn, batch_size=7))
        for part in range(2):
            put(stream, 100, 100 * part)
            async with daemon.running():
                await watched.until(lambda: not ledger.lost(), daemon)
    assert (ledger.out_of_order(), ledger.repeated(), ledger.delivered_after_success()) == (set(), set(), set())


async def test_a_poison_record_ends_in_the_on_failure_queue(tmp_path):
    aws = real_time_aws()
    stream, failed, ledger = aws.stream("s"), aws.queue("failed"), aws.streams.ledger

    def handler(event):
        if any(record["kinesis"]["partitionKey"] == "poison" for record in event["Records"]):
            raise ValueError("poison")

    aws.function("fn", handler)
    watched = Watched(aws)
    async with serving(watched) as url:
        limits = {"maximum_retry_attempts": 1, "bisect_batch_on_function_error": True}
        destination = {"destination_config": {"on_failure": {"destination": failed.arn}}}
        # as the daemon makes it up from the endpoint
        failed.url = f"{url}/{aws.account}/failed"
        daemon = Daemon(tmp_path, url, mapping("m", stream.arn, **limits, **destination))
        put(stream, 6)
        poison = stream.put("poison", "")
        put(stream, 6, 6)
        async with daemon.running():
            await watched.until(lambda: ledger.lost() == {poison} and failed.messages, daemon)
    [message] = failed.messages.values()
    told = json.loads(message.body)
    assert told["KinesisBatchInfo"]["startSequenceNumber"] == told["KinesisBatchInfo"]["endSequenceNumber"] == poison
    assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert told["requestContext"]["approximateInvokeCount"] == 2
    assert told["responseContext"]["functionError"] == "Unhandled"


@pytest.mark.slow
async def test_kinesis_local_splits_and_merges_under_load(tmp_path, kinesis_local):
    """Its records are counted by what the function was handed: none missing, each key in order, none twice."""
    client, name = kinesis_local.client("kinesis"), "live"
    waiter = client.get_waiter("stream_exists")

    def settled():
        waiter.wait(StreamName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})
        shards = client.list_shards(StreamName=name)["Shards"]
        return [shard["ShardId"] for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]

    def put_some(start):
        for number in range(start, start + 60):
            client.put_record(StreamName=name, PartitionKey=f"key {number % 5}", Data=f"{number:04}".encode())

    handed: list[Any] = []
    aws = real_time_aws()
    aws.function("fn", lambda event: handed.extend(record["kinesis"] for record in event["Records"]))
    client.create_stream(StreamName=name, ShardCount=1)
    settled()
    watched = Watched(aws)
    async with serving(watched) as url:
        arn = f"arn:aws:kinesis:eu-west-1:{kinesis_local.account}:stream/{name}"
        own = {"aws": {"services": {"kinesis": {"endpoint_url": kinesis_local.url}}}}
        daemon = Daemon(tmp_path, url, mapping("m", arn, **own))
        put_some(0)
        async with daemon.running():
            await watched.until(lambda: len(handed) >= 60, daemon)
            [shard] = settled()
            client.split_shard(StreamName=name, ShardToSplit=shard, NewStartingHashKey=str(2**127))
            low, high = settled()
            put_some(60)
            client.merge_shards(StreamName=name, ShardToMerge=low, AdjacentShardToMerge=high)
            settled()
            put_some(120)
            await watched.until(lambda: len(handed) >= 180, daemon)
    by_key = {f"key {key}": [f"{number:04}" for number in range(key, 180, 5)] for key in range(5)}
    assert by_key == {
        key: [base64.b64decode(one["data"]).decode() for one in handed if one["partitionKey"] == key] for key in by_key
    }
