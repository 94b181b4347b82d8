"""Waits until a mapping is settled, or says for a person why it is not."""

import asyncio
from collections.abc import Callable

from poller.ports.status import MappingStatus
from poller.values.errors import NotSettled
from poller.values.texts import counted

LOOK_SECONDS = 0.2
"""Seconds between two questions to the source, each of which costs a call where the source is a queue."""


async def settled(find: Callable[[], MappingStatus], seconds: float) -> MappingStatus:
    """See `Poller.settled`. `find` may raise UnknownMapping, because the mapping may be removed meanwhile."""
    loop = asyncio.get_running_loop()
    since, end = loop.time(), loop.time() + seconds
    while True:
        status = find()
        await status.look(0.0)
        lag = status.lag()
        if status.in_flight() == 0 and lag.empty_at is not None and lag.empty_at >= since:
            return status
        if loop.time() >= end:
            raise NotSettled(unsettled(status, seconds))
        await asyncio.sleep(LOOK_SECONDS)


def unsettled(status: MappingStatus, seconds: float) -> str:
    """The reason for a person why a mapping is not settled."""
    lag = status.lag()
    waiting = [] if lag.records is None else [f"in the queue wait {counted(lag.records, 'message')}"]
    waiting += [] if not lag.hidden else [f"received and neither deleted nor visible again: {lag.hidden}"]
    waiting += [] if not lag.seconds else [f"{lag.seconds:.1f} s behind"]
    reason = [] if status.reason is None else [status.reason.text or status.reason.code.value]
    failure = [] if status.last_failure is None else [f"the last failure: {status.last_failure.text}"]
    facts = "; ".join([f"{counted(status.in_flight(), 'record')} in flight", *waiting, *reason, *failure])
    return f"the mapping {status.name} is not settled after {seconds:g} s: it is {status.state.value}; {facts}"
