"""Commands that act by hand, over the API of mappings that run on the fake AWS."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from poller.cli.main import main
from poller.configuration.model.failed_events import FailedEventsSettings
from tests.page.browser import shop

pytestmark = pytest.mark.real_time


@pytest.fixture(autouse=True)
def quiet():
    """The daemon of the test logs to the terminal of its commands."""
    with capture_logs():
        yield


class Terminal:
    """Runs commands against one daemon."""

    def __init__(self, address: str, capsys: Any) -> None:
        self._address = address
        self._capsys = capsys

    async def __call__(self, *arguments: str) -> tuple[int, list[str]]:
        """The exit code, and the lines that were printed."""
        return await asyncio.to_thread(self._run, arguments)

    async def while_it_waits(self, *arguments: str) -> tuple[int, list[str]]:
        """The same of a batch that waits: again where the function had it just then."""
        while True:
            code, lines = await self(*arguments)
            if not any(said in lines[0] for said in ("no batch waits", "did not wait any more")):
                return code, lines

    def _run(self, arguments: tuple[str, ...]) -> tuple[int, list[str]]:
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--api", self._address])
        printed = self._capsys.readouterr()
        return int(ended.value.code or 0), (printed.out + printed.err).splitlines()


async def test_a_failed_event_is_found_and_run_again(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with shop() as (house, address), asyncio.timeout(60):
        house.failed_events.apply(FailedEventsSettings(keep=5))
        poller = Terminal(address, capsys)
        while not await house.failed_events.all():  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.1)
        (event,) = await house.failed_events.all()
        _, lines = await poller("failures", "clicks")
        assert f"    {event.id}  " in next(line for line in lines if event.id in line)
        code, lines = await poller("rerun", event.id, "--dry-run")
        assert (code, lines[0].startswith("would: count-clicks is invoked once")) == (0, True)
        code, lines = await poller("rerun", event.id)
        assert (code, "order 4711 has no customer" in lines[-2]) == (1, True)
        house.aws.functions["count-clicks"].handler = lambda _: None
        code, lines = await poller("rerun", event.id, "--why", "mended")
        assert (code, lines[-1]) == (0, "a mapping would settle the whole batch")
        assert (await poller("rerun", "nothing"))[0] == 1
        _, lines = await poller("actions", "clicks")
        assert "  because: mended" in lines


async def test_records_are_looked_at(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with shop() as (house, address), asyncio.timeout(60):
        poller = Terminal(address, capsys)
        while len(house.of("clicks").partitions) < 2:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)
        shard = house.of("clicks").partitions[0].id
        code, lines = await poller("peek", "clicks", shard, "--dry-run")
        assert (code, "no position moves" in lines[0]) == (0, True)
        code, lines = await poller(
            "peek", "clicks", shard, "--trim-horizon", "--filter", '{"partitionKey": ["poison"]}'
        )
        found = [line for line in lines if "key poison" in line]
        code, lines = await poller("peek", "clicks", "elsewhere")
        assert (code, "say which shard is meant" in lines[0]) == (1, True)
        other = house.of("clicks").partitions[1].id
        _, lines = await poller("peek", "clicks", other, "--trim-horizon", "--event")
        found += [line for line in lines if "key poison" in line]
        assert len(found) == 1


async def test_dead_letters_are_redriven_and_it_says_how_far_it_came(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with shop() as (house, address), asyncio.timeout(60):
        poller = Terminal(address, capsys)
        code, lines = await poller("redrive", "orders")
        assert (code, "say one of" in lines[-1]) == (2, True)
        code, lines = await poller("redrive", "orders", "--dead-letters", "--dry-run")
        assert (code, "has no dead-letter queue" in lines[0]) == (1, True)
        code, lines = await poller("redrive", "clicks", "--from", "2020-01-01", "--rate", "1000", "--dry-run")
        assert (code, "can be resumed" in " ".join(lines)) == (0, True)
        code, lines = await poller("redrive", "clicks", "--from", "2020-01-01", "--rate", "1000")
        assert code == 0
        while (await house.steering.redrives())[0].state == "running":  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)
        code, lines = await poller("redrive", "clicks", "--show")
        assert (code, "stopped: function_error" in lines[0], "1 failed again" in lines[0]) == (0, True, True)
        assert (await poller("redrive", "orders", "--show"))[1] == ["nothing was redriven"]


async def test_one_key_is_isolated_and_a_batch_handed_over(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with shop() as (house, address), asyncio.timeout(60):
        poller = Terminal(address, capsys)
        while house.of("clicks").last_failure is None:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)
        code, lines = await poller.while_it_waits("hand-over", "clicks", "nobody")
        assert (code, "there is no function nobody" in lines[0]) == (1, True)
        code, lines = await poller.while_it_waits("isolate", "clicks", "good")
        assert (code, "say which key" in lines[0], "poison (1)" in lines[0]) == (1, True, True)
        code, lines = await poller.while_it_waits("isolate", "clicks", "poison", "--why", "no customer")
        assert (code, lines[0].startswith("Given up: 1 record with the key poison")) == (0, True)
        while house.of("clicks").account.destination == 0:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)


async def test_a_position_is_moved_and_what_was_done_is_said_as_done(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with shop() as (house, address), asyncio.timeout(60):
        house.aws.functions["count-clicks"].handler = lambda _: None
        poller = Terminal(address, capsys)
        while house.of("clicks").account.delivered < 5:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)
        code, lines = await poller("seek", "clicks", "--trim-horizon", "--dry-run")
        assert (code, "Then 2 shards are read from the oldest record." in lines[0]) == (0, True)
        code, lines = await poller("seek", "clicks", "--trim-horizon")
        assert (code, lines[0].startswith("The position was moved: 2 shards are now read from")) == (0, True)
