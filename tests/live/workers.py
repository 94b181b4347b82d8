"""`poller run --workers 2` as a process, asked by its one address."""

import asyncio
import contextlib
import json
import re
from pathlib import Path
from typing import Any

from poller.cli.client import Client
from tests.fakes.server import real_time_aws, serving
from tests.live.stream_daemon import Daemon, Watched, mapping


class Workers(Daemon):
    """A daemon of two workers, which answers on a socket, or where `api` says."""

    def __init__(self, folder, url, *mappings, api=None, **settings):
        self.aws: Any = None
        self.watched: Any = None
        self.process: Any = None
        self.url: str = url
        self._api = {"listen": f"unix:{folder}/api.sock"} | (api or {})
        super().__init__(folder, url, *mappings, api=self._api, **({"workers": 2} | settings))

    @property
    def api(self):
        """Where it answers."""
        logged = self.logged("api_listening")
        return logged[-1]["address"] if logged else self._api["listen"]

    def logged(self, event, **fields):
        """Lines of that event, the parent's and the workers'."""
        wanted = {"event": event, **fields}
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if wanted.items() <= line.items()]

    async def ask(self, path):
        code, body = await asyncio.to_thread(Client(self.api, None).get, path)
        return code, json.loads(body) if body[:1] == b"{" else body.decode()

    async def order(self, name, what):
        return await asyncio.to_thread(Client(self.api, None).order, name, what, {})

    async def until(self, condition, what):
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110  (a process and its log)
                await asyncio.sleep(0.05)
        return what

    def pids(self):
        """Of the present workers."""
        return [self.logged("worker_started", worker=number)[-1]["pid"] for number in (1, 2)]

    async def ready(self):
        await self.until(lambda: self.logged("ready", worker=1) and self.logged("ready", worker=2), "ready")


@contextlib.asynccontextmanager
async def an_account(folder, *sources, **settings):
    """A fake account, and a daemon of two workers that does not run yet. `sources` make a mapping each of the account."""
    aws = real_time_aws()
    watched = Watched(aws)
    async with serving(watched) as url:
        daemon = Workers(folder, url, *(source(aws, url) for source in sources), **settings)
        daemon.aws, daemon.watched = aws, watched
        yield daemon


@contextlib.asynccontextmanager
async def two_workers(folder, *sources, **settings):
    """As `an_account`, with the daemon ready."""
    async with an_account(folder, *sources, **settings) as daemon, daemon.running() as process:
        daemon.process = process
        await daemon.ready()
        yield daemon


def stream_of(shards=1, name="s", **parameters):
    """A source of `two_workers`."""

    def made(aws, _url):
        return mapping(name, aws.stream(name, shards=shards).arn, **parameters)

    return made


def queue_of(name="q", **parameters):
    """As `stream_of`."""

    def made(aws, url):
        queue = aws.queue(name)
        queue.url = f"{url}/123456789012/{name}"
        return {"name": name, "event_source_arn": queue.arn, "function_name": "fn", **parameters}

    return made


def memory_of(pid):
    """MiB, the pages of the interpreter included, which all processes share."""
    found = re.search(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def is_there(pid):
    try:
        state = re.search(r"^State:\s+(\w)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return False
    return state is not None and state[1] != "Z"
