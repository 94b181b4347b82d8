"""Lanes that wait for a page or for their turn to receive, and pages cut to what a lane can take."""

import asyncio
from collections import deque

from poller.sources.sqs.receive_memory import Turn
from poller.values.record import EMPTY_PAGE, Page


class Waiter:
    """A lane that waits until it is given a page, or its turn to receive."""

    __slots__ = ("gathering", "given", "limit", "until")

    def __init__(self, limit: int, until: float, *, gathering: bool, given: asyncio.Future[Page | Turn]) -> None:
        self.limit = limit
        self.until = until
        self.gathering = gathering
        self.given = given


def give(waiter: Waiter, given: Page | Turn) -> bool:
    """Returns whether the lane took it: a lane that no longer waits takes nothing."""
    if waiter.given.done():
        return False
    waiter.given.set_result(given)
    return True


def cut(ready: deque[Page], limit: int) -> Page:
    """Take the first page, or as much of it as the limit allows."""
    page = ready[0]
    if len(page.records) <= limit:
        return ready.popleft()
    part = Page(page.records[:limit], page.bound)
    page.records = page.records[limit:]
    return part


def distribute(waiters: deque[Waiter], ready: deque[Page]) -> None:
    """Give the pages that are ready to the lanes that wait, in their order."""
    while waiters and ready:
        waiter = waiters.popleft()
        if not waiter.given.done():
            waiter.given.set_result(cut(ready, waiter.limit))


def dismiss(waiters: deque[Waiter]) -> None:
    """Give every waiting lane an empty page."""
    while waiters:
        give(waiters.popleft(), EMPTY_PAGE)
