"""Every order of a person, as a started command, to a daemon of two workers: it reaches the worker that it concerns."""

import asyncio
import itertools
import os
import sys

import pytest

from tests.live.stream_daemon import CHECKOUT, put
from tests.live.workers import stream_of, two_workers

pytestmark = [pytest.mark.live, pytest.mark.heavy]


class Person:
    """Gives commands."""

    def __init__(self, daemon):
        self._daemon = daemon

    async def says(self, *words, code=0):
        """What the command prints."""
        environment = {name: os.environ[name] for name in ("PATH", "HOME")}
        command = [sys.executable, "-m", "poller", *words, "--api", self._daemon.api]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=CHECKOUT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == code, (words, out.decode())
        assert b"Traceback" not in out
        return out.decode()

    async def batches(self, most):
        """Those that wait, by shard, once there are so many."""
        while True:
            _, shown = await self._daemon.ask("/page/parts/mappings/s")
            (mapping,) = shown["mappings"]
            if len(mapping["batches"]) == most:
                return {batch["partition"]: batch for batch in mapping["batches"]}


async def test_orders_about_batches_reach_the_worker_in_which_the_batch_waits(tmp_path):
    failed = "arn:aws:sqs:eu-west-1:123456789012:failed"
    limits = {"destination_config": {"on_failure": {"destination": failed}}, "batch_size": 100}
    functions = {"mended": {"type": "lambda", "function_name": "mended"}}
    settings = {"functions": functions, "failed_events": {"keep": 5}}
    async with two_workers(tmp_path, stream_of(2, **limits), **settings) as daemon:
        aws, person = daemon.aws, Person(daemon)
        works = False

        def handler(_event):
            if not works:
                raise ValueError("no such order")

        aws.function("fn", handler)
        mended = aws.function("mended")
        given_up = aws.queue("failed")
        given_up.url = f"{daemon.url}/123456789012/failed"
        put(aws.streams.streams["s"], 26)
        waiting = await person.batches(2)
        assert "no such order" in await person.says("failures")
        assert "no such order" in await person.says("why", "s")
        for shard, batch in waiting.items():
            assert "value" in await person.says("peek", "s", shard, "--trim-horizon")
            key = batch["keys"][0][0]
            told = await person.says("isolate", "s", key, "--shard", shard, "--dry-run")
            assert key in told
            await person.says("isolate", "s", key, "--shard", shard)
        await daemon.watched.until(lambda: len(given_up.messages) >= 2, daemon)
        first, other = await person.batches(2)
        await person.says("hand-over", "s", "mended", "--shard", first)
        await daemon.watched.until(lambda: mended.invocations.all, daemon)
        before = len(given_up.messages)
        await person.says("skip", "s", "--shard", other)
        await daemon.watched.until(lambda: len(given_up.messages) > before, daemon)
        await person.batches(2)
        await person.says("retry", "s")
        _, status = await daemon.ask("/status")
        (mapping,) = status["mappings"]
        # what waits in a worker is shown by that one alone
        assert [one["elsewhere"] for one in mapping["partitions"]] == [[], []]
        assert "waits_elsewhere" not in [note["code"] for note in mapping["notes"]]
        works = True
        await person.batches(0)
        _, kept = await daemon.ask("/failures")
        event = kept["mappings"][0]["kept"][0]["id"]
        await person.says("rerun", event, "--function", "mended")
        _, logged = await daemon.ask("/actions")
        actions = logged["actions"]
        given = [order for order, _ in itertools.groupby(action["order"] for action in actions)]
        assert given == ["rerun", "retry", "skip", "handover", "isolate", "peek", "isolate", "peek"]
        assert {action["stage"] for action in actions} == {"done"}
        _, status = await daemon.ask("/status")
        assert (status["mappings"][0]["unaccounted"], status["mappings"][0]["counters"]["polled"]) == (0, 26)


async def test_orders_about_positions_are_carried_out_by_one_worker_while_the_other_lets_the_mapping_rest(tmp_path):
    async with two_workers(tmp_path, stream_of(2)) as daemon:
        person, ledger = Person(daemon), daemon.aws.streams.ledger
        function = daemon.aws.function("fn")
        put(daemon.aws.streams.streams["s"], 20)
        await daemon.watched.until(lambda: not ledger.lost(), daemon)

        def delivered():
            return sum(len(one.identifiers) for one in function.invocations.all if one.ended is not None)

        await person.says("seek", "s", "--trim-horizon")
        await daemon.watched.until(lambda: delivered() == 40, daemon)
        await person.says("undo", "s")
        _, logged = await daemon.ask("/actions")
        assert [(action["order"], action["stage"]) for action in logged["actions"]] == [
            ("undo", "done"),
            ("seek", "done"),
        ]
        await person.says("redrive", "s", "--from", "2020-01-01T00:00Z", "--rate", "1000")
        await daemon.watched.until(lambda: delivered() == 60, daemon)
        shown = ""
        while "finished" not in shown:
            shown = await person.says("redrive", "s", "--show")
        assert "20" in shown
        await person.says("redrive", "s", "--stop", code=1)
        await person.says("pause", "s")
        await daemon.until(lambda: len(daemon.logged("mapping_paused", mapping="s")) == 2, "both to pause")
        await person.says("resume", "s")
        await person.says("reload")
        assert "worker 2" in await person.says("fleet")
        assert "pause" in await person.says("actions")
        assert "running" in await person.says("status", "s")
        await person.says("health")
