"""Two `poller run` processes share a stream by a database: one stops, one is killed, one is stopped for a while."""

import signal
from uuid import uuid4

import pytest

from poller.state.dynamodb.table import FORM
from tests.fakes.server import real_time_aws, serving
from tests.live.stream_daemon import Daemon, Watched, mapping, put
from tests.servers.postgresql import in_schema

pytestmark = [pytest.mark.live, pytest.mark.slow]
# with an interval between writes a kill repeats what was delivered in it, too
FLEET = {"lease_seconds": 5, "rebalance_delay_seconds": 0, "checkpoint_interval_seconds": 0}


@pytest.fixture(params=["postgresql", "dynamodb"])
def state(request):
    """Settings of an empty store in a database."""
    if request.param == "postgresql":
        pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'poller[postgresql]'")
        return {"state": in_schema(request.getfixturevalue("postgresql_url"), f"fleet-{uuid4()}")}
    account, name = request.getfixturevalue("ministack"), f"state-{uuid4()}"
    account.client("dynamodb").create_table(TableName=name, **FORM)
    services = {"dynamodb": {"endpoint_url": account.url}}
    return {"state": f"dynamodb://{name}?region=eu-west-1", "services": services, "access_key": account.account}


def daemons(folder, url, state, *mappings):
    services, key = state.get("services", {}), state.get("access_key", "KEY")
    aws = {"region": "eu-west-1", "endpoint_url": url, "services": services}
    settings = {"state": state["state"], "aws": aws, "access_key": key}
    return [Daemon(folder, url, *mappings, name=n, fleet={**FLEET, "member": n}, **settings) for n in ("a", "b")]


def claims(daemon):
    return daemon.log.read_text().count('"fleet_shard_claimed"')


async def test_a_daemon_that_stops_hands_over_without_delivering_anything_twice(tmp_path, state):
    aws = real_time_aws()
    stream, ledger = aws.stream("s", shards=4), aws.streams.ledger
    aws.function("fn").delay = 0.02
    watched = Watched(aws)
    async with serving(watched) as url:
        first, second = daemons(tmp_path, url, state, mapping("m", stream.arn, batch_size=5))
        put(stream, 200)
        async with second.running():
            async with first.running():
                await watched.until(lambda: claims(first) >= 2, first)
                put(stream, 200, 200)
                await watched.until(lambda: len(ledger.lost()) < 200, first)
            await watched.until(lambda: not ledger.lost(), second)
    assert (ledger.out_of_order(), ledger.repeated(), ledger.delivered_after_success()) == (set(), set(), set())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_what_a_daemon_read_that_is_gone_the_other_goes_on_with(tmp_path, state, how):
    aws = real_time_aws()
    stream, ledger = aws.stream("s", shards=4), aws.streams.ledger
    aws.function("fn").delay = 0.02
    watched = Watched(aws)
    async with serving(watched) as url:
        first, second = daemons(tmp_path, url, state, mapping("m", stream.arn, batch_size=5))
        put(stream, 100)
        async with first.running() as process:
            await watched.until(lambda: not ledger.lost(), first)
            async with second.running():
                await watched.until(lambda: claims(second) >= 2, second)
                put(stream, 300, 100)
                await watched.until(lambda: len(ledger.lost()) < 200, second)
                process.send_signal(how)
                await watched.until(lambda: not ledger.lost(), second)
                if how == signal.SIGSTOP:
                    process.send_signal(signal.SIGCONT)
                put(stream, 20, 400)
                await watched.until(lambda: not ledger.lost(), second)
            if how == signal.SIGKILL:
                await process.wait()
    again = {number for number, entry in ledger.entries.items() if len(entry.invoked) > 1}
    assert not ledger.disordered
    assert len(again) <= 2 * 2 * 5, "what was in flight on two shards, and a batch of each"
