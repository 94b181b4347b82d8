"""Enhanced fan-out beside shared polling, and what taking aggregates apart costs: `python -m tests.benchmarks.pushed`.

Latency is from a put to the function's invocation, `poller run` being a process of its own and the services the tests'
double, which pushes at once here (AWS takes some 70 ms for it). Costs are the best of several runs in this process.
"""

import asyncio
import base64
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from poller.sources.kinesis.api import KinesisApi
from poller.values.record import Record
from tests.fakes.aws import FakeAws
from tests.fakes.server import real_time_aws, serving
from tests.fakes.streams import fan_out
from tests.fakes.streams.aggregates import aggregate
from tests.live.stream_daemon import Daemon, Watched

PUTS = 200
PAUSE = 0.05
NUMBER = "49590338271490256608559692538361571095921575989136588898"
SHAPES = ((20, 1000), (100, 400), (1000, 50))
"""Bytes of an inner record's data, and inner records: around the 50 KB at which the producer's library stops packing."""


def say(text: str) -> None:
    sys.stdout.write(text + "\n")


async def latencies(name: str, *, pushed: bool, **parameters: Any) -> None:
    aws = real_time_aws()
    stream = aws.stream("s")
    aws.function("fn")
    arn = aws.streams.fan_out.register(stream, "c") if pushed else stream.arn
    mapping = {"name": "m", "event_source_arn": arn, "function_name": "fn", "starting_position": "TRIM_HORIZON"}
    watched = Watched(aws)
    with tempfile.TemporaryDirectory() as folder:
        async with serving(watched) as url:
            daemon = Daemon(Path(folder), url, mapping | parameters)
            async with daemon.running():
                stream.put("first", "")
                await watched.until(lambda: not aws.streams.ledger.lost(), daemon)
                for number in range(PUTS):
                    stream.put("k", str(number))
                    await asyncio.sleep(PAUSE * random.uniform(0.5, 1.5))
                await watched.until(lambda: not aws.streams.ledger.lost(), daemon)
    found = sorted(1000 * (entry.invoked[0] - entry.put) for entry in list(aws.streams.ledger.entries.values())[1:])
    reads = watched.of("GetRecords") + watched.of("SubscribeToShard")
    say(
        f"{name:46} p50 {statistics.median(found):8.1f} ms   p99 {found[len(found) * 99 // 100]:8.1f} ms   "
        f"{len(reads)} reads and subscriptions for {PUTS} puts"
    )


def best(work: Callable[[], object], runs: int = 15) -> float:
    """Seconds."""
    took = []
    for _ in range(runs):
        begun = time.perf_counter()
        work()
        took.append(time.perf_counter() - begun)
    return min(took)


def item(data: bytes) -> dict[str, Any]:
    text = base64.b64encode(data).decode()
    return {"SequenceNumber": NUMBER, "ApproximateArrivalTimestamp": 1.5, "Data": text, "PartitionKey": "k"}


def costs() -> None:
    api, plain = (
        KinesisApi(FakeAws(), arn="a", region="r", invoke_identity_arn="i", deaggregate=deaggregate)
        for deaggregate in (True, False)
    )

    def records(of: KinesisApi, items: Sequence[Any]) -> list[Record]:
        found = of.taken_apart(items)
        return [Record(one, position, None, 1) for one, position in zip(found, of.positions(found), strict=True)]

    page = [item(random.randbytes(100)) for _ in range(2000)]
    say(f"{'a record, deaggregate off':46} {best(lambda: records(plain, page)) / 2000 * 1e6:8.2f} us")
    say(f"{'a record that is no aggregate, deaggregate on':46} {best(lambda: records(api, page)) / 2000 * 1e6:8.2f} us")
    for size, count in SHAPES:
        packed = [item(aggregate([(f"key-{n % 50}", random.randbytes(size)) for n in range(count)]))] * 20
        name = f"an inner record of {size} bytes, {count} together"
        say(f"{name:46} {best(partial(records, api, packed), 5) / (20 * count) * 1e6:8.2f} us")


def main() -> None:
    fan_out.PUSH_SECONDS = 0.0
    asyncio.run(latencies("enhanced fan-out", pushed=True))
    asyncio.run(latencies("shared polling, poll_interval_seconds 1", pushed=False))
    asyncio.run(latencies("shared polling, poll_interval_seconds 0.2", pushed=False, poll_interval_seconds=0.2))
    costs()


if __name__ == "__main__":
    main()
