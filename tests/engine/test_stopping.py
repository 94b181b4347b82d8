"""What a person is told while a stop is under way."""

import asyncio

from poller.daemon.api.shown_reasons import mapping_reason
from tests.engine.house import House, living
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
