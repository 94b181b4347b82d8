"""The pauses between receives: after an error, and for a service that answers at once although asked to wait."""

import asyncio
from contextlib import suppress

from poller.policy.backoff import SOURCE, Chance
from poller.sources.sqs.settling import ReportCall
from poller.values.errors import CallError

RECEIVE_ACTION = "sqs:ReceiveMessage"
PAUSE = 1.0
"""Seconds between empty answers that come in less than half of it, from a service that does not wait as it was asked
to. Without the pause, receives would loop as fast as the network allows."""


class ReceiveBackoff:
    """One back-off for all receivers of a queue. A soft stop (`end`) ends every wait."""

    def __init__(self, report_call: ReportCall, chance: Chance) -> None:
        self._report_call = report_call
        self._chance = chance
        self._failures = 0
        self._backing_off = False
        self._ended = asyncio.Event()

    def end(self) -> None:
        """End all waits, now and later."""
        self._ended.set()

    def recovered(self) -> None:
        """A receive succeeded after others had failed."""
        self._failures = 0
        self._report_call(None, RECEIVE_ACTION, 0.0)

    async def after_error(self, error: CallError) -> None:
        """Wait before the next receive, longer each time. One receiver waits for all; others that fail end at once."""
        if self._backing_off:
            return
        self._failures += 1
        delay = SOURCE.delay(self._failures, self._chance)
        self._report_call(error, RECEIVE_ACTION, delay)
        self._backing_off = True
        try:
            await self._wait(delay)
        finally:
            self._backing_off = False

    async def after_nothing(self, seconds: float) -> None:
        """An empty answer came after so many seconds."""
        if seconds < PAUSE / 2:
            await self._wait(PAUSE)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()
