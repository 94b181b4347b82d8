"""`poller run` as a process against streams that split, merge and roll over under load, killed and started again."""

import asyncio
import base64
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.recording import RecordingTransport
from tests.fakes.server import real_time_aws, serving

pytestmark = pytest.mark.live
CHECKOUT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds for what takes two or three on an idle machine."""


class Daemon:
    """`poller run`, as often as it is started, on one configuration and one state."""

    def __init__(self, folder, url, *mappings, access_key="KEY"):
        self._access_key = access_key
        self.log = folder / "log"
        self._config = folder / "poller.json"
        self._config.write_text(
            json.dumps(
                {
                    "aws": {"region": "eu-west-1", "endpoint_url": url},
                    "state": f"sqlite:///{folder}/state.db",
                    "api": {"listen": "127.0.0.1:0"},
                    "shutdown_grace_seconds": 5,
                    "event_source_mappings": mappings,
                }
            )
        )

    @contextlib.asynccontextmanager
    async def running(self):
        """Ends it softly, and sees that it ends well."""
        environment = {name: os.environ[name] for name in ("PATH", "HOME")}
        environment |= {"AWS_ACCESS_KEY_ID": self._access_key, "AWS_SECRET_ACCESS_KEY": "secret"}
        command = [sys.executable, "-m", "poller", "run", "--config", str(self._config)]
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=CHECKOUT, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            yield process
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                assert await asyncio.wait_for(process.wait(), PATIENCE) == 0, self.log.read_text()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def kill(self, process):
        process.kill()
        await process.wait()


class Watched(RecordingTransport):
    """The account as the daemon sees it; every call may have brought about what is waited for."""

    def __init__(self, aws):
        super().__init__(aws)
        self._called = asyncio.Event()
        self.after_call = self._called.set

    async def until(self, condition, daemon):
        try:
            async with asyncio.timeout(PATIENCE):
                while not condition():
                    self._called.clear()
                    await self._called.wait()
        except TimeoutError:
            pytest.fail(f"not within {PATIENCE:g} s:\n{daemon.log.read_text()[-3000:]}")


def mapping(name, arn, **parameters):
    return {
        "name": name,
        "event_source_arn": arn,
        "function_name": "fn",
        "starting_position": "TRIM_HORIZON",
        "poll_interval_seconds": 0.2,
    } | parameters


def put(stream, count, start=0):
    for number in range(start, start + count):
        stream.put(f"key {number % 13}", f"value {number}")


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
