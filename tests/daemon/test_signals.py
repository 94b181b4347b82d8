"""Signals that arrive in a storm: those that mean something are heard, and the loop has no more work than with them."""

import asyncio
import signal
import sys

import pytest

from poller.daemon import signals

pytestmark = pytest.mark.real_time
ALL = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)


@pytest.fixture(autouse=True)
def _handlers(monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    before = {number: signal.getsignal(number) for number in ALL}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


async def test_a_storm_is_two_stops_and_one_reload():
    heard: list[str] = []
    signals.listen(lambda number: heard.append(number.name), lambda: heard.append("reload"))
    for number in ALL * 1_000:
        signal.raise_signal(number)
    await asyncio.sleep(0)
    assert heard == ["reload", "SIGTERM", "SIGINT"]
    signal.raise_signal(signal.SIGTERM)
    await asyncio.sleep(0)
    assert len(heard) == 3


async def test_a_reload_that_was_heard_can_be_asked_for_again():
    heard: list[str] = []
    signals.listen(lambda number: heard.append(number.name), lambda: heard.append("reload"))
    for _ in range(2):
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
        await asyncio.sleep(0)
    assert heard == ["reload", "reload"]
