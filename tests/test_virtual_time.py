"""The virtual-time loop: promises the other tests stand on."""

import asyncio
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.virtual_time import EPOCH, Deadlock, HotLoop, LeakedTasks, VirtualClock, run


async def test_a_day_passes_at_once_and_timers_fire_in_order(clock):
    fired: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.call_later(86_400, fired.append, "late")
    loop.call_later(1, fired.append, "early")
    await asyncio.sleep(90_000)
    assert fired == ["early", "late"]
    assert clock.now() == pytest.approx(EPOCH + 90_000)


@given(st.floats(0.001, 1e6))
async def test_generated_tests_run_on_virtual_time(seconds):
    await asyncio.sleep(seconds)
    assert VirtualClock().now() == pytest.approx(EPOCH + seconds)


def test_waiting_for_what_never_comes_raises_and_names_the_place():
    async def main():
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock, match=r"test_virtual_time\.py"):
        run(main())


def test_a_loop_that_never_waits_raises():
    async def main():
        while True:  # noqa: ASYNC110 - the spinning is the test
            await asyncio.sleep(0)

    with pytest.raises(HotLoop):
        run(main())


def test_a_task_left_running_fails_the_test():
    tasks = []

    async def main():
        tasks.append(asyncio.create_task(asyncio.sleep(10)))

    with pytest.raises(LeakedTasks):
        run(main())


def test_an_exception_nobody_saw_fails_the_test():
    async def main():
        asyncio.get_running_loop().call_soon(lambda: 1 // 0)
        await asyncio.sleep(1)

    with pytest.raises(ZeroDivisionError):
        run(main())


async def test_work_in_a_thread_takes_no_virtual_time():
    release = threading.Event()
    work = asyncio.create_task(asyncio.to_thread(release.wait))
    asyncio.get_running_loop().call_soon(release.set)
    async with asyncio.timeout(0.001):
        assert await work
    assert asyncio.get_running_loop().time() == 0


@pytest.mark.real_time
async def test_a_test_marked_for_real_time_gets_real_sockets():
    async def answer(reader, writer):
        writer.write(await reader.readline())
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        assert await reader.read() == b"hello\n"
        writer.close()
        await writer.wait_closed()
