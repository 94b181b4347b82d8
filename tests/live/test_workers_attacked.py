"""Clients of workers of which one is killed, or that reload: each gets an answer, or the end of its connection."""

import asyncio
import os
import signal

import aiohttp
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.live.lambda_client import lambda_client
from tests.live.stream_daemon import put
from tests.live.workers import memory_of, stream_of, two_workers

pytestmark = [pytest.mark.live, pytest.mark.heavy]

TCP = {"listen": "127.0.0.1:0"}
FUNCTIONS = {"asked": {"type": "lambda", "function_name": "asked"}}
MANY = 8


def gated(aws):
    """The function that clients invoke, and what lets it answer."""
    gate = asyncio.Event()

    async def handler(_event):
        await gate.wait()

    return aws.function("asked", handler), gate


class Viewer:
    """Looks at a screen until its stream ends."""

    def __init__(self, url):
        self._url = url
        self.lines = 0
        self.looking = asyncio.ensure_future(self._look())

    async def _look(self):
        async with aiohttp.ClientSession(self._url) as session, session.get("/page/live/mappings/s") as answer:
            assert answer.status == 200
            try:
                async for _ in answer.content:
                    self.lines += 1
            except aiohttp.ClientError:
                return

    async def close(self):
        self.looking.cancel()
        await asyncio.wait({self.looking})


async def invoked(url):
    """The status of an Invoke, or what became of its connection."""
    client = lambda_client(url)
    try:
        return (await client.call("invoke", FunctionName="asked", Payload=b"{}"))["StatusCode"]
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]
    except BotoCoreError as error:
        return type(error).__name__
    finally:
        client.close()


async def loads(url):
    """The status of a screen."""
    async with aiohttp.ClientSession(url) as session, session.get("/", headers={"Accept": "text/html"}) as answer:
        return answer.status


async def test_a_killed_worker_leaves_no_client_waiting_and_the_other_serves_all(tmp_path):
    async with two_workers(tmp_path, stream_of(4, batch_size=5), api=TCP, functions=FUNCTIONS) as daemon:
        (function, gate), ledger = gated(daemon.aws), daemon.aws.streams.ledger
        daemon.aws.function("fn").delay = 0.2
        put(daemon.aws.streams.streams["s"], 60)
        viewers = [Viewer(daemon.api) for _ in range(MANY)]
        await daemon.until(lambda: all(viewer.lines for viewer in viewers), "every viewer to see something")
        invocations = [asyncio.ensure_future(invoked(daemon.api)) for _ in range(MANY)]
        await daemon.watched.until(lambda: function.invocations.running == MANY, daemon)
        os.kill(daemon.pids()[0], signal.SIGKILL)
        gate.set()
        ends = await asyncio.wait_for(asyncio.gather(*invocations), 60)
        assert 200 in ends
        assert {end for end in ends if end != 200} <= {503, "ConnectionClosedError", "ReadTimeoutError"}
        await daemon.until(lambda: any(viewer.looking.done() for viewer in viewers), "the end of the streams")
        left = [viewer for viewer in viewers if not viewer.looking.done()]
        seen = {viewer: viewer.lines for viewer in left}
        await daemon.until(lambda: all(viewer.lines > seen[viewer] for viewer in left), "the others to go on")
        assert await asyncio.gather(*(loads(daemon.api) for _ in range(20))) == [200] * 20
        assert await asyncio.gather(*(invoked(daemon.api) for _ in range(4))) == [200] * 4
        await daemon.watched.until(lambda: not ledger.lost(), daemon)
        for viewer in viewers:
            await viewer.close()
        assert memory_of(daemon.process.pid) <= 25
    assert "Traceback" not in daemon.log.read_text()


async def test_a_reload_cuts_no_request_and_no_stream(tmp_path):
    async with two_workers(tmp_path, stream_of(2), api=TCP, functions=FUNCTIONS) as daemon:
        function, gate = gated(daemon.aws)
        viewers = [Viewer(daemon.api) for _ in range(4)]
        await daemon.until(lambda: all(viewer.lines for viewer in viewers), "every viewer to see something")
        invocations = [asyncio.ensure_future(invoked(daemon.api)) for _ in range(4)]
        await daemon.watched.until(lambda: function.invocations.running == 4, daemon)
        daemon.process.send_signal(signal.SIGHUP)
        screens = [loads(daemon.api) for _ in range(20)]
        assert await asyncio.gather(*screens) == [200] * 20
        await daemon.until(lambda: len(daemon.logged("reloaded")) == 2, "both to reload")
        gate.set()
        assert await asyncio.gather(*invocations) == [200] * 4
        assert not any(viewer.looking.done() for viewer in viewers)
        for viewer in viewers:
            await viewer.close()
    assert "Traceback" not in daemon.log.read_text()
