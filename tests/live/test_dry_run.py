"""`poller run --dry-run` as a process: it reads what the daemon would, and moves, deletes and invokes nothing."""

import pytest

from tests.fakes.server import real_time_aws, serving
from tests.live.stream_daemon import Daemon, Watched, mapping, put

pytestmark = [pytest.mark.live, pytest.mark.slow]

READS = {"ListShards", "DescribeStreamSummary", "DescribeStream", "GetShardIterator", "GetRecords"}


async def test_a_dry_run_goes_on_where_the_daemon_is_and_leaves_everything_as_it_is(tmp_path):
    aws = real_time_aws()
    stream, ledger = aws.stream("s"), aws.streams.ledger
    queue, failed = aws.queue("q"), aws.queue("failed")
    aws.function("fn")
    watched = Watched(aws)
    async with serving(watched) as url:
        destination = {"destination_config": {"on_failure": {"destination": failed.arn}}}
        of_stream = mapping("m", stream.arn, batch_size=4, **destination)
        of_queue = {"name": "q", "event_source_arn": queue.arn, "function_name": "fn"}
        real = Daemon(tmp_path, url, of_stream)
        dry = Daemon(tmp_path, url, of_stream, of_queue, name="dry")
        put(stream, 20)
        async with real.running():
            await watched.until(lambda: not ledger.lost(), real)
        for number in range(3):
            queue.send(str(number))
        put(stream, 15, 20)
        calls, state = aws.calls.copy(), (tmp_path / "state.db").read_bytes()
        async with dry.running("--dry-run"):
            await watched.until(lambda: len(dry.logged("dry_run_batch")) >= 4, dry)
        (account,) = (line["mappings"]["m"] for line in dry.logged("stopped"))
        assert (account["polled"], account["delivered"], account["unaccounted"]) == (15, 15, 0)
        assert (aws.calls - calls).keys() <= READS
        assert (tmp_path / "state.db").read_bytes() == state
        async with real.running():
            await watched.until(lambda: not ledger.lost(), real)
            async with dry.running("--dry-run"):
                await watched.until(lambda: len(dry.log.read_text().split("mapping_started")) > 2, dry)
                put(stream, 5, 35)
                await watched.until(lambda: not ledger.lost() and len(dry.logged("dry_run_batch")) > 4, dry)
    assert (ledger.repeated(), ledger.delivered_after_success(), ledger.out_of_order()) == (set(), set(), set())
    assert [message.receives for message in queue.messages.values()] == [0] * 3
    assert not failed.messages
    assert "q rests: reading q would take its records from others" in dry.log.read_text()
