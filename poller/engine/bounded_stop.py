"""The bounded steps of a stop: the soft stop of all mappings, the hard stop, and closing their parts.

`daemon.process_stop` has the whole order, with the steps of the process around these.
"""

import asyncio
from collections.abc import Coroutine

from poller.support import telemetry

HARD_STOP_SECONDS = 5.0
"""Seconds after the hard stop: settling has two, the rest is for cancellation."""
CLOSE_SECONDS = 5.0
"""Seconds for closing: workers have two before they are killed, the answers of the API one, traces two."""


async def end_mappings(running: set[asyncio.Task[None]], grace: float, hard: asyncio.Event) -> None:
    """Stop softly within the grace period, then hard. The `running` tasks have been asked to end."""
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
    """Close something within its time, or leave it behind."""
    task = asyncio.ensure_future(closing)
    await asyncio.wait({task}, timeout=seconds)
    if task.done():
        task.result()
    else:
        telemetry.logger().error("left_behind", what=[what])
