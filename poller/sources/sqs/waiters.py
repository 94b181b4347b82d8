"""Lanes that stand in line for what receives bring, and how pages are cut to what they can take."""

import asyncio
from collections import deque

from poller.sources.sqs.room import Turn
from poller.values.record import EMPTY_PAGE, Page


class Waiting:
    """A lane in line, until it is given a page or its turn to receive."""

    __slots__ = ("gathering", "given", "limit", "until")

    def __init__(self, limit: int, until: float, *, gathering: bool, given: asyncio.Future[Page | Turn]) -> None:
        self.limit = limit
        self.until = until
        self.gathering = gathering
        self.given = given


def give(waiting: Waiting, what: Page | Turn) -> bool:
    """Whether it was taken: a lane that has left the line takes nothing."""
    if waiting.given.done():
        return False
    waiting.given.set_result(what)
    return True


def cut(ready: deque[Page], limit: int) -> Page:
    """Take the first page, or as much of it as the limit allows."""
    page = ready[0]
    if len(page.records) <= limit:
        return ready.popleft()
    part = Page(page.records[:limit], page.bound)
    page.records = page.records[limit:]
    return part


def hand_out(line: deque[Waiting], ready: deque[Page]) -> None:
    """Pages that are ready go down the line."""
    while line and ready:
        waiting = line.popleft()
        if not waiting.given.done():
            waiting.given.set_result(cut(ready, waiting.limit))


def send_home(line: deque[Waiting]) -> None:
    """Lanes in line get nothing more."""
    while line:
        give(line.popleft(), EMPTY_PAGE)
