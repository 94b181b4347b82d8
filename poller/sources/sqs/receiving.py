"""Adaptive receivers: one long poll while it is quiet, one more each time a receive comes back full and lanes wait.

Receives are tasks of their own and lanes wait for what they bring, so neither a window nor a soft stop ever cuts a long
poll. No receive asks for more than the lanes that are free can take.

    lane asks -> waits in line (open batches first) -> pump() starts receives up to the demand -> pages go down the line
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from typing import Any

from poller.errors import AnswerLost, CallError
from poller.policy.backoff import SOURCE, Chance
from poller.ports import Admission
from poller.record import EMPTY_PAGE, Page, Record
from poller.sources.sqs.event import bound_of
from poller.sources.sqs.queue import LONG_POLL, MOST_PER_CALL, Queue
from poller.sources.sqs.settling import Trouble

Admit = Callable[[list[dict[str, Any]], int], Sequence[Record]]
"""Starts holding what a receive brought (messages, bytes) and returns what is to be delivered."""
RECEIVE_ACTION = "sqs:ReceiveMessage"
PAUSE = 1.0
"""Seconds between empty answers that come in less than half of it, from a service that does not wait as it was asked
to. Without, receiving would be a loop as fast as the network."""


class _Waiting:
    """A lane in line."""

    __slots__ = ("limit", "page", "until")

    def __init__(self, limit: int, until: float, page: "asyncio.Future[Page]") -> None:
        self.limit = limit
        self.until = until
        self.page = page


class Receiving:
    """The receive side of one queue, for all lanes of a mapping."""

    def __init__(self, queue: Queue, admission: Admission, admit: Admit, trouble: Trouble, chance: Chance) -> None:
        self.lanes = 0
        """How many lanes there are; those not in line have a batch."""
        self._queue = queue
        self._admission = admission
        self._admit = admit
        self._trouble = trouble
        self._chance = chance
        self._line: deque[_Waiting] = deque()
        self._room = 0
        """Messages the lanes in line could take together."""
        self._ready: deque[Page] = deque()
        self._wanted = 1
        """How many receives may run at once; grows and shrinks with what they bring."""
        self._asked = 0
        """Messages the receives under way may bring."""
        self._receivers: set[asyncio.Task[None]] = set()
        self._running = 0
        """Receivers that may still bring something; a task that has ended its receive is not among them."""
        self._failures = 0
        self._backing_off = False
        self._lost: deque[bytes] = deque()
        """FIFO receives whose answers were lost, to be asked again with the same attempt ids."""
        self._bug: BaseException | None = None
        """What ended a receiver and is no answer of the service. Raised to the lanes, so that the partition ends."""
        self._closed = asyncio.Event()

    async def take(self, limit: int, wait: float, *, gathering: bool) -> Page:
        """See `Lane.receive`."""
        if self._bug is not None:
            raise self._bug
        if self._closed.is_set() or self._admission.stopping:
            return EMPTY_PAGE
        if self._ready:
            return self._cut(limit)
        loop = asyncio.get_running_loop()
        page: asyncio.Future[Page] = loop.create_future()
        waiting = _Waiting(limit, inf if wait == inf else loop.time() + wait, page)
        timer = None if wait == inf else loop.call_later(wait, _give, waiting, EMPTY_PAGE)
        if gathering:
            self._line.appendleft(waiting)
        else:
            self._line.append(waiting)
        self._room += limit
        self.pump()
        try:
            return await page
        except asyncio.CancelledError:
            if page.done() and not page.cancelled():
                # it was handed out in the very moment of the cancellation
                self.put_back(page.result())
            raise
        finally:
            if timer is not None:
                timer.cancel()
            if waiting in self._line:
                self._line.remove(waiting)
                self._room -= limit

    def put_back(self, page: Page) -> None:
        """The next free lane gets it."""
        if page.records:
            self._ready.appendleft(page)
            self._hand_out()

    def pump(self) -> None:
        """Start the receives that the line needs and the admission allows. Called whenever either changed."""
        if self._admission.stopping:
            self._send_home()
            return
        while self._running < self._wanted and self._room > self._asked:
            most, wait = self._demand()
            if most <= 0:
                return
            self._asked += most
            self._running += 1
            receiver = asyncio.get_running_loop().create_task(self._receive(most, wait))
            self._receivers.add(receiver)
            receiver.add_done_callback(self._ended)

    def _ended(self, receiver: asyncio.Task[None]) -> None:
        self._receivers.discard(receiver)
        bug = None if receiver.cancelled() else receiver.exception()
        if bug is not None:
            self._bug = bug
            for waiting in self._line:
                if not waiting.page.done():
                    waiting.page.set_exception(bug)

    def _demand(self) -> tuple[int, int]:
        """Messages the next receive may ask for, and its WaitTimeSeconds."""
        now = asyncio.get_running_loop().time()
        lanes = self._admission.lanes(now) - (self.lanes - len(self._line))
        if lanes <= 0:
            return 0, 0
        first = self._line[0]
        wait = LONG_POLL if first.until == inf else max(1, min(LONG_POLL, int(first.until - now)))
        if self._queue.name.fifo:
            # a page goes to one lane whole, so that a group never spreads over two
            return (0 if self._running >= min(lanes, len(self._line)) else first.limit), wait
        enough = self._asked + MOST_PER_CALL
        room = 0
        for waiting in self._line:
            room += waiting.limit
            lanes -= 1
            if room >= enough or not lanes:
                break
        return min(MOST_PER_CALL, room - self._asked), wait

    async def _receive(self, most: int, wait: int) -> None:
        """One receive, after which the next are started."""
        body = self._lost.popleft() if self._lost else self._queue.receive_body(most, wait)
        time = asyncio.get_running_loop().time
        begun = time()
        try:
            messages, size = await self._queue.receive(body)
            if self._failures:
                self._failures = 0
                self._trouble(None, RECEIVE_ACTION, 0.0)
            if not messages and time() - begun < PAUSE / 2:
                await self._pause(PAUSE)
        except CallError as error:
            if self._queue.name.fifo and isinstance(error, AnswerLost):
                self._lost.append(body)
            await self._back_off(error)
            messages, size = [], 0
        finally:
            self._asked -= most
            self._running -= 1
        if messages:
            self._bring(messages, size, full=len(messages) >= most)
        elif self._wanted > 1:
            self._wanted -= 1
        self.pump()

    def _bring(self, messages: list[dict[str, Any]], size: int, *, full: bool) -> None:
        records = self._admit(messages, size)
        if records:
            self._ready.append(Page(records, bound_of(size, len(messages), self._queue.name)))
            self._hand_out()
        if not full:
            self._wanted = max(1, self._wanted - 1)
            return
        now = asyncio.get_running_loop().time()
        lanes = self._admission.lanes(now)
        if self._line and lanes > self.lanes - len(self._line):
            self._wanted += 1
        elif lanes:
            # as many lanes have a batch as may have one; that others stand in line is the pace's doing
            self._admission.busy(now)

    async def _back_off(self, error: CallError) -> None:
        """Wait before the next receive, longer each time. One receiver waits for all; others that fail just end."""
        self._wanted = 1
        if self._backing_off:
            return
        self._failures += 1
        delay = SOURCE.delay(self._failures, self._chance)
        self._trouble(error, RECEIVE_ACTION, delay)
        self._backing_off = True
        try:
            await self._pause(delay)
        finally:
            self._backing_off = False

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closed.wait()

    def _hand_out(self) -> None:
        while self._line and self._ready:
            waiting = self._line.popleft()
            self._room -= waiting.limit
            if not waiting.page.done():
                waiting.page.set_result(self._cut(waiting.limit))

    def _cut(self, limit: int) -> Page:
        """The first page that is ready, or as much of it as the limit allows."""
        page = self._ready[0]
        if len(page.records) <= limit:
            return self._ready.popleft()
        part = Page(page.records[:limit], page.bound)
        page.records = page.records[limit:]
        return part

    def _send_home(self) -> None:
        """A soft stop: lanes in line get nothing more."""
        while self._line:
            _give(self._line.popleft(), EMPTY_PAGE)
        self._room = 0

    async def finish(self) -> list[Record]:
        """Soft stop: let long polls return, end the waits between receives. Returns what no lane took."""
        self._closed.set()
        self._send_home()
        while self._receivers:
            await asyncio.wait(self._receivers)
        return self._left()

    async def abandon(self) -> list[Record]:
        """Hard stop: cut the long polls. Returns what no lane took."""
        self._closed.set()
        self._send_home()
        for receiver in self._receivers:
            receiver.cancel()
        await asyncio.gather(*self._receivers, return_exceptions=True)
        return self._left()

    def _left(self) -> list[Record]:
        left = [record for page in self._ready for record in page.records]
        self._ready.clear()
        return left


def _give(waiting: _Waiting, page: Page) -> None:
    if not waiting.page.done():
        waiting.page.set_result(page)
