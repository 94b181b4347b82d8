"""The real daemon told to reload, to pause and to resume, by signals, files and requests, under load and while quiet."""

import asyncio
import http.client
import json
import re
import signal
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.fakes.server import real_time_aws, serving
from tests.live.daemon import command, running, until
from tests.present import present

pytestmark = pytest.mark.live
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "KEY", "AWS_SECRET_ACCESS_KEY": "secret"}
SOFT_STOP = 40.0
"""Seconds for what takes 21: a long poll under way may return."""


class Account:
    """A queue `q`, a stream `s` and a function, and the configuration of mappings between them."""

    def __init__(self, aws, url, folder):
        self.aws, self.folder = aws, folder
        self.loop = asyncio.get_running_loop()
        self.url = url
        self.queue = aws.queue("q", visibility_timeout=30)
        self.queue.url = f"{url}/{aws.account}/q"
        self.stream = aws.stream("s")
        aws.function("fn")
        self.config = folder / "poller.json"

    def text(self, *, of_queue=(), of_stream=None, **settings):
        """`of_stream` None for no mapping of the stream."""
        mappings = [{"name": "q", "event_source_arn": self.queue.arn, "function_name": "fn", **dict(of_queue)}]
        if of_stream is not None:
            stream = {"name": "s", "event_source_arn": self.stream.arn, "starting_position": "TRIM_HORIZON"}
            mappings.append(stream | {"function_name": "fn", "poll_interval_seconds": 0.2} | of_stream)
        return json.dumps(
            {
                "aws": {"region": "eu-west-1", "endpoint_url": self.url},
                "state": f"sqlite:///{self.folder}/state.db",
                "api": {"listen": "127.0.0.1:0"},
                "event_source_mappings": mappings,
            }
            | settings
        )

    def configure(self, **mappings):
        """As an editor does: another file in its place."""
        new = self.folder / ".new"
        new.write_text(self.text(**mappings))
        new.replace(self.config)


@asynccontextmanager
async def an_account(folder):
    aws = real_time_aws()
    async with serving(aws) as url:
        yield Account(aws, url, folder)


def in_thread(test):
    """The daemon is asked by blocking calls, while the account it works on lives in this process's event loop."""

    async def run(tmp_path):
        async with an_account(tmp_path) as account:
            await asyncio.to_thread(test, account)

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def reloads(daemon, count, event="reloaded"):
    """Wait until so many were logged; the last one."""

    def found():
        lines = [line for line in daemon.log if line["event"] == event]
        return lines[count - 1] if len(lines) >= count else None

    return until(found, f"{event} to be logged {count} times")


def send(account, *bodies):
    for body in bodies:
        # in its own loop, which wakes up for it then, and with it a long poll
        account.loop.call_soon_threadsafe(account.queue.send, body)


def delivered(daemon, count, name="q"):
    until(lambda: daemon.status()[name]["counters"]["delivered"] == count, f"{count} to be delivered", SOFT_STOP)


def configuration_of(daemon):
    return json.loads(daemon.get("/status")[1])["configuration"]


@pytest.mark.slow
async def test_reloads_under_load_lose_nothing_and_deliver_nothing_twice(tmp_path):
    """Of a queue and of a stream; by the signal and by the file; parameters, lanes, removal and return."""
    async with an_account(tmp_path) as account:
        aws, ended = account.aws, asyncio.Event()
        aws.functions["fn"].delay = 0.01

        async def feed():
            number = 0
            while not ended.is_set():
                for _ in range(5):
                    number += 1
                    account.queue.send(f"m{number}")
                    account.stream.put(f"key {number % 7}", f"r{number}")
                await asyncio.sleep(0.02)

        def changes(daemon):
            steps: tuple[Any, ...] = (
                ({"batch_size": 3}, {"batch_size": 7}),
                ({"batch_size": 10}, {"batch_size": 7, "parallelization_factor": 4}),
                ({"batch_size": 10}, None),
                ({"batch_size": 1}, {"parallelization_factor": 2, "bisect_batch_on_function_error": True}),
                ({"batch_size": 10, "maximum_batching_window_in_seconds": 1}, {"parallelization_factor": 1}),
                ({}, {"maximum_retry_attempts": 3}),
            )
            until(lambda: daemon.status()["q"]["counters"]["delivered"], "the first to be delivered")
            for count, (of_queue, of_stream) in enumerate(steps, 1):
                account.configure(of_queue=of_queue, of_stream=of_stream)
                if count % 2:
                    daemon.signal(signal.SIGHUP)
                reloads(daemon, count)
                until(lambda: daemon.status()["q"]["state"] == "running", "the queue to be polled again", SOFT_STOP)

        def drained(daemon):
            until(lambda: not account.queue.messages, "the queue to be empty", SOFT_STOP)
            until(lambda: not aws.streams.ledger.lost(), "the stream to be read", SOFT_STOP)
            daemon.stop(hard=True)

        account.configure(of_stream={})
        with running(account.config, ENVIRONMENT) as daemon:
            feeding = asyncio.ensure_future(feed())
            try:
                await asyncio.to_thread(daemon.wait_until_running, "q")
                await asyncio.to_thread(changes, daemon)
            finally:
                ended.set()
                await feeding
            await asyncio.to_thread(drained, daemon)
        entries = aws.ledger.entries.values()
        assert len(entries) > 50
        assert aws.ledger.lost() == aws.ledger.deleted_unproved() == aws.ledger.delivered_twice() == set()
        assert aws.streams.ledger.repeated() == aws.streams.ledger.out_of_order() == set()


@pytest.mark.heavy
@in_thread
def test_a_bad_file_changes_nothing_and_is_told_as_check_tells_it(account):
    account.configure()
    with running(account.config, ENVIRONMENT) as daemon:
        daemon.wait_until_running("q")
        account.config.write_text(account.text(of_queue={"batch_size": 99_999, "colour": "red"}))
        daemon.signal(signal.SIGHUP)
        problems = daemon.wait_for_log("reload_refused")["problems"]
        check = command(account.folder, ENVIRONMENT, "check", "--config", account.config)
        _, told = check.communicate(timeout=60)
        assert (check.returncode, [line.removeprefix("poller: ") for line in told.splitlines()]) == (2, problems)
        assert [bool(re.search(r"poller\.json:1: .*(batch_size|colour)", problem)) for problem in problems] == [
            True
        ] * 2
        assert configuration_of(daemon)["problems"] == problems
        send(account, "1")
        delivered(daemon, 1)
        assert daemon.healthy()
        ask = ("reload", "--config", account.folder / "none.yaml", "--api", daemon.address)
        (account.folder / "none.yaml").write_text("{}")
        reload = command(account.folder, ENVIRONMENT, *ask)
        _, told = reload.communicate(timeout=60)
        assert (reload.returncode, [line.removeprefix("poller: ") for line in told.splitlines()][1:]) == (1, problems)
        account.configure()
        reload = command(account.folder, ENVIRONMENT, *ask)
        assert reload.communicate(timeout=60) == ("reloaded: 1 unchanged\n", "")
        assert reload.returncode == 0
        line = reloads(daemon, 1)
        assert (line["changed"], line["unchanged"]) == ([], 1)
        assert (configuration_of(daemon)["problems"], configuration_of(daemon)["refused_at"]) == ([], None)
        assert len([line for line in daemon.log if line["event"] == "mapping_started"]) == 1
        what_needs_a_restart_is_refused_and_named(account, daemon)


def what_needs_a_restart_is_refused_and_named(account, daemon):
    changes: tuple[dict[str, Any], ...] = (
        {"state": "memory:"},
        {"api": {"listen": "127.0.0.1:1"}},
        {"api": {"listen": "127.0.0.1:0", "token": "t"}},
        {"telemetry": {"traces": "otlp"}},
    )
    before = len([line for line in daemon.log if line["event"] == "reload_refused"])
    for count, change in enumerate(changes, before + 1):
        account.configure(of_queue={"batch_size": 1}, **change)
        daemon.signal(signal.SIGHUP)
        (problem,) = reloads(daemon, count, "reload_refused")["problems"]
        (key,) = change
        assert problem.startswith(f"{account.config}:1: {key}: cannot be changed while the daemon runs")


@pytest.mark.slow
@in_thread
def test_the_log_and_the_grace_period_change_at_once(account):
    account.configure(log={"level": "warning"}, shutdown_grace_seconds=3600)
    with running(account.config, ENVIRONMENT) as daemon:
        # at this level the address is not logged
        until(lambda: account.aws.calls["ReceiveMessage"], "it to run")
        account.configure(log={"level": "debug"}, shutdown_grace_seconds=0)
        daemon.signal(signal.SIGHUP)
        reloads(daemon, 1)
        daemon.signal(signal.SIGTERM)
        daemon.wait_for_log("hard_stop")
        assert daemon.wait() == 0


@pytest.mark.slow
@pytest.mark.parametrize("named", ["the folder", "the file"])
async def test_an_exchanged_config_map_is_noticed(tmp_path, named):
    """Kubernetes makes a new directory beside the old one, turns the link `..data` to it, and removes the old one."""
    async with an_account(tmp_path) as account:
        await asyncio.to_thread(exchange_config_maps, account, named)


def exchange_config_maps(account, named):
    folder = account.folder / "conf.d"
    folder.mkdir()

    def publish(name, text):
        (folder / name).mkdir()
        (folder / name / "poller.json").write_text(text)
        (folder / "..data_tmp").symlink_to(name)
        old = (folder / "..data").readlink() if (folder / "..data").is_symlink() else None
        (folder / "..data_tmp").replace(folder / "..data")
        if old is not None:
            (folder / old / "poller.json").unlink()
            (folder / old).rmdir()

    publish("..2026_01", account.text())
    (folder / "poller.json").symlink_to("..data/poller.json")
    config = folder if named == "the folder" else folder / "poller.json"
    with running(config, ENVIRONMENT | {"HOME": str(account.folder)}) as daemon:
        daemon.wait_until_running("q")
        for count in (1, 2):
            publish(f"..2026_{count + 1:02}", account.text(of_queue={"batch_size": count}))
            assert reloads(daemon, count)["changed"] == ["q"]
        assert daemon.logged("reload_requested", by="file")


@pytest.mark.slow
@in_thread
def test_a_signal_while_it_stops_is_no_harm(account):
    account.configure()
    with running(account.config, ENVIRONMENT) as daemon:
        daemon.wait_until_running("q")
        daemon.terminate()
        for _ in range(5):
            daemon.signal(signal.SIGHUP)
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
        assert daemon.logged("reload_requested") is None


@pytest.mark.slow
@in_thread
def test_a_signal_while_it_starts_is_obeyed_once_it_runs(account):
    account.configure()
    with running(account.config, ENVIRONMENT) as daemon:
        # the handler is set before anything is read
        until(lambda: sigcgt(daemon.process.pid) & 1 << signal.SIGHUP - 1, "the signal to be listened for")
        account.configure(of_queue={"batch_size": 1})
        daemon.signal(signal.SIGHUP)
        reloads(daemon, 1)
        until(lambda: daemon.status()["q"]["state"] == "running", "it to run", SOFT_STOP)


def sigcgt(pid):
    """The signals a process catches, as the kernel tells them."""
    return int(present(re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text()))[1], 16)


def post(daemon, path):
    daemon.get("/healthz")
    place = urlsplit(daemon.address)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
    try:
        connection.request("POST", path, body="{}", headers={"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.mark.heavy
@in_thread
def test_a_pause_outlives_a_crash_and_ends_by_command(account):
    account.configure()
    with running(account.config, ENVIRONMENT) as daemon:
        daemon.wait_until_running("q")
        code, answer = post(daemon, "/mappings/q/pause")
        assert (code, answer["state"]) == (200, "stopping")
        daemon.kill()
    with running(account.config, ENVIRONMENT) as daemon:
        assert daemon.wait_for_reason("q", "paused")["since"] is not None
        receives = account.aws.calls["ReceiveMessage"]
        assert daemon.get("/readyz")[0] == 200, "it is where it is meant to be"
        resumed = command(
            account.folder, ENVIRONMENT, "resume", "q", "--config", account.config, "--api", daemon.address
        )
        out, err = resumed.communicate(timeout=60)
        assert (resumed.returncode, err) == (0, "")
        assert "\nq: " in out
        until(lambda: account.aws.calls["ReceiveMessage"] > receives, "it to receive again")
