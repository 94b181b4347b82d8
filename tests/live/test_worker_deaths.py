"""What a killed worker leaves: no process of its functions, and shards that a shared database gives to the others."""

import os
import signal
from uuid import uuid4

import pytest

from tests.benchmarks.processes import tree
from tests.fakes.server import real_time_aws, serving
from tests.live.stream_daemon import Watched, mapping, put
from tests.live.workers import Workers, is_there
from tests.servers.postgresql import in_schema

pytestmark = [pytest.mark.live, pytest.mark.slow]
HANDLER = "import time\ndef handler(event, context):\n    time.sleep(0.2)\n    return {}\n"


async def test_no_process_of_a_local_function_outlives_its_worker_or_the_parent(tmp_path):
    pytest.importorskip("awslambdaric", reason="awslambdaric is not installed: pip install 'poller[runtime]'")
    (tmp_path / "app.py").write_text(HANDLER)
    aws = real_time_aws()
    queue = aws.queue("q", visibility_timeout=10)
    local = {"type": "runtime", "handler": "app.handler", "code": str(tmp_path), "concurrency": 4}
    by_queue = {"name": "q", "event_source_arn": queue.arn, "function_name": "local", "batch_size": 1}
    async with serving(Watched(aws)) as url:
        queue.url = f"{url}/123456789012/q"
        daemon = Workers(tmp_path, url, by_queue, functions={"local": local})
        async with daemon.running() as process:
            await daemon.ready()
            for number in range(60):
                queue.send(f"{number}")
            of_both = await until_functions_run(daemon)
            os.kill(daemon.pids()[0], signal.SIGKILL)
            await daemon.until(lambda: not any(map(is_there, of_both[0])), "the end of its functions")
            await daemon.kill(process)
            await daemon.until(lambda: not any(map(is_there, of_both[1])), "the end of all functions")
        async with daemon.running():
            await daemon.until(lambda: not queue.messages, "every message to be settled")


async def until_functions_run(daemon):
    """The processes below each worker."""
    found: list[list[int]] = []

    def all_run():
        found[:] = [tree(pid)[1:] for pid in daemon.pids()]
        return all(found)

    await daemon.until(all_run, "functions on both workers")
    return found


async def test_shards_of_a_killed_worker_go_on_in_postgresql_before_its_lease_ends(tmp_path, postgresql_url):
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'poller[postgresql]'")
    aws = real_time_aws()
    stream, ledger = aws.stream("s", shards=4), aws.streams.ledger
    aws.function("fn").delay = 0.02
    watched = Watched(aws)
    async with serving(watched) as url:
        state = in_schema(postgresql_url, f"workers-{uuid4()}")
        daemon = Workers(tmp_path, url, mapping("m", stream.arn, batch_size=5), state=state)
        put(stream, 100)
        async with daemon.running():
            await watched.until(lambda: not ledger.lost(), daemon)
            await daemon.ready()
            await daemon.until(lambda: len(daemon.logged("fleet_shard_claimed")) >= 4, "every shard to be read")
            put(stream, 300, 100)
            await watched.until(lambda: len(ledger.lost()) < 200, daemon)
            os.kill(daemon.pids()[0], signal.SIGKILL)
            await watched.until(lambda: not ledger.lost(), daemon)
        assert not daemon.logged("fleet_member_buried"), "nobody had to wait for the lease"
