"""A daemon that only answers, for the commands that ask one."""

import asyncio
import json
import threading
from contextlib import contextmanager

from poller.configuration import ApiSettings
from poller.daemon.api.server import serve
from tests.daemon.samples import STARTED_AT, Reloading, Steered, a_daemon


@contextmanager
def a_running_daemon(tmp_path, *mappings, token=None, reloaded=None, **values):
    """Serves a status on a Unix socket from a thread of its own; yields the path of its configuration."""
    settings = {"listen": f"unix:{tmp_path}/api.sock", **({"token": token} if token else {})}
    listening, loop, end = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def run():
        status = a_daemon(*mappings, started=loop.time(), **values)
        async with serve(
            status, ApiSettings.model_validate(settings), Steered(status), Reloading(reloaded), wall=lambda: STARTED_AT
        ):
            listening.set()
            await end.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        assert listening.wait(10)
        configuration = tmp_path / "running.json"
        configuration.write_text(json.dumps({"api": settings}))
        yield configuration
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()
