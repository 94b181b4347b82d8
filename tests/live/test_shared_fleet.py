"""Two `poller run` processes share a stream by a database: one stops, one is killed, one is stopped for a while."""

import asyncio
import json
import signal
from urllib.request import urlopen
from uuid import uuid4

import pytest

from poller.state.dynamodb.table import FORM
from tests.fakes.server import real_time_aws, serving
from tests.live.stream_daemon import PATIENCE, Daemon, Watched, mapping, put
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


async def reason(daemon):
    """Why the daemon receives nothing now."""
    lines = [json.loads(line) for line in daemon.log.read_text().splitlines() if '"api_listening"' in line]
    with await asyncio.to_thread(urlopen, f"{lines[-1]['address']}/status", timeout=PATIENCE) as answer:
        [shown] = json.load(answer)["mappings"]
    return shown["reason"] and shown["reason"]["code"]


async def test_one_daemon_polls_a_quiet_queue_and_the_other_once_that_one_is_killed(tmp_path, state):
    aws = real_time_aws()
    queue, function = aws.queue("q", visibility_timeout=30), aws.function("fn")
    watched = Watched(aws)
    own = {"name": "m", "event_source_arn": queue.arn, "function_name": "fn"}
    async with serving(watched) as url:
        queue.url = f"{url}/{aws.account}/q"
        first, second = daemons(tmp_path, url, state, own)
        async with first.running() as one, second.running() as other:
            await watched.until(lambda: all('"ready"' in daemon.log.read_text() for daemon in (first, second)), first)
            async with asyncio.timeout(2 * PATIENCE):
                while "not_mine" not in (reasons := [await reason(daemon) for daemon in (first, second)]):  # noqa: ASYNC110
                    await asyncio.sleep(1.0)  # processes, which tell nobody
            rests, polls = (second, one) if reasons[1] == "not_mine" else (first, other)
            await rests.kill(polls)
            queue.send("for the one that is left")
            await watched.until(lambda: len(function.invocations.all) == 1 and queue.counts() == (0, 0, 0), rests)
