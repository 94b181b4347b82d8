"""`poller run --workers 2` as a process, asked by its one address."""

import asyncio
import json
import re
from pathlib import Path

from poller.cli.client import Client
from tests.live.stream_daemon import Daemon


class Workers(Daemon):
    """A daemon of two workers, which answers on a socket."""

    def __init__(self, folder, url, *mappings, **settings):
        self.api = f"unix:{folder}/api.sock"
        super().__init__(folder, url, *mappings, api={"listen": self.api}, **({"workers": 2} | settings))

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


def is_there(pid):
    try:
        state = re.search(r"^State:\s+(\w)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return False
    return state is not None and state[1] != "Z"
