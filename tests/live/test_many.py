"""A hundred mappings in one daemon: how long it takes to end, printed.

python -m pytest -m slow -n 0 -s tests/live/test_many.py
"""

import asyncio
import json
import time

import pytest

from tests.fakes.server import real_time_aws, serving
from tests.live.daemon import running, until

pytestmark = [pytest.mark.live, pytest.mark.slow]
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "KEY", "AWS_SECRET_ACCESS_KEY": "secret"}
MAPPINGS = 100


def configure(folder, aws, url):
    mappings = []
    for number in range(MAPPINGS):
        queue = aws.queue(f"q{number}", visibility_timeout=30)
        queue.url = f"{url}/{aws.account}/q{number}"
        mappings.append({"name": queue.name, "event_source_arn": queue.arn, "function_name": "fn"})
    config = folder / "poller.json"
    settings = {"aws": {"region": "eu-west-1", "endpoint_url": url}, "state": "memory:"}
    config.write_text(json.dumps(settings | {"api": {"listen": "127.0.0.1:0"}, "event_source_mappings": mappings}))
    return config


def delivered(mapping):
    return mapping["counters"]["delivered"]


@pytest.mark.parametrize("state", ["idle", "at work"])
async def test_from_sigterm_to_the_exit(tmp_path, state):
    """A long poll under way may return, so an idle daemon takes up to twenty seconds; the grace period bounds it."""
    aws = real_time_aws()
    aws.function("fn", delay=0.2)
    ended = asyncio.Event()

    async def feed():
        while not ended.is_set():
            for queue in aws.queues.values():
                queue.send("m")
            await asyncio.sleep(0.5)

    def story(config):
        with running(config, ENVIRONMENT) as daemon:
            until(lambda: daemon.get("/readyz")[0] == 200, "it to be ready")
            running_now = [one for one in daemon.status().values() if one["state"] == "running"]
            assert len(running_now) == MAPPINGS
            if state == "at work":
                until(
                    lambda: all(delivered(one) for one in daemon.status().values()), "every mapping to have delivered"
                )
            asked = time.monotonic()
            daemon.stop()
            took = time.monotonic() - asked
            print(f"\n{MAPPINGS} mappings, {state}: SIGTERM to exit {took:.1f} s")  # noqa: T201

    async with serving(aws) as url:
        config = configure(tmp_path, aws, url)
        feeding = asyncio.ensure_future(feed()) if state == "at work" else None
        try:
            await asyncio.to_thread(story, config)
        finally:
            ended.set()
            if feeding is not None:
                await feeding
    assert aws.ledger.lost() == aws.ledger.deleted_unproved() == aws.ledger.delivered_twice() == set()
