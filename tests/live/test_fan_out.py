"""`poller run` as a process with a consumer's ARN: against the double across reshards and kills, against MiniStack, and
aggregates taken apart there.
"""

from base64 import b64decode
from typing import Any

import pytest
from aws_kinesis_agg.aggregator import RecordAggregator

from tests.fakes.server import real_time_aws, serving
from tests.live.stream_daemon import Daemon, Watched, mapping, put

pytestmark = [pytest.mark.live, pytest.mark.heavy]


def pushed(name, arn, **parameters):
    """As `mapping`, without what means nothing to a consumer."""
    written = mapping(name, arn, **parameters)
    del written["poll_interval_seconds"]
    return written


@pytest.mark.slow
async def test_killed_across_reshards_a_consumer_loses_nothing(tmp_path):
    aws = real_time_aws()
    stream, ledger = aws.stream("s"), aws.streams.ledger
    aws.function("fn").delay = 0.02
    watched = Watched(aws)
    consumer = aws.streams.fan_out.register(stream, "c")
    async with serving(watched) as url:
        daemon = Daemon(tmp_path, url, pushed("m", consumer, batch_size=10, parallelization_factor=2))
        put(stream, 200)
        async with daemon.running() as process:
            await watched.until(lambda: len(ledger.lost()) < 150, daemon)
            stream.split(stream.open_shards()[0])
            put(stream, 100, 200)
            await daemon.kill(process)
        async with daemon.running():
            stream.merge(*stream.open_shards())
            put(stream, 100, 300)
            await watched.until(lambda: not ledger.lost(), daemon)
    assert not ledger.disordered
    assert not watched.of("GetRecords")
    assert len(ledger.repeated()) <= 2 * 3 * 10, "killed once, with two lanes of a few shards in the middle of a batch"


class Seen:
    """What a function was given, by the function's name."""

    def __init__(self, aws, *names):
        self.texts: dict[str, list[Any]] = {name: [] for name in names}
        self.events: dict[str, list[Any]] = {name: [] for name in names}
        for name in names:
            aws.function(name, lambda event, name=name: self._take(name, event["Records"]))

    def _take(self, name, records):
        self.events[name] += records
        self.texts[name] += [b64decode(record["kinesis"]["data"]).decode("latin-1") for record in records]


def by_the_library(records):
    """An aggregate as the aggregator of AWS's own library writes it."""
    aggregator = RecordAggregator()
    for key, data in records:
        aggregator.add_user_record(key, data)
    _, _, packed = aggregator.clear_and_get().get_contents()
    return packed


async def test_ministack_pushes_and_polls_aggregates_that_are_taken_apart(tmp_path, ministack):
    kinesis = ministack.client("kinesis")
    kinesis.create_stream(StreamName="s", ShardCount=1)
    arn = f"arn:aws:kinesis:eu-west-1:{ministack.account}:stream/s"
    consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="c")["Consumer"]["ConsumerARN"]
    packed = [[(f"key {n % 3}", f"{batch}.{n}".encode()) for n in range(50)] for batch in range(4)]
    expected = []
    for batch, records in enumerate(packed):
        kinesis.put_record(StreamName="s", PartitionKey="a", Data=by_the_library(records))
        kinesis.put_record(StreamName="s", PartitionKey="b", Data=f"plain {batch}".encode())
        expected += [data.decode() for _, data in records] + [f"plain {batch}"]
    aws = real_time_aws()
    seen, watched = Seen(aws, "pushed", "polled", "whole"), Watched(aws)
    there = {"aws": {"services": {"kinesis": {"endpoint_url": ministack.url}}}, "batch_size": 7}
    async with serving(watched) as url:
        daemon = Daemon(
            tmp_path,
            url,
            pushed("m", consumer, function_name="pushed", **there),
            mapping("n", arn, function_name="polled", deaggregate=True, **there),
            mapping("o", arn, function_name="whole", **there),
            access_key=ministack.account,
        )
        async with daemon.running():
            await watched.until(lambda: [len(texts) for texts in seen.texts.values()] == [204, 204, 8], daemon)
            kinesis.put_record(StreamName="s", PartitionKey="b", Data=b"last")
            await watched.until(lambda: all(texts[-1] == "last" for texts in seen.texts.values()), daemon)
    assert seen.texts["pushed"] == seen.texts["polled"] == [*expected, "last"]
    assert {record["eventSourceARN"] for record in seen.events["pushed"]} == {consumer}
    numbers = {record["kinesis"]["sequenceNumber"] for record in seen.events["polled"]}
    assert len(numbers) == 9
