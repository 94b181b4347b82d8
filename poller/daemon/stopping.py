"""The end of the daemon, in its order. Every step has a bound, so that every stop ends by itself.

| step | what | at most |
|---|---|---|
| soft stop | mappings receive no more, settle what runs, release the rest | the grace period, or the second signal |
| hard stop | what still runs is cancelled | `HARD_STOP_SECONDS` |
| closing | background tasks, API, functions with their workers, connections, traces | `CLOSE_SECONDS` |
| leftovers | tasks that are still there are cancelled (`fast.run`) | `fast.LEFTOVER_SECONDS`, twice |
| state | what was handed over is written, the file is closed | `sqlite.CLOSE_SECONDS` |
| log | what was logged is written | `telemetry.FLUSH_SECONDS` |
| exit | the process ends without waiting for threads (`leave`) | at once |

After the grace period (`shutdown_grace_seconds`, 25) that is 17 seconds at most, within the `TimeoutStopSec` of 45 that
`deploy/` sets. Where the event loop hangs after it heard the signal, no step can begin: `LastResort` ends the process.

One mapping's soft stop for a reload or a pause has no grace period and a bound of its own: see `MappingLife`.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Coroutine
from typing import NoReturn

from poller.support import telemetry

HARD_STOP_SECONDS = 5.0
"""After the hard stop: settling has two seconds, the rest is cancellation."""
CLOSE_SECONDS = 5.0
"""Workers have two seconds to end before they are killed, the API's answers one, traces two."""
AFTER_GRACE_SECONDS = 18.0
"""All steps after the grace period, and a second more."""
BUG = 70


async def end_mappings(running: set[asyncio.Task[None]], grace: float, hard: asyncio.Event) -> None:
    """Soft stop within the grace period, then the hard one. `running` have been asked to end."""
    log = telemetry.logger()
    second = asyncio.ensure_future(hard.wait())
    ended = asyncio.ensure_future(_all_of(running))
    await asyncio.wait({ended, second}, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
    for waiting in (ended, second):
        waiting.cancel()
    late = {task for task in running if not task.done()}
    if late:
        log.warning("hard_stop", mappings=[task.get_name() for task in late])
        for task in late:
            task.cancel()
        _, late = await asyncio.wait(late, timeout=HARD_STOP_SECONDS)
    if late:
        log.error("left_behind", what=[task.get_name() for task in late])


async def _all_of(tasks: set[asyncio.Task[None]]) -> None:
    if tasks:
        await asyncio.wait(tasks)


async def within(seconds: float, what: str, closing: Coroutine[object, object, object]) -> None:
    """Close something, or leave it behind."""
    task = asyncio.ensure_future(closing)
    await asyncio.wait({task}, timeout=seconds)
    if task.done():
        task.result()
    else:
        telemetry.logger().error("left_behind", what=[what])


class LastResort:
    """Ends the process where a stop that was asked for does not: the event loop hangs in a blocking call."""

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def call_off(self) -> None:
        """The stop has ended."""
        self._timer.cancel()

    def _end(self) -> None:
        telemetry.logger().critical("stop_never_ended")
        telemetry.flush()
        os._exit(BUG)


def leave(code: int) -> NoReturn:
    """End the process with this code, whatever its threads do."""
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        # the interpreter would wait for them, and some wait for what never comes
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)
