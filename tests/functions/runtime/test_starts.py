"""How workers start: what cannot, what is made of that, and how many at one time."""

import asyncio
from pathlib import Path

import pytest

from poller.functions.runtime_api import pool
from poller.policy.response import NotInvoked, Succeeded
from poller.ports.status import ReasonCode
from tests.functions.runtime.workers import Log, event, function, invoked
from tests.present import present

pytestmark = pytest.mark.real_time


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"environment": {"INIT": "exit"}}, "Runtime.ExitError: Runtime exited with error: exit status 3"),
        ({"environment": {"INIT": "error"}}, "Runtime.ImportModuleError: No module named 'app'"),
        (
            {"environment": {"INIT": "hang"}, "init_timeout_seconds": 0.3},
            "Runtime.InitTimeout: it did not ask for an invocation within 0.3 s of its start",
        ),
        ({"command": ("/no/such/program",)}, "Runtime.InvalidEntrypoint: /no/such/program: No such file or directory"),
        ({"code": Path("/no/such/folder")}, "Runtime.InvalidWorkingDir: /no/such/folder is no directory"),
    ],
    ids=["exits", "says so", "hangs", "is not there", "is nowhere"],
)
async def test_what_cannot_start_was_not_invoked_and_is_tried_again_with_back_off(changed, why):
    log = Log()
    async with function(log, **changed) as running:
        outcomes = await asyncio.gather(*(running.invoke(event("echo")) for _ in range(3)))
        again = await running.invoke(event("echo"))
    for outcome in (*outcomes, again):
        assert isinstance(outcome, NotInvoked)
        assert (outcome.code, outcome.detail) == ("init_failed", why)
        assert 0 < present(outcome.retry_after) <= 1
    # all of them were told by the one attempt there was
    assert [line["why"] for line in log.of("worker_not_started")] == [why]


async def test_workers_that_fail_together_count_as_one_failure():
    log = Log()
    async with function(log, concurrency=4, environment={"INIT": "exit"}) as running:
        outcomes = await asyncio.gather(*(running.invoke(event("echo")) for _ in range(4)))
    assert {outcome.code for outcome in outcomes} == {"init_failed"}
    assert [line["failures"] for line in log.of("worker_not_started")] == [1]


async def test_once_it_can_start_it_does(tmp_path):
    async with function(Log(), environment={"INIT": "once", "MARK": str(tmp_path / "mark")}) as running:
        first = await running.invoke(event("echo"))
        assert isinstance(first, NotInvoked)
        await asyncio.sleep(present(first.retry_after))
        assert await invoked(running, "echo") == {"do": "echo"}


async def test_the_failed_start_of_older_code_does_not_count_for_newer_code():
    log = Log()
    async with function(log, environment={"INIT": "hang"}, init_timeout_seconds=0.3) as running:
        running.start()
        running.restart("code")
        await log.until(lambda: log.of("worker_not_started"))
        assert [line["failures"] for line in log.of("worker_not_started")] == [1]
        assert len(log.of("worker_started")) == 2, "newer code was started without a delay"


async def test_a_restart_forgets_why_no_worker_started_and_tells_those_who_were_refused():
    log, told = Log(), []
    async with function(log, environment={"INIT": "exit"}) as running:
        running.on_restart = lambda: told.append(running.problem())
        running.start()
        await log.until(lambda: log.of("worker_not_started"))
        assert "exit status 3" in present(running.problem()).text
        running.restart("code")
        assert told == [None]


async def test_a_failed_start_leaves_its_last_words_in_the_log():
    log = Log()
    async with function(log, environment={"INIT": "exit"}) as running:
        await running.invoke(event("echo"))
    assert log.lines(request_id=None) == ["cannot start"]


async def test_of_many_workers_only_some_start_at_one_time(monkeypatch, tmp_path):
    monkeypatch.setattr(pool, "STARTS_AT_ONCE", 2)
    most = 0

    class Watching(Log):
        def debug(self, event, **fields):
            nonlocal most
            most = max(most, len(running.starting))
            super().debug(event, **fields)

    async with function(Watching(), concurrency=6, minimum_workers=3) as running:
        running.start()
        pids = await asyncio.gather(*(invoked(running, "meet", folder=str(tmp_path), expected=6) for _ in range(6)))
        assert await invoked(running, "pid") in pids
    assert len(set(pids)) == 6
    assert 0 < most <= 2


async def test_all_that_are_kept_start_though_nobody_waits_for_them(monkeypatch):
    monkeypatch.setattr(pool, "STARTS_AT_ONCE", 1)
    log = Log()
    async with function(log, concurrency=3, minimum_workers=3) as running:
        running.start()
        await log.until(lambda: len(log.of("worker_started")) == 3)
        assert isinstance(await running.invoke(event("echo")), Succeeded)


async def test_a_function_that_cannot_start_says_so_though_nobody_invokes_it():
    log = Log()
    async with function(log, environment={"INIT": "error"}) as running:
        assert running.problem() is None
        running.start()
        await log.until(lambda: len(log.of("worker_not_started")) == 2)
        problem = running.problem()
    assert problem.code is ReasonCode.FUNCTION_NOT_STARTED
    assert problem.text == ("function f cannot start: Runtime.ImportModuleError: No module named 'app' (2 attempts)")
    assert problem.since < problem.next_try


async def test_once_it_can_start_it_shows_though_nobody_invokes_it(tmp_path):
    log = Log()
    async with function(log, environment={"INIT": "once", "MARK": str(tmp_path / "mark")}) as running:
        running.start()
        await log.until(lambda: len(log.of("worker_started")) == 2)
        assert isinstance(await running.invoke(event("echo")), Succeeded)
        assert running.problem() is None


async def test_with_no_worker_to_be_kept_one_is_started_all_the_same_to_know_that_it_can():
    log = Log()
    async with function(log, minimum_workers=0) as running:
        running.start()
        await log.until(lambda: log.of("worker_started"))
