"""Orders to real daemons on real databases, by HTTP, from the one that does not hold; and the one that was asked is killed."""

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.request import Request, urlopen

import pytest

from tests.fakes.lambda_service import function_error
from tests.fakes.server import real_time_aws, serving
from tests.live.stream_daemon import PATIENCE, Watched, mapping, put
from tests.live.test_shared_fleet import claims, daemons, state

__all__ = ["state"]
pytestmark = [pytest.mark.live, pytest.mark.heavy]


async def asked(daemon, path, body=None):
    """The answer of the daemon's API."""
    address = daemon.logged("api_listening")[-1]["address"]
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"{address}{path}", data, {"content-type": "application/json"})
    with await asyncio.to_thread(urlopen, request, timeout=PATIENCE) as answer:
        return json.load(answer)


def deliveries(aws):
    ended = [one for one in aws.functions["fn"].invocations.all if one.ended is not None]
    return [number for one in ended for number in one.identifiers if number in one.succeeded]


@asynccontextmanager
async def two(folder, settings, **parameters):
    """Two daemons that share a stream."""
    aws = real_time_aws()
    stream, failed = aws.stream("s", shards=4), aws.queue("failed")
    aws.function("fn").delay = 0.02
    watched = Watched(aws)
    async with serving(watched) as url:
        failed.url = f"{url}/{aws.account}/failed"
        to = {"destination_config": {"on_failure": {"destination": failed.arn}}}
        found = daemons(folder, url, settings, mapping("m", stream.arn, batch_size=5, **to, **parameters))
        async with AsyncExitStack() as stack:
            processes = [await stack.enter_async_context(daemon.running()) for daemon in found]
            await watched.until(lambda: all(claims(daemon) >= 2 for daemon in found), found[0])
            yield aws, watched, found, processes


async def shows_of_others(daemon):
    """Whether a batch waits on another daemon."""
    (shown,) = (await asked(daemon, "/status"))["mappings"]
    return any(partition["elsewhere"] for partition in shown["partitions"])


async def test_a_batch_is_given_up_by_the_daemon_that_does_not_have_it(tmp_path, state):
    async with two(tmp_path, state) as (aws, watched, found, _):
        aws.functions["fn"].handler = lambda _: function_error()
        put(aws.streams.streams["s"], 1)
        async with asyncio.timeout(PATIENCE):
            while not (others := [daemon for daemon in found if await shows_of_others(daemon)]):  # noqa: ASYNC110
                await asyncio.sleep(0.5)  # processes, which tell nobody
        (other,) = others
        (having,) = set(found) - {other}
        shown = await asked(other, "/mappings/m/skip", {"dry_run": True})
        assert shown["impact"]
        await asked(other, "/mappings/m/skip", {"who": "ann"})
        await watched.until(lambda: aws.queues["failed"].messages, other)
        assert [one["stage"] for one in (await asked(having, "/actions"))["actions"]] == ["done"]


async def test_a_position_is_moved_by_each_daemon_and_moved_back_by_the_other(tmp_path, state):
    async with two(tmp_path, state) as (aws, watched, found, _):
        put(aws.streams.streams["s"], 40)
        await watched.until(lambda: len(deliveries(aws)) == 40, found[0])
        for number, daemon in enumerate(found, start=2):
            await asked(daemon, "/mappings/m/seek", {"to": "TRIM_HORIZON"})
            await watched.until(lambda most=number: len(deliveries(aws)) == 40 * most, daemon)
        await asked(found[0], "/mappings/m/undo", {})
        assert [one["stage"] for one in (await asked(found[1], "/actions"))["actions"]] == ["done"] * 3
        put(aws.streams.streams["s"], 5, 40)
        await watched.until(lambda: len(deliveries(aws)) == 125, found[0])


@pytest.mark.parametrize("noted", [False, True])
async def test_a_daemon_that_is_killed_right_after_a_seek_was_ordered_lets_the_other_go_on(tmp_path, state, noted):
    async with two(tmp_path, state) as (aws, watched, found, processes):
        put(aws.streams.streams["s"], 40)
        await watched.until(lambda: len(deliveries(aws)) == 40, found[0])
        aws.functions["fn"].delay = 0.5
        put(aws.streams.streams["s"], 40, 40)
        order = asyncio.create_task(asked(found[0], "/mappings/m/seek", {"to": "TRIM_HORIZON"}))
        async with asyncio.timeout(PATIENCE):
            while noted and not (await asked(found[1], "/actions"))["actions"]:
                pass
        await found[0].kill(processes[0])
        await asyncio.gather(order, return_exceptions=True)
        put(aws.streams.streams["s"], 20, 80)
        ledger = aws.streams.ledger
        await watched.until(lambda: not ledger.lost(), found[1])
        stages = [one["stage"] for one in (await asked(found[1], "/actions"))["actions"]]
        assert stages in ([["begun"], ["done"]] if noted else [[], ["begun"], ["done"]])
        assert (await asked(found[1], "/mappings/m/seek", {"to": "TRIM_HORIZON"}))["action"] is not None
        before = len(deliveries(aws))
        await watched.until(lambda: len(deliveries(aws)) >= before + 100, found[1])
