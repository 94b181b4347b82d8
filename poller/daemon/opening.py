"""The first step of the daemon: opens the store, and waits while it cannot be reached."""

import asyncio
import random

from poller.engine.app import Poller
from poller.policy.backoff import Backoff
from poller.runtime.stop import Stop
from poller.support import telemetry
from poller.values.errors import StoreAway

AGAIN = Backoff(first=0.5, cap=15.0)


async def opened(poller: Poller, stop: Stop, wait: float | None) -> bool:
    """Open `poller`. A store that cannot be reached is tried again, for `wait` seconds or without end. Returns False
    where the daemon was asked to stop meanwhile. Raises EnvironmentProblem.
    """
    loop, log = asyncio.get_running_loop(), telemetry.logger()
    began, failures = loop.time(), 0
    asked = asyncio.Event()
    stop.listen(asked.set)
    while not stop.soft:
        try:
            await poller.open()
        except StoreAway as error:
            failures += 1
            delay = AGAIN.delay(failures, random.random)
            if wait is not None and loop.time() + delay - began > wait:
                raise StoreAway(f"{str(error).rstrip('.?')}. It was tried for {wait:g} s, which is --wait") from error
            log.warning("store_away", text=str(error), next_try_seconds=round(delay, 1))
            await _within(delay, asked)
        else:
            return True
    return False


async def _within(seconds: float, asked: asyncio.Event) -> None:
    """Wait, and return early once `asked` is set."""
    waiting = asyncio.ensure_future(asked.wait())
    await asyncio.wait({waiting}, timeout=seconds)
    waiting.cancel()
