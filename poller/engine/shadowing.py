"""Hands a copy of each batch to a second function. Its answer is counted, and settles nothing.

A copy is made once the mapping's own function has been invoked, so the mapping waits for nothing. Copies beyond the
bounds are left out, and counted as that.
"""

import asyncio
from contextlib import AsyncExitStack

from poller.configuration import EventSourceMapping
from poller.engine.functions import Functions, Once, Use
from poller.engine.judging import judge
from poller.policy.response import NotInvoked, Outcome, TooLarge
from poller.ports.function import Function
from poller.ports.shadow import ShadowStatus
from poller.runtime.context import LaneContext
from poller.support.rate_limited_log import RateLimitedLog
from poller.values.errors import ConfigurationError

MOST_COPIES = 10
"""Under way at a time, for each mapping."""
MOST_BYTES = 16 * 1024 * 1024
"""Of them together."""


class Shadowed:
    """Implements `Function`: the mapping's own, with copies to its shadow."""

    def __init__(
        self, function: Function, mapping: EventSourceMapping, once: Once, status: ShadowStatus, log: RateLimitedLog
    ) -> None:
        self._function = function
        self._use = Use.shadow_of(mapping)
        self._partial = mapping.report_batch_item_failures
        self._once = once
        self._status = status
        self._log = log
        self._copies: dict[asyncio.Task[None], int] = {}
        """Those under way, with their bytes."""
        self.name = function.name
        self.payload_limit = function.payload_limit
        self.timeout = function.timeout
        self.refresh = function.refresh
        self.close = function.close

    async def invoke(self, event: bytes, trace: str | None = None) -> Outcome:
        """See `Function.invoke`."""
        outcome = await self._function.invoke(event, trace)
        if not isinstance(outcome, NotInvoked | TooLarge):
            self._begin(event)
        return outcome

    def _begin(self, event: bytes) -> None:
        if len(self._copies) >= MOST_COPIES or sum(self._copies.values()) + len(event) > MOST_BYTES:
            self._status.left_out += 1
            return
        copy = asyncio.get_running_loop().create_task(self._copy(event), name="shadow")
        self._copies[copy] = len(event)
        copy.add_done_callback(self._ended)

    def _ended(self, copy: asyncio.Task[None]) -> None:
        del self._copies[copy]
        if copy.cancelled():
            self._status.left_out += 1

    async def _copy(self, event: bytes) -> None:
        outcome = await self._once(self._use, event)
        if isinstance(outcome, NotInvoked):
            self._status.left_out += 1
            self._status.last_failure = f"not invoked: {outcome.code} {outcome.detail}".strip()
            return
        settled, said = self._judged(outcome, event)
        if settled:
            self._status.succeeded += 1
            return
        self._status.failed += 1
        self._status.last_failure = said
        now = asyncio.get_running_loop().time()
        self._log.repeating("shadow_failed", now, function=self._use.config.key, text=said)

    def _judged(self, outcome: Outcome, event: bytes) -> tuple[bool, str]:
        try:
            judged = judge(outcome, event, partial=self._partial)
        except ConfigurationError:
            # an event without the records of a source, such as the closing call of a window
            judged = judge(outcome, event, partial=False)
        return judged.settled, judged.lines[0]

    async def cut_off(self) -> None:
        """The run of the mapping is over: end the copies that are under way."""
        copies = [*self._copies]
        for copy in copies:
            copy.cancel()
        if copies:
            await asyncio.wait(copies)


async def shadowed(
    mapping: EventSourceMapping, context: LaneContext, functions: Functions, until: AsyncExitStack
) -> Function:
    """The function of a run, with copies to the mapping's shadow until the run is over."""
    use = Use.shadow_of(mapping)
    # held from one copy to the next, or it would be built for each
    await functions.take(use)
    until.push_async_callback(functions.release, use)
    assert functions.once is not None
    status = context.status.shadow or ShadowStatus(use.config.key)
    found = Shadowed(context.function, mapping, functions.once, status, context.log)
    until.push_async_callback(found.cut_off)
    return found


def shadow_status(mapping: EventSourceMapping, before: ShadowStatus | None) -> ShadowStatus | None:
    """What is counted of the mapping's shadow; the same as before while that is the same function."""
    if mapping.shadow_function is None:
        return None
    key = mapping.shadow_function.key
    return before if before is not None and before.function == key else ShadowStatus(key)
