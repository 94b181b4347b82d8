"""Two `poller run` processes on one machine share a stream by one state file: one is killed, one is stopped."""

import pytest

from tests.fakes.server import real_time_aws, serving
from tests.live.stream_daemon import Daemon, Watched, mapping, put

pytestmark = pytest.mark.live
FLEET = {"lease_seconds": 5, "rebalance_delay_seconds": 0}


def daemons(folder, url, *mappings):
    return [Daemon(folder, url, *mappings, name=name, fleet={**FLEET, "member": name}) for name in ("a", "b")]


def claims(daemon):
    return daemon.log.read_text().count('"fleet_shard_claimed"')


@pytest.mark.slow
async def test_what_a_killed_daemon_read_the_other_goes_on_with(tmp_path):
    aws = real_time_aws()
    stream, ledger = aws.stream("s", shards=4), aws.streams.ledger
    aws.function("fn").delay = 0.02
    watched = Watched(aws)
    async with serving(watched) as url:
        first, second = daemons(tmp_path, url, mapping("m", stream.arn, batch_size=5))
        put(stream, 100)
        async with first.running() as process:
            await watched.until(lambda: not ledger.lost(), first)
            async with second.running():
                await watched.until(lambda: claims(second) >= 2, second)
                put(stream, 300, 100)
                await watched.until(lambda: len(ledger.lost()) < 200, second)
                await first.kill(process)
                await watched.until(lambda: not ledger.lost(), second)
    again = {number for number, entry in ledger.entries.items() if len(entry.invoked) > 1}
    assert not ledger.disordered
    assert len(again) <= 2 * 2 * 5, "what was in flight on two shards, and a batch of each"


@pytest.mark.heavy
async def test_a_daemon_that_stops_hands_over_without_delivering_anything_twice(tmp_path):
    aws = real_time_aws()
    stream, ledger = aws.stream("s", shards=4), aws.streams.ledger
    aws.function("fn").delay = 0.02
    watched = Watched(aws)
    async with serving(watched) as url:
        first, second = daemons(tmp_path, url, mapping("m", stream.arn, batch_size=5))
        put(stream, 200)
        async with second.running():
            async with first.running():
                await watched.until(lambda: claims(first) >= 2, first)
                put(stream, 200, 200)
                await watched.until(lambda: len(ledger.lost()) < 200, first)
            await watched.until(lambda: not ledger.lost(), second)
    assert (ledger.out_of_order(), ledger.repeated(), ledger.delivered_after_success()) == (set(), set(), set())


@pytest.mark.slow
async def test_a_daemon_by_itself_is_refused_beside_a_fleet_and_goes_on_where_it_ended(tmp_path):
    aws = real_time_aws()
    stream, ledger = aws.stream("s", shards=2), aws.streams.ledger
    aws.function("fn")
    watched = Watched(aws)
    async with serving(watched) as url:
        member, _ = daemons(tmp_path, url, mapping("m", stream.arn))
        alone = Daemon(tmp_path, url, mapping("m", stream.arn), name="alone")
        put(stream, 50)
        async with member.running():
            await watched.until(lambda: not ledger.lost(), member)
            async with alone.running() as process:
                assert await process.wait() == 69
            assert "is in use by another poller" in alone.log.read_text()
        put(stream, 50, 50)
        async with alone.running():
            await watched.until(lambda: not ledger.lost(), alone)
        put(stream, 50, 100)
        async with member.running():
            await watched.until(lambda: not ledger.lost(), member)
    assert ledger.repeated() == set()
