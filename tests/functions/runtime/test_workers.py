"""The workers of a function, as real processes: what each way to end means for a batch, and that none is left."""

import asyncio
import json
import signal
from pathlib import Path

import pytest

from poller.configuration.reading.secrets import Secret
from poller.policy.response import Failed, NotInvoked, Succeeded
from tests.functions.runtime.workers import ARN, Log, alive, event, function, invoked

pytestmark = pytest.mark.real_time
LIMITS = (0.5, 5.0, 30.0)
"""Seconds for an invocation, where a test is of what comes after them: the next, where the machine was too busy for the
worker to get that far.
"""


async def test_a_worker_is_given_the_event_and_its_answer_is_the_outcome():
    async with function(Log()) as running:
        outcome = await running.invoke(event("echo", number=7))
    assert isinstance(outcome, Succeeded)
    assert json.loads(outcome.body) == {"do": "echo", "number": 7}
    assert outcome.request_id


async def test_a_worker_is_told_what_lambda_tells():
    async with function(Log()) as running:
        told = await invoked(running, "headers")
        outcome = await running.invoke(event("headers"), "Root=1-a-b;Sampled=1")
    assert told["lambda-runtime-invoked-function-arn"] == ARN
    assert told["content-type"] == "application/json"
    assert int(told["lambda-runtime-deadline-ms"]) > 1_700_000_000_000
    assert told["lambda-runtime-trace-id"].startswith("Root=1-")
    traced = json.loads(outcome.body)
    assert traced["lambda-runtime-trace-id"] == "Root=1-a-b;Sampled=1"
    assert traced["lambda-runtime-aws-request-id"] == outcome.request_id != told["lambda-runtime-aws-request-id"]


async def test_a_worker_finds_lambdas_variables_and_the_configured_ones_and_none_of_the_daemons(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the daemon's")
    monkeypatch.setenv("POLLER_API__TOKEN", "the daemon's")
    monkeypatch.setenv("ANYTHING", "the daemon's")
    async with function(
        Log(),
        handler="app.handler",
        code=tmp_path,
        memory_size=512,
        environment={"TABLE": "orders", "TZ": "Europe/Berlin"},
    ) as running:
        found = await invoked(running, "environment")
    assert found["_HANDLER"] == "app.handler"
    assert found["LAMBDA_TASK_ROOT"] == found["cwd"] == str(tmp_path)
    assert found["AWS_LAMBDA_FUNCTION_NAME"] == "f"
    assert found["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
    assert found["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"
    assert found["AWS_LAMBDA_LOG_GROUP_NAME"] == "/aws/lambda/f"
    assert "[$LATEST]" in found["AWS_LAMBDA_LOG_STREAM_NAME"]
    assert found["AWS_REGION"] == found["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert (found["TABLE"], found["TZ"]) == ("orders", "Europe/Berlin")
    assert "the daemon's" not in found.values()
    assert "PATH" in found


async def test_workers_stay_and_only_as_many_start_as_are_needed():
    async with function(Log(), concurrency=4) as running:
        pids = {await invoked(running, "pid") for _ in range(20)}
    assert len(pids) == 1


async def test_a_secret_that_changed_reaches_the_function_by_another_worker_and_only_then():
    environment = {"TOKEN": Secret("env", "TOKEN_OF_TEST", values := {"TOKEN_OF_TEST": "first"})}
    async with function(Log(), environment=environment) as running:
        found = await invoked(running, "environment")
        pid = await invoked(running, "pid")
        running.refresh()
        assert (found["TOKEN"], await invoked(running, "pid")) == ("first", pid)
        while not running.idle_workers:  # noqa: ASYNC110 - it asks for the next event after its answer
            await asyncio.sleep(0.01)
        busy = asyncio.create_task(invoked(running, "pid"))
        await asyncio.sleep(0)
        values["TOKEN_OF_TEST"] = "second"
        running.refresh()
        assert await busy == pid, "what runs is finished"
        assert (await invoked(running, "environment"))["TOKEN"] == "second"
        assert await invoked(running, "pid") != pid


async def test_as_many_invocations_run_at_once_as_there_are_workers(tmp_path):
    async with function(Log(), concurrency=3) as running:
        meeting = (invoked(running, "meet", folder=str(tmp_path), expected=3) for _ in range(3))
        pids = await asyncio.gather(*meeting)
        more = await asyncio.gather(*(invoked(running, "pid") for _ in range(50)))
    assert len(set(pids)) == 3
    assert set(more) <= set(pids)


async def test_a_thousand_invocations_each_get_their_own_answer():
    log = Log()
    async with function(log, concurrency=2) as running:
        answers = await asyncio.gather(*(invoked(running, "echo", number=number) for number in range(1000)))
    assert [answer["number"] for answer in answers] == list(range(1000))
    assert len(log.of("worker_started")) <= 2


async def test_an_error_the_runtime_posts_has_failed_and_the_worker_stays():
    async with function(Log()) as running:
        before = await invoked(running, "pid")
        outcome = await running.invoke(event("fail", why="no such order"))
        assert await invoked(running, "pid") == before
    assert isinstance(outcome, Failed)
    assert (outcome.error, outcome.detail) == ("function_error", "ValueError: no such order")
    assert (outcome.status, outcome.function_error, outcome.executed_version) == (200, "Unhandled", "$LATEST")


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ({"code": 1}, "Runtime exited with error: exit status 1"),
        ({"code": 0}, "Runtime exited without providing a reason"),
        ({"signal": signal.SIGKILL}, "Runtime exited with error: signal: killed"),
        ({"signal": signal.SIGSEGV}, "Runtime exited with error: signal: segmentation fault"),
    ],
)
async def test_a_worker_that_ends_has_failed_its_invocation_and_another_takes_its_place(how, text):
    log = Log()
    async with function(log) as running:
        outcome = await running.invoke(event("leave", **how))
        assert await invoked(running, "echo") == {"do": "echo"}
    assert isinstance(outcome, Failed)
    assert outcome.detail == f"Runtime.ExitError: RequestId: {outcome.request_id} Error: {text}"
    assert outcome.logs == "about to leave"
    assert [line["how"] for line in log.of("worker_exited")] == [text]


async def test_a_worker_that_ends_after_its_answer_has_succeeded_and_is_replaced():
    async with function(Log()) as running:
        assert await invoked(running, "echo", then_exit=True)
        assert await invoked(running, "echo", then_exit=True)


@pytest.mark.parametrize("stubborn", [False, True])
async def test_out_of_time_a_worker_and_all_it_started_are_ended_and_the_invocation_has_failed(stubborn):
    for timeout in LIMITS:
        log = Log()
        async with function(log, timeout=timeout) as running:
            outcome = await running.invoke(event("hang", stubborn=stubborn, child=True))
            child, worker = _child(log), log.of("worker_started")[0]["pid"]
            assert not alive(worker)
            again = await running.invoke(event("echo"))
        if child and isinstance(again, Succeeded):
            break
    assert isinstance(outcome, Failed)
    assert outcome.error == "timeout"
    assert outcome.detail.endswith(f"RequestId: {outcome.request_id} Error: Task timed out after {timeout:.2f} seconds")
    assert isinstance(again, Succeeded)
    assert not alive(child)


def _child(log):
    return next((int(line.split()[1]) for line in log.lines() if line.startswith("child")), None)


async def test_a_worker_that_does_not_come_back_after_its_answer_is_replaced():
    for timeout in LIMITS:
        async with function(Log(), timeout=timeout) as running:
            before, after = [await running.invoke(event("pid", dawdle=dawdle)) for dawdle in (True, False)]
        if isinstance(before, Succeeded) and isinstance(after, Succeeded):
            break
    assert after.body != before.body
    assert not alive(json.loads(before.body))


async def test_an_answer_too_large_has_failed_and_the_worker_stays():
    log = Log()
    async with function(log) as running:
        before = await invoked(running, "pid")
        outcome = await running.invoke(event("huge", size=7_000_000))
        assert await invoked(running, "pid") == before
        fitting = await running.invoke(event("huge", size=6_291_554))
    assert isinstance(outcome, Failed)
    assert outcome.detail == (
        "Function.ResponseSizeTooLarge: Response payload size exceeded maximum allowed payload size (6291556 bytes)."
    )
    assert isinstance(fitting, Succeeded)
    assert "answered with 413" in log.lines()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc to see what a process has open")
async def test_workers_that_come_and_go_leave_nothing_open():
    async with function(Log()) as running:
        await running.invoke(event("leave", code=1))
        before = open_files()
        for _ in range(8):
            await running.invoke(event("leave", code=1))
        assert open_files() <= before


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_cancelled_invocation_ends_its_worker_and_nobody_elses():
    log = Log()
    async with function(log, concurrency=2) as running:
        await asyncio.gather(invoked(running, "wait", seconds=0.1), invoked(running, "wait", seconds=0.1))
        other = asyncio.create_task(running.invoke(event("wait", seconds=0.3)))
        hanging = asyncio.create_task(running.invoke(event("hang", child=True)))
        await log.until(lambda: any(line.startswith("child") for line in log.lines()))
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        assert isinstance(await other, Succeeded)
        assert await invoked(running, "echo") == {"do": "echo"}
    assert not alive(_child(log))


async def test_cancelled_while_it_waits_for_a_worker_an_invocation_leaves_the_worker_to_others():
    async with function(Log()) as running:
        waiting = [asyncio.create_task(running.invoke(event("echo"))) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        assert all(isinstance(outcome, Succeeded) for outcome in await asyncio.gather(*waiting[1:]))


async def test_no_worker_in_time_was_not_invoked(tmp_path):
    async with function(Log()) as running:
        await invoked(running, "echo")
        busy = asyncio.create_task(running.invoke(event("meet", folder=str(tmp_path), expected=2)))
        await asyncio.sleep(0)
        running.patience = 0.05
        outcome = await running.invoke(event("echo"))
        (tmp_path / "go on").touch()
        assert isinstance(await busy, Succeeded)
    assert isinstance(outcome, NotInvoked)
    assert outcome.code == "no_worker"


async def test_idle_workers_are_stopped_down_to_those_that_are_kept(tmp_path):
    log = Log()
    async with function(log, concurrency=3, minimum_workers=1, idle_timeout_seconds=0.2) as running:
        running.start()
        meeting = (invoked(running, "meet", folder=str(tmp_path), expected=3) for _ in range(3))
        await asyncio.gather(*meeting)
        await log.until(lambda: len(log.of("worker_stopped")) == len(log.of("worker_started")) - 1 > 0)
        assert await invoked(running, "pid") in [line["pid"] for line in log.of("worker_started")]


async def test_lines_are_logged_in_order_with_the_invocation_they_belong_to_and_bounded():
    log = Log()
    async with function(log) as running:
        first = await running.invoke(event("say", lines=["one", "two", "", "x" * 20_000, "ümlaut"]))
        second = await running.invoke(event("say", lines=["three"]))
        await invoked(running, "echo")
    lines = log.lines(request_id=first.request_id)
    assert [line[:8] for line in lines] == ["one", "two", "xxxxxxxx", "ümlaut"]
    assert len(lines[2]) < 8200
    assert log.lines(request_id=second.request_id)[0] == "three"


@pytest.mark.parametrize("doing", ["nothing", "starting", "working"])
async def test_closing_ends_every_worker_whatever_it_does(doing):
    log = Log()
    async with function(log, concurrency=2, minimum_workers=2) as running:
        running.start()
        if doing != "starting":
            await invoked(running, "echo")
        if doing == "working":
            working = asyncio.create_task(running.invoke(event("hang", child=True)))
            await log.until(lambda: any(line.startswith("child") for line in log.lines()))
            working.cancel()
    assert not any(alive(line["pid"]) for line in log.of("worker_started"))
    assert isinstance(await running.invoke(event("echo")), NotInvoked)
