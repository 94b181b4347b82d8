"""Blocking calls beside the event loop: their deadlines, and what a call that hangs holds up."""

import asyncio
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from poller.configuration import Configuration, Settings
from poller.configuration.watching import Reader
from poller.daemon import reload
from poller.daemon.reload import Reloads
from poller.ports.daemon_status import ConfigurationStatus
from poller.support.blocking import Blocking
from poller.values.errors import Overdue
from tests.live.daemon import CHECKOUT
from tests.present import present

pytestmark = pytest.mark.real_time


@pytest.fixture
def gate():
    """What a hanging call waits for."""
    event = threading.Event()
    yield event
    event.set()


def fail():
    raise KeyError("own")


async def test_results_and_errors_are_those_of_the_call():
    calls = Blocking("a disk", 10)
    assert await calls.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(KeyError, match="own"):
        await calls.run(fail)
    assert calls.run_now(divmod, 7, 2) == (3, 1)
    with pytest.raises(KeyError, match="own"):
        calls.run_now(fail)


async def test_a_call_that_hangs_is_given_up_and_one_behind_it_never_begins(gate):
    begun: list[Any]
    calls, begun = Blocking("a disk", 0.05), []
    with pytest.raises(Overdue, match="a disk: no answer within"):
        await calls.run(gate.wait)
    assert calls.busy
    assert "a disk: no answer for" in present(calls.problem())
    for late in (calls.run(begun.append, 1), asyncio.to_thread(calls.run_now, begun.append, 2)):
        with pytest.raises(Overdue):
            await late
    gate.set()
    await calls.run(begun.append, 3)
    assert begun == [3]
    assert calls.problem() is None


async def test_an_error_of_the_call_that_is_a_timeout_is_no_missed_deadline():
    def timed_out():
        raise TimeoutError("of a socket")

    for run in (Blocking("a disk", 10).run(timed_out), asyncio.to_thread(Blocking("a disk", 10).run_now, timed_out)):
        with pytest.raises(TimeoutError, match="of a socket"):
            await run


async def test_spare_threads_take_the_place_of_those_that_hang_and_then_it_shows(gate):
    calls = Blocking("a mount", 0.3, spare=2)
    for _ in range(2):
        with pytest.raises(Overdue):
            await calls.run(gate.wait)
        assert calls.problem() is None
        assert await calls.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(Overdue):
        await calls.run(gate.wait)
    assert "a mount: no answer for" in present(calls.problem())
    with pytest.raises(Overdue):
        await calls.run(divmod, 7, 2)
    gate.set()
    assert await calls.run(divmod, 7, 2) == (3, 1)
    assert calls.problem() is None


HANGS = """
import asyncio, threading
from poller.daemon import accelerators
from poller.support.blocking import Blocking
from poller.daemon.process_stop import leave
from poller.values.errors import Overdue

async def main():
    asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
    try:
        await Blocking("a disk", 0.1).run(threading.Event().wait)
    except Overdue:
        return 3

leave(accelerators.run(main()))
"""


def test_threads_that_hang_keep_no_process_from_its_exit():
    """Neither ours nor those of the event loop's own pool, which the interpreter would wait for."""
    ended = subprocess.run([sys.executable, "-c", HANGS], cwd=CHECKOUT, timeout=30, check=False, capture_output=True)
    assert (ended.returncode, ended.stderr) == (3, b"")


async def test_a_configuration_that_cannot_be_read_in_time_is_refused_and_read_again_once_it_can(monkeypatch, gate):
    """As a network mount that hangs and comes back. Nobody has to ask again."""
    monkeypatch.setattr(reload, "LOOK_SECONDS", 0.02)
    present = Configuration(Settings(state="memory:"), {}, [], [], [])

    class Hanging(Reader):
        def read(self):
            gate.wait()
            return present

    shown, taken = ConfigurationStatus(time.time()), asyncio.Event()
    calls = Blocking("the files of the configuration", 0.1)
    reloads = Reloads(Hanging([], {}), calls, present, shown, lambda _: taken.set())
    refused = asyncio.Event()
    task = asyncio.create_task(reloads.run(lambda: None, refused.set))
    reloads.request("SIGHUP")
    await asyncio.wait_for(refused.wait(), 30)
    (problem,) = shown.problems
    assert "no answer within" in problem
    assert not taken.is_set()
    gate.set()
    await asyncio.wait_for(taken.wait(), 30)
    task.cancel()
    await asyncio.wait({task})
