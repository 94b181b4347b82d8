"""`poller run --workers`: one daemon to the outside, of several processes that die, stop and reload together."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.server import real_time_aws, serving
from tests.live.daemon import configuration, running
from tests.live.stream_daemon import Daemon, Watched, mapping, put
from tests.live.workers import Workers, an_account, is_there, memory_of, queue_of, stream_of, two_workers

pytestmark = [pytest.mark.live, pytest.mark.heavy]


async def test_what_a_killed_worker_read_the_other_goes_on_with_and_it_is_started_again(tmp_path):
    async with two_workers(tmp_path, stream_of(4, batch_size=5)) as daemon:
        stream, ledger, watched = daemon.aws.streams.streams["s"], daemon.aws.streams.ledger, daemon.watched
        daemon.aws.function("fn").delay = 0.02
        put(stream, 400)
        await watched.until(lambda: len(ledger.lost()) < 200, daemon)
        _, before = await daemon.ask("/status")
        os.kill(daemon.pids()[0], signal.SIGKILL)
        await watched.until(lambda: not ledger.lost(), daemon)
        await daemon.until(lambda: len(daemon.logged("ready", worker=1)) == 2, "the worker again")
        code, status = await daemon.ask("/status")
        assert (code, (await daemon.ask("/healthz"))[0], (await daemon.ask("/readyz"))[0]) == (200, 200, 200)
        (shown,) = status["mappings"]
        assert shown["unaccounted"] == 0
        assert len(shown["partitions"]) == 4
        assert shown["counters"]["polled"] >= before["mappings"][0]["counters"]["polled"]
        assert [worker["starts"] for worker in status["workers"]] == [2, 1]
    again = {number for number, entry in ledger.entries.items() if len(entry.invoked) > 1}
    assert not ledger.disordered
    assert len(again) <= 2 * 2 * 5, "what was in flight on two shards, and a batch of each"


async def test_no_worker_outlives_its_parent_and_the_next_daemon_goes_on(tmp_path):
    async with a_slow_stream(tmp_path, 0.02) as (daemon, ledger):
        async with daemon.running() as process:
            await daemon.watched.until(lambda: len(ledger.lost()) < 150, daemon)
            pids = daemon.pids()
            await daemon.kill(process)
            await daemon.until(lambda: not any(map(is_there, pids)), "the end of the workers")
        async with daemon.running():
            await daemon.watched.until(lambda: not ledger.lost(), daemon)
    again = {number for number, entry in ledger.entries.items() if len(entry.invoked) > 1}
    assert len(again) <= 2 * 4 * 5


async def test_a_stop_ends_all_workers_softly_and_delivers_nothing_twice(tmp_path):
    async with a_slow_stream(tmp_path, 0.05) as (daemon, ledger):
        for left in (200, 1):
            async with daemon.running():
                await daemon.watched.until(lambda left=left: len(ledger.lost()) < left, daemon)
    assert (ledger.out_of_order(), ledger.repeated(), ledger.delivered_after_success()) == (set(), set(), set())
    assert [line["code"] for line in daemon.logged("workers_stopped")] == [0, 0]


@contextlib.asynccontextmanager
async def a_slow_stream(folder, delay):
    """300 records on four shards for a function that takes so long, and a daemon that does not run yet."""
    async with an_account(folder, stream_of(4, batch_size=5)) as daemon:
        daemon.aws.function("fn").delay = delay
        put(daemon.aws.streams.streams["s"], 300)
        yield daemon, daemon.aws.streams.ledger


async def test_a_pause_and_a_reload_reach_all_workers_by_one_address(tmp_path):
    async with two_workers(tmp_path, stream_of(2), queue_of()) as daemon:
        daemon.aws.function("fn")
        assert (await daemon.order("s", "pause"))["state"] in ("paused", "stopping")
        await daemon.until(lambda: len(daemon.logged("mapping_paused", mapping="s")) == 2, "both workers to pause")
        assert (await daemon.order("s", "resume"))["name"] == "s"
        await daemon.until(lambda: len(daemon.logged("mapping_resumed", mapping="s")) == 2, "both to resume")
        daemon.process.send_signal(signal.SIGHUP)
        await daemon.until(lambda: len(daemon.logged("reloaded")) == 2, "both to reload")
        code, metrics = await daemon.ask("/metrics")
        assert code == 200
        assert "poller_workers 2\n" in metrics
        assert metrics.count('poller_mapping_state{mapping="q",state="running"} 1') == 1


async def test_a_worker_that_finds_the_state_file_in_use_ends_the_daemon_with_its_code(tmp_path):
    async with an_account(tmp_path, stream_of()) as workers:
        workers.aws.function("fn")
        alone = Daemon(tmp_path, workers.url, mapping("s", workers.aws.streams.streams["s"].arn), name="alone")
        async with alone.running():
            await asyncio.to_thread(_read_until, alone.log, "ready")
            async with workers.running() as process:
                assert await asyncio.wait_for(process.wait(), 60) == 69
        assert "is in use by another poller" in workers.log.read_text()
        assert not workers.logged("worker_started")[2:]


def _read_until(log, word):
    for _ in range(10_000_000):
        if word in log.read_text():
            return


def test_a_frozen_worker_is_killed_within_half_of_the_watchdogs_time_and_started_again(tmp_path):
    """The service manager hears only the parent, and goes on being fed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(60)
        listener.bind(str(tmp_path / "notify"))
        environment = {"NOTIFY_SOCKET": listener.getsockname(), "WATCHDOG_USEC": "4000000"}
        config = configuration(tmp_path, state=f"sqlite:///{tmp_path}/state.db", workers=2)
        with running(config, environment) as daemon:
            heard = [listener.recv(4096).decode()]
            while not heard[-1].startswith("READY=1"):
                heard.append(listener.recv(4096).decode())
            assert heard[-1] == "READY=1\nSTATUS=worker 1: no mappings; worker 2: no mappings"
            os.kill(daemon.wait_for_log("worker_started", worker=1)["pid"], signal.SIGSTOP)
            daemon.wait_for_log("worker_hung", worker=1)
            assert daemon.wait_for_log("worker_ended", worker=1)["code"] == -signal.SIGKILL
            while not [line for line in daemon.log if line["event"] == "worker_started"][2:]:
                assert listener.recv(4096)
            daemon.signal(signal.SIGTERM)
            assert daemon.wait() == 0


async def test_the_parent_stays_small_whatever_it_is_asked(tmp_path):
    async with two_workers(tmp_path, *(stream_of(2, f"s{number}") for number in range(20))) as daemon:
        for _ in range(20):
            assert [(await daemon.ask(path))[0] for path in ("/status", "/metrics", "/healthz")] == [200, 200, 200]
        assert memory_of(daemon.process.pid) <= 25
        assert not loaded_in(daemon.process.pid, "uvloop", "pydantic", "orjson")


def loaded_in(pid, *libraries):
    """Those of the libraries that the process has loaded."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    return [name for name in libraries if name in maps]


def test_a_daemon_by_itself_loads_nothing_of_workers(tmp_path):
    code = (
        "import sys, threading, os, signal\n"
        "from poller.cli.main import main\n"
        "threading.Timer(3, os.kill, (os.getpid(), signal.SIGTERM)).start()\n"
        "try:\n    main(['run', '--allow-empty', '--config', sys.argv[1]])\n"
        "except SystemExit: pass\n"
        "print([name for name in sys.modules if 'worker' in name and name.startswith('poller.')])\n"
    )
    config = configuration(tmp_path)
    ran = subprocess.run([sys.executable, "-c", code, config], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "['poller.configuration.model.workers']", ran.stderr


@pytest.mark.slow
async def test_fifty_kills_of_workers_and_parents_lose_nothing_and_leave_no_orphan(tmp_path, capsys):
    """Workers, the parent, or all of them at once, in the middle of load on a stream and a queue."""
    aws, chance = real_time_aws(), random.Random(17)
    stream, queue, ledger = aws.stream("s", shards=6), aws.queue("q", visibility_timeout=10), aws.streams.ledger
    aws.function("fn").delay = aws.function("gn").delay = 0.01
    by_queue = {"name": "q", "event_source_arn": queue.arn, "function_name": "gn"}
    watched, sent = Watched(aws), 0
    kills: list[str] = []
    orphans: set[int] = set()
    async with serving(watched) as url:
        queue.url = f"{url}/123456789012/q"
        daemon = Workers(tmp_path, url, mapping("m", stream.arn, batch_size=5), by_queue)
        while len(kills) < 50:
            async with daemon.running() as process:
                while process.returncode is None and len(kills) < 50:
                    put(stream, 60, sent)
                    for number in range(30):
                        queue.send(f"{sent + number}")
                    sent += 60
                    lost = len(ledger.lost())
                    await watched.until(lambda lost=lost: len(ledger.lost()) < max(1, lost - 20), daemon)
                    pids = [pid for pid in daemon.pids() if is_there(pid)]
                    kind = chance.choice(["worker", "worker", "worker", "parent", "all"])
                    kills.append(kind)
                    doomed = {"worker": pids[:1], "parent": [process.pid], "all": [*pids, process.pid]}[kind]
                    for pid in doomed:
                        os.kill(pid, signal.SIGKILL)
                    if kind != "worker":
                        await process.wait()
                        await daemon.until(lambda: not any(map(is_there, daemon.pids())), "the end of the workers")
                        orphans |= {pid for pid in daemon.pids() if is_there(pid)}
        async with daemon.running():
            await watched.until(lambda: not ledger.lost() and not queue.messages, daemon)
            _, status = await daemon.ask("/status")
            assert [one["unaccounted"] for one in status["mappings"]] == [0, 0]
    again = sum(len(entry.invoked) - 1 for entry in ledger.entries.values())
    counted = {kind: kills.count(kind) for kind in ("worker", "parent", "all")}
    with capsys.disabled():
        print(f"\nkills {counted}, records {sent}, delivered again {again}, lost 0, orphans {len(orphans)}")  # noqa: T201
    assert not orphans
    assert again <= len(kills) * 2 * 6 * 5
