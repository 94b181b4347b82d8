"""What workers write without end: how much of it is logged, in which steps, and that the rest is counted."""

import asyncio
import json
import os
import time
from typing import Any

import pytest

from poller.daemon.api.health import LOOP_LAG_LIMIT
from poller.functions.runtime_api import allowance, logs
from poller.functions.runtime_api.allowance import Allowance, LogAllowance
from poller.functions.runtime_api.logs import LINE_COST, STEP_BYTES, LogPipe
from poller.policy.response import Succeeded
from tests.functions.runtime.workers import Log, event, function, invoked

pytestmark = pytest.mark.real_time
FULL = b"x\n" * (logs.READ_BYTES // 2)
"""As many short lines as a pipe holds."""


class Heard:
    def __init__(self):
        self.lines, self.omitted, self.size = [], 0, 0

    def line(self, label, text):
        self.lines.append((label, text))

    def left_out(self, lines, size):
        self.omitted += lines
        self.size += size


def piped(together=None, always=None):
    heard = Heard()
    pipe = LogPipe(heard, LogAllowance(together or allowance.for_all_workers(), always))
    return heard, pipe


async def test_a_step_of_the_loop_logs_a_bounded_part_of_what_was_written():
    heard, pipe = piped()
    os.write(pipe.inlet, FULL)
    steps: list[Any] = []
    while sum(steps) < len(FULL) // 2 - heard.omitted and len(steps) < 100_000:
        before = len(heard.lines)
        await asyncio.sleep(0)
        steps.append(len(heard.lines) - before)
        if pipe.omitted[0]:
            break
    pipe.opened()
    pipe.close()
    assert 0 < max(steps) <= STEP_BYTES // LINE_COST
    assert len(heard.lines) + heard.omitted == len(FULL) // 2


async def test_what_an_invocation_wrote_is_logged_as_its_own_though_it_is_logged_later():
    heard, pipe = piped()
    for label in ("first", "second"):
        pipe.label = label
        os.write(pipe.inlet, f"{label}\n".encode() * 200)
        pipe.drain()
    assert len(heard.lines) < 400, "not all at once"
    pipe.label = None
    pipe.opened()
    pipe.close()
    assert [label for label, _ in heard.lines] == ["first"] * 200 + ["second"] * 200
    assert all(label == text for label, text in heard.lines)


async def test_every_line_over_the_allowance_is_counted_and_of_the_tail_none_is_missing():
    heard, pipe = piped(Allowance(0, 1), always=Allowance(0, 1000))
    for number in range(3):
        os.write(pipe.inlet, FULL[:-10] + f"part {number}".encode())
        pipe.drain()
    os.write(pipe.inlet, b"\n")
    pipe.drain()
    assert pipe.tail.splitlines()[-1] == "part 2"
    pipe.opened()
    pipe.close()
    assert 0 < len(heard.lines) < 20
    assert heard.size > 2.9 * len(FULL)
    assert abs(len(heard.lines) + heard.omitted - 3 * len(FULL) // 2) < 20


async def test_a_line_without_end_and_a_traceback_in_carriage_returns_stay_bounded_lines():
    heard, pipe = piped()
    pipe.opened = lambda: os.close(pipe.inlet)
    for _ in range(8):
        os.write(pipe.inlet, b"y" * 60_000)
        pipe.drain()
    os.write(pipe.inlet, b"\nError: no\rTraceback\r\n  at line 1\r\n")
    pipe.opened()
    pipe.close()
    [(_, long), *rest] = heard.lines
    assert len(long) < logs.LONGEST_LINE + 10
    assert [text for _, text in rest] == ["Error: no", "Traceback", "  at line 1"]


def test_an_allowance_comes_back_with_time_and_one_worker_never_takes_all_of_anothers():
    together = Allowance(10, 100)
    loud, quiet = LogAllowance(together), LogAllowance(together)
    assert sum(loud.take(LINE_COST, 0.0) for _ in range(100_000)) * LINE_COST < 2 * allowance.ALWAYS[1]
    assert not loud.take(LINE_COST, 0.0)
    assert quiet.take(LINE_COST, 0.0)
    assert loud.take(LINE_COST, 60.0)


async def test_a_child_that_writes_without_end_costs_a_bounded_log_and_no_invocation():
    log = Log()
    begun = time.monotonic()
    async with function(log) as running:
        await invoked(running, "flood")
        for number in range(20):
            assert (await invoked(running, "echo", number=number))["number"] == number
        await log.until(lambda: log.of("function_log_left_out"))
    most = (time.monotonic() - begun) * allowance.PER_WORKER[0] + allowance.PER_WORKER[1] + 2 * allowance.ALWAYS[1]
    assert 0 < len(log.lines()) * LINE_COST < most
    assert not log.of("worker_killed")


async def test_a_worker_that_has_answered_is_not_killed_for_a_busy_loop():
    log = Log()
    async with function(log, timeout=1.0) as running:
        before = await invoked(running, "pid")
        asked = asyncio.create_task(running.invoke(event("pid")))
        await asyncio.sleep(0)
        # the answer comes while nothing is read
        time.sleep(1.5)  # noqa: ASYNC251
        outcome = await asked
        assert await invoked(running, "pid") == before
    assert isinstance(outcome, Succeeded)
    assert json.loads(outcome.body) == before
    assert not log.of("worker_killed")


@pytest.mark.slow
async def test_fifteen_seconds_of_flood_leave_the_loop_healthy_and_others_served():
    log, other_log = Log(), Log()
    loop = asyncio.get_running_loop()
    lag, latency = [], []
    async with function(log, concurrency=3) as loud, function(other_log) as other:
        await invoked(other, "echo")
        await asyncio.gather(*(invoked(loud, "flood") for _ in range(3)))
        until = loop.time() + 15
        while loop.time() < until:
            asked = loop.time()
            await asyncio.sleep(0.01)
            lag.append(loop.time() - asked - 0.01)
            asked = loop.time()
            await invoked(other, "echo")
            latency.append(loop.time() - asked)
    logged = sum(len(line) + LINE_COST for line in log.lines())
    assert max(lag) < LOOP_LAG_LIMIT, "healthz would fail"
    assert max(latency) < LOOP_LAG_LIMIT
    assert logged < 3 * (16 * allowance.PER_WORKER[0] + allowance.PER_WORKER[1] + 2 * allowance.ALWAYS[1])
    assert log.of("function_log_left_out")
