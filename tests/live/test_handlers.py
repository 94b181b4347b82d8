"""`poller run` with functions as they run on Lambda, unmodified: what they answer settles real records."""

import asyncio
import contextlib
import importlib.util
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from poller.functions.runtime_api.process import interpreter_command
from tests.fakes.server import real_time_aws, serving
from tests.live.stream_daemon import Daemon, Watched, mapping
from tests.servers.process import free_port

pytestmark = [pytest.mark.live, pytest.mark.heavy]
HANDLERS = Path(__file__).parent / "handlers"
RECORDS = 12
PARTIAL = {"function_response_types": ["ReportBatchItemFailures"], "batch_size": 4}


def needs(found, what):
    return pytest.mark.skipif(not found, reason=f"install {what}")


AWSLAMBDARIC = needs(importlib.util.find_spec("awslambdaric"), "awslambdaric: pip install 'poller[runtime]'")
LANGUAGES: dict[str, tuple[Any, ...]] = {
    "python": ({"handler": "app.handler"}, AWSLAMBDARIC, pytest.mark.slow),
    "node": (
        {"command": ["./bootstrap"], "handler": "index.handler"},
        needs(shutil.which("node"), "Node"),
        pytest.mark.slow,
    ),
    "shell": ({}, needs(shutil.which("curl"), "curl")),
}


class Functions(Daemon):
    """The daemon with functions that it runs."""

    def __init__(self, folder, url, functions, *mappings):
        super().__init__(folder, url, *mappings)
        configuration = json.loads(self._config.read_text())
        self._config.write_text(json.dumps(configuration | {"functions": functions, "shutdown_grace_seconds": 1}))

    def stopped(self):
        """The account of each mapping at the end."""
        [line] = [line for line in map(json.loads, self.log.read_text().splitlines()) if line["event"] == "stopped"]
        return line["mappings"]


def runs(folder, code, **more):
    """A function whose code stands in `handlers`, which keeps what it has seen in `folder`."""
    seen = folder / f"seen-{code}-{more.get('handler', '')}"
    seen.mkdir(exist_ok=True)
    more.setdefault("timeout_seconds", 60)
    return seen, {
        "type": "runtime",
        "code": str(HANDLERS / code),
        "init_timeout_seconds": 60,
        "environment": {"SEEN": str(seen)},
        "concurrency": 2,
    } | more


def texts(name):
    """Every third fails at first."""
    return [f"{'fail' if number % 3 == 0 else 'pass'} {name} {number}" for number in range(RECORDS)]


def done(seen, *names):
    return all((seen / f"done-{text.replace(' ', '-')}").exists() for name in names for text in texts(name))


@contextlib.asynccontextmanager
async def container(port, seen):
    """A runtime as one in the same pod: started by somebody else, and told where to ask."""
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
        "AWS_LAMBDA_FUNCTION_NAME": "fn",
        "SEEN": str(seen),
    }
    process = await asyncio.create_subprocess_exec(
        *interpreter_command("app.handler"), cwd=HANDLERS / "python", env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def account():
    aws = real_time_aws()
    watched = Watched(aws)
    async with serving(watched) as url:
        yield aws, watched, url


def queue_of(aws, url, name, **settings):
    queue = aws.queue(name, visibility_timeout=1, **settings)
    # as the daemon makes it up from the endpoint
    queue.url = f"{url}/{aws.account}/{name}"
    return queue


def sqs_mapping(queue, function):
    return {"name": queue.name, "event_source_arn": queue.arn, "function_name": function} | PARTIAL


def balanced(accounts):
    assert {name: account["unaccounted"] for name, account in accounts.items()} == dict.fromkeys(accounts, 0)


@pytest.mark.parametrize("language", [pytest.param(name, marks=marks) for name, (_, *marks) in LANGUAGES.items()])
async def test_a_function_in_any_language_settles_a_queue_and_a_stream_by_its_partial_responses(tmp_path, language):
    async with account() as (aws, watched, url):
        queue, stream = queue_of(aws, url, "q"), aws.stream("s")
        for text in texts("q"):
            queue.send(text)
        for text in texts("s"):
            stream.put("one key", text)
        seen, function = runs(tmp_path, language, **LANGUAGES[language][0])
        daemon = Functions(
            tmp_path, url, {"fn": function}, sqs_mapping(queue, "fn"), mapping("s", stream.arn, **PARTIAL)
        )
        async with daemon.running():
            await watched.until(lambda: done(seen, "q", "s") and not queue.messages, daemon)
    accounts = daemon.stopped()
    balanced(accounts)
    assert accounts["q"]["delivered"] == accounts["q"]["deleted"] == RECORDS
    assert accounts["q"]["returned"] == RECORDS / 3
    assert accounts["s"]["delivered"] == accounts["s"]["polled"] == RECORDS


@pytest.mark.heavy
@AWSLAMBDARIC
async def test_powertools_batch_processors_settle_every_kind_of_source(tmp_path):
    async with account() as (aws, watched, url):
        queue, fifo = queue_of(aws, url, "q"), queue_of(aws, url, "f.fifo", content_based_deduplication=True)
        stream, table = aws.stream("s"), aws.table("t")
        for text in texts("q"):
            queue.send(text)
        for number, text in enumerate(texts("f")):
            fifo.send(text, group=f"group {number % 5}")
        for text in texts("s"):
            stream.put("one key", text)
        for text in texts("t"):
            table.put(text, text={"S": text})
        handlers = {name: runs(tmp_path, "powertools", handler=f"app.on_{name}") for name in KINDS}
        daemon = Functions(
            tmp_path,
            url,
            {name: function for name, (_, function) in handlers.items()},
            sqs_mapping(queue, "sqs"),
            sqs_mapping(fifo, "fifo"),
            mapping("s", stream.arn, **PARTIAL, function_name="kinesis"),
            mapping("t", table.arn, **PARTIAL, function_name="dynamodb"),
        )
        async with daemon.running():
            await watched.until(
                lambda: (
                    all(done(handlers[kind][0], name) for kind, name in KINDS.items())
                    and not (queue.messages or fifo.messages)
                ),
                daemon,
            )
    accounts = daemon.stopped()
    balanced(accounts)
    assert {name: one["delivered"] for name, one in accounts.items()} == dict.fromkeys(accounts, RECORDS)


KINDS = {"sqs": "q", "fifo": "f", "kinesis": "s", "dynamodb": "t"}


@AWSLAMBDARIC
@pytest.mark.parametrize("source", ["sqs", pytest.param("kinesis", marks=pytest.mark.slow)])
async def test_a_worker_killed_in_the_middle_of_a_batch_is_back_and_the_batch_is_tried_again(tmp_path, source):
    async with account() as (aws, watched, url):
        queue, stream = queue_of(aws, url, "q"), aws.stream("s")
        seen, function = runs(tmp_path, "stuck", handler="app.handler", concurrency=1)
        if source == "sqs":
            names = [queue.send(str(number)) for number in range(RECORDS)]
            mapped = sqs_mapping(queue, "fn")
        else:
            names = [stream.put("one key", str(number)) for number in range(RECORDS)]
            mapped = mapping("s", stream.arn, **PARTIAL)
        # polls all the time, so that something is heard of while a queue is quiet
        idle = mapping("idle", aws.stream("idle").arn)
        daemon = Functions(tmp_path, url, {"fn": function}, mapped, idle)
        async with daemon.running():
            await watched.until((seen / "pid").exists, daemon)
            os.kill(int((seen / "pid").read_text()), signal.SIGKILL)
            await watched.until(
                lambda: all((seen / f"done-{name}").exists() for name in names) and not queue.messages, daemon
            )
    accounts = daemon.stopped()
    balanced(accounts)
    assert accounts[mapped["name"]]["delivered"] == RECORDS
    assert "Runtime exited with error: signal: killed" in daemon.log.read_text()


@pytest.mark.heavy
@AWSLAMBDARIC
async def test_code_that_cannot_start_spends_nothing_and_is_tried_until_it_can(tmp_path):
    """The batch is held, longer than its visibility timeout, and the log says why."""
    async with account() as (aws, watched, url):
        queue = queue_of(aws, url, "q")
        code = tmp_path / "code"
        code.mkdir()
        (code / "app.py").write_text("import what_is_not_installed\n")
        for text in texts("q"):
            queue.send(text)
        _, function = runs(tmp_path, "python", handler="app.handler")
        function["code"] = str(code)
        # polls all the time, so that something is heard of while a queue is quiet
        idle = mapping("idle", aws.stream("idle").arn)
        daemon = Functions(tmp_path, url, {"fn": function}, sqs_mapping(queue, "fn") | {"batch_size": 10}, idle)
        async with daemon.running():
            await watched.until(lambda: "function_not_invoked" in daemon.log.read_text(), daemon)
            assert "Runtime.ImportModuleError: Unable to import module 'app'" in daemon.log.read_text()
            (code / "app.py").write_text("def handler(event, context):\n    return None\n")
            await watched.until(lambda: not queue.messages, daemon)
    accounts = daemon.stopped()
    balanced(accounts)
    assert (accounts["q"]["delivered"], accounts["q"]["returned"]) == (RECORDS, 0)
    assert accounts["q"]["polled"] == RECORDS, "none was received twice"


@AWSLAMBDARIC
@pytest.mark.slow
async def test_runtimes_that_somebody_else_starts_ask_for_their_events_and_may_come_and_go(tmp_path):
    async with account() as (aws, watched, url):
        queue, port, seen = queue_of(aws, url, "q"), free_port(), tmp_path / "seen"
        seen.mkdir()
        function = {"type": "runtime", "runtime_listen": f"127.0.0.1:{port}", "concurrency": 2}
        # polls all the time, so that something is heard of while a queue is quiet
        idle = mapping("idle", aws.stream("idle").arn)
        daemon = Functions(tmp_path, url, {"fn": function}, sqs_mapping(queue, "fn"), idle)
        async with daemon.running():
            await watched.until(lambda: "runtime_listening" in daemon.log.read_text(), daemon)
            for name in ("first", "second"):
                async with container(port, seen):
                    for text in texts(name):
                        queue.send(text)
                    await watched.until(lambda name=name: done(seen, name) and not queue.messages, daemon)
    accounts = daemon.stopped()
    balanced(accounts)
    assert accounts["q"]["delivered"] == 2 * RECORDS
