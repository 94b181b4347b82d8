"""The receives of one queue. `policy.receiving` decides how many run and what each may ask for; this module runs them.

A lane without an open batch receives for itself, or waits while enough receives run. A lane that gathers a batch only
waits, because the end of its window must never cut a long poll: receives for it are tasks of their own.

    lane asks -> its turn: it receives, takes what it can and leaves the rest to the lanes that wait
              -> else it waits (open batches first) until it is given a page or its turn
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from math import inf

from poller.policy.receiving import ReceiveConcurrency
from poller.ports.source import Admission
from poller.sources.sqs.event import bound_of, bound_of_some
from poller.sources.sqs.message import Message
from poller.sources.sqs.polls import Polls
from poller.sources.sqs.queue import MOST_PER_CALL, QueueName
from poller.sources.sqs.receive_memory import ReceiveMemory, Turn
from poller.sources.sqs.waiters import Waiter, cut, dismiss, distribute, give
from poller.values.record import EMPTY_PAGE, Page, Record

Admit = Callable[[list[Message], int], Sequence[Record]]
"""Starts holding the messages of a receive, given its bytes, and returns the records to deliver."""


class Receiving:
    """The receive side of one queue, for all lanes of a mapping."""

    def __init__(
        self,
        name: QueueName,
        admission: Admission,
        polls: Polls,
        *,
        admit: Admit,
        on_last_receive: Callable[[], None],
        blocked: Callable[[], bool] = bool,
    ) -> None:
        """`on_last_receive` is called when the last running receive has ended after a soft stop. Nothing is received
        while `blocked`; whatever ends that calls `pump`.
        """
        self.bug: BaseException | None = None
        """The error of a background task of the source; the lanes raise it."""
        self._loop = asyncio.get_running_loop()
        self._name = name
        self._admission = admission
        self._polls = polls
        self._admit = admit
        self._on_last_receive = on_last_receive
        self._blocked = blocked
        self._memory = ReceiveMemory(admission.memory, self.pump)
        self._waiters: deque[Waiter] = deque()
        self._ready: deque[Page] = deque()
        self._concurrency = ReceiveConcurrency(name.fifo)
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def add_lane(self) -> None:
        """The mapping has one more lane."""
        self._concurrency.lanes += 1

    @property
    def under_way(self) -> bool:
        """Whether a receive may still bring something."""
        return self._concurrency.running > 0

    async def take(self, limit: int, wait: float, *, gathering: bool) -> Page:
        """See `Lane.receive`."""
        self._concurrency.lane_is_free(limit)
        full: bool | None = None
        try:
            while not self._admission.stopping:
                if self.bug is not None:
                    raise self.bug
                if self._ready:
                    return cut(self._ready, limit)
                given: Page | Turn | None = None if gathering else self._turn(limit)
                if given is None:
                    given = await self._wait_turn(limit, wait, gathering=gathering)
                if isinstance(given, Page):
                    return given
                page, full = await self._receive(given, inf, limit)
                if page.records:
                    return page
                self._go_on(full=full)
                full = None
            return EMPTY_PAGE
        finally:
            self._concurrency.lane_is_busy(limit)
            # only once this lane counts as busy, or more would be received than the other lanes can take
            if full is not None:
                self._go_on(full=full)

    async def _wait_turn(self, limit: int, wait: float, *, gathering: bool) -> Page | Turn:
        loop = self._loop
        until = inf if wait == inf else loop.time() + wait
        waiting = Waiter(limit, until, gathering=gathering, given=loop.create_future())
        timer = None if wait == inf else loop.call_later(wait, give, waiting, EMPTY_PAGE)
        if gathering:
            self._waiters.appendleft(waiting)
            self.pump()
        else:
            self._waiters.append(waiting)
        try:
            return await waiting.given
        except asyncio.CancelledError:
            if waiting.given.done() and not waiting.given.cancelled():
                self._release_granted(waiting.given.result())
            raise
        finally:
            if timer is not None:
                timer.cancel()
            if waiting in self._waiters:
                self._waiters.remove(waiting)

    def _release_granted(self, given: Page | Turn) -> None:
        """A lane was cancelled in the very moment in which it was given this."""
        if isinstance(given, Page):
            self.unread(given)
        else:
            self._over(given)

    def unread(self, page: Page) -> None:
        """The next free lane receives it first."""
        if page.records:
            self._ready.appendleft(page)
            distribute(self._waiters, self._ready)

    def pump(self) -> None:
        """Let waiting lanes receive, as far as that is useful and allowed. Called when either may have changed."""
        if self._admission.stopping:
            self._polls.stop()
            dismiss(self._waiters)
            return
        while self._waiters:
            first = self._waiters[0]
            turn = self._turn(first.limit)
            if turn is None:
                return
            if first.gathering:
                self._start(turn, first.until)
            elif not give(self._waiters.popleft(), turn):
                self._over(turn)

    def _turn(self, limit: int) -> Turn | None:
        """Permission for one more receive; None while there is none."""
        concurrency = self._concurrency
        if not concurrency.wants_more or self._blocked():
            return None
        now = self._loop.time()
        if now < concurrency.not_before:
            if self._timer is None:
                self._timer = self._loop.call_at(concurrency.not_before, self._pause_ended)
            return None
        most = concurrency.most(limit, self._admission.lanes(now))
        turn = self._memory.turn(min(most, MOST_PER_CALL)) if most else None
        if turn is not None:
            concurrency.began(turn.most)
        return turn

    def _over(self, turn: Turn) -> None:
        self._concurrency.ended(turn.most)
        turn.room.close()

    def _pause_ended(self) -> None:
        self._timer = None
        self.pump()

    def _start(self, turn: Turn, until: float) -> None:
        """Receive in a separate task, for a lane whose window may end meanwhile."""
        task = self._loop.create_task(self._receive_for_waiters(turn, until - self._loop.time()))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        # a task that is cancelled before it begins does not close it
        task.add_done_callback(lambda _: turn.room.close())

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    def fail(self, bug: BaseException) -> None:
        """A background task has a bug: have the lanes raise it."""
        self.bug = bug
        dismiss(self._waiters)

    async def _receive_for_waiters(self, turn: Turn, wait: float) -> None:
        _, full = await self._receive(turn, wait, 0)
        self._go_on(full=full)

    async def _receive(self, turn: Turn, wait: float, limit: int) -> tuple[Page, bool]:
        """One receive, and whether it was full. Returns up to `limit` of its messages; waiting lanes get the rest."""
        messages: list[Message] = []
        size = 0
        try:
            # a stop may have come since it was this receive's turn
            if not self._admission.stopping:
                messages, size = await self._polls.receive(turn, wait)
        finally:
            self._over(turn)
        if self._polls.failing:
            self._concurrency.failed()
        elif self._polls.quiet:
            self._admission.nothing()
        full = self._concurrency.brought(len(messages), turn.most, self._loop.time())
        page = self._bring(messages, size, limit) if messages else EMPTY_PAGE
        return page, full

    def _go_on(self, *, full: bool) -> None:
        """After a receive: adapt how many run, and start those that are due."""
        self._adapt(full=full)
        if self._waiters:
            self.pump()
        if self._admission.stopping and not self._concurrency.running:
            self._on_last_receive()

    def _bring(self, messages: list[Message], size: int, limit: int) -> Page:
        self._memory.note(size, len(messages))
        records = self._admit(messages, size)
        if not records:
            return EMPTY_PAGE
        name = self._name
        whole = len(records) == len(messages)
        page = Page(records, bound_of(size, len(messages), name) if whole else bound_of_some(records, name))
        # an open batch comes before a lane that has nothing, also before the one that received
        served = not self._waiters or not self._waiters[0].gathering
        if served and len(records) <= limit:
            return page
        self._ready.append(page)
        own = cut(self._ready, limit) if limit and served else EMPTY_PAGE
        distribute(self._waiters, self._ready)
        return own

    def _adapt(self, *, full: bool) -> None:
        if not full:
            self._concurrency.shrink()
            return
        now = self._loop.time()
        if self._concurrency.grow(self._admission.lanes(now), waiting=bool(self._waiters)):
            # lanes wait all the same, because the pace allows no more
            self._admission.busy(now)

    async def finish(self) -> list[Record]:
        """Soft stop, after the lanes have ended: let long polls return. Returns the records that no lane took."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        return self._left()

    async def abandon(self) -> list[Record]:
        """Hard stop: cut the long polls. Returns the records that no lane took."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return self._left()

    def _left(self) -> list[Record]:
        self._memory.close()
        left = [record for page in self._ready for record in page.records]
        self._ready.clear()
        return left
