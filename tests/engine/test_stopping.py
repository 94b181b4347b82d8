"""What a person is told while a stop is under way, and that every stop ends by itself."""

import asyncio
from dataclasses import replace

import pytest

from poller.daemon.api.shown_reasons import mapping_reason
from poller.engine.bounded_stop import CLOSE_SECONDS
from poller.engine.runner import SOFT_STOP_SECONDS
from tests.engine.house import SOFT_STOP, House, Lent, living
from tests.fakes.queue import loop_time
from tests.present import present


async def test_a_stop_of_idle_mappings_says_until_when_it_waits_and_how_to_stop_now():
    house = House()
    mappings = [house.mapping("a"), house.mapping("b", receive_wait_seconds=4)]
    async with living(*mappings, house=house) as log:
        await asyncio.sleep(5)
        house.mappings.stop()
        [line] = [line for line in log if line["event"] == "stopping"]
        reasons = {name: mapping_reason(house.of(name), loop_time()) for name in "ab"}
        assert line["waits_for"] == {name: house.of(name).run.waits(loop_time()).text for name in "ab"}
        assert all("1 long poll returns by" in text for text in line["waits_for"].values())
        assert line["text"].endswith("Ctrl-C again stops now")
        for reason in reasons.values():
            assert present(reason).text.startswith("stopping: 1 long poll returns by ")
            assert present(reason).text.endswith("; Ctrl-C again stops now")
        until = {name: present(present(reason).until) for name, reason in reasons.items()}
        assert until["b"] < until["a"] <= 21
    assert loop_time() <= 21


async def test_a_pause_says_until_when_it_waits():
    house = House()
    async with living(house.mapping("a"), house=house):
        await house.mappings.pause("a")
        reason = mapping_reason(house.of("a"), loop_time())
        assert present(reason).text.startswith("stopping: 1 long poll returns by ")
        assert "to be paused" in present(reason).text
        assert "Ctrl-C" not in present(reason).text


@pytest.mark.parametrize("wish", ["reload", "pause", "removal"])
async def test_a_soft_stop_that_would_never_end_ends_by_itself(wish):
    """As by a bug of ours: the invocation comes back neither with an outcome nor with a timeout."""
    house = House()
    a = house.mapping("a", function_timeout_seconds=30)
    async with living(a, house=house) as log:
        never = asyncio.get_running_loop().create_future()

        async def hanging(call, operation, body, timeout=None, **more):  # noqa: ASYNC109
            return await (never if operation.name == "Invoke" else call(operation, body, timeout, **more))

        house.aws.intercept(hanging)
        house.queue("a").send("1")
        await asyncio.sleep(5)
        if wish == "pause":
            await house.mappings.pause("a")
        else:
            house.mappings.apply([replace(a, batch_size=3)] if wish == "reload" else [])
        await asyncio.sleep(SOFT_STOP_SECONDS + 25)
        assert house.states() == {"a": "stopping"}
        await asyncio.sleep(15)
        assert house.states() == {"reload": {"a": "running"}, "pause": {"a": "paused"}, "removal": {}}[wish]
        assert [line["mappings"] for line in log if line["event"] == "hard_stop"] == [["a"]]
        house.aws.intercept(None)


async def test_connections_that_never_close_keep_no_pause_waiting():
    house = House()

    class Stuck(Lent):
        async def close(self):
            await asyncio.get_running_loop().create_future()

    house.local.make = Stuck
    async with living(house.mapping("a"), house=house) as log:
        await house.mappings.pause("a")
        await asyncio.sleep(SOFT_STOP + CLOSE_SECONDS)
        assert house.states() == {"a": "paused"}
        assert [line["what"] for line in log if line["event"] == "left_behind"] == [["connections and workers of a"]]
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            if "close" in repr(task):
                task.cancel()
