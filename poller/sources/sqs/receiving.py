"""Adaptive receivers: one long poll while it is quiet, one more each time a receive comes back full and lanes wait.

A lane with nothing in hand receives for itself, or stands in line while enough receives are under way. A lane that is
gathering a batch only stands in line, so that the end of its window never cuts a long poll: receives for it are tasks
of their own. No receive asks for more than the free lanes can take.

    lane asks -> its turn: receives, takes what it can, leaves the rest to the line
              -> else in line (open batches first) until a page or its turn comes
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
from poller.sources.sqs.room import ReceiveRoom, Turn
from poller.sources.sqs.waiters import Waiting, cut, give, hand_out, send_home
from poller.values.record import EMPTY_PAGE, Page, Record

Admit = Callable[[list[Message], int], Sequence[Record]]
"""Starts holding what a receive brought (messages, bytes, which count already), and returns what is to be delivered."""


class Receiving:
    """The receive side of one queue, for all lanes of a mapping."""

    def __init__(
        self,
        name: QueueName,
        admission: Admission,
        polls: Polls,
        *,
        admit: Admit,
        no_more: Callable[[], None],
        held_up: Callable[[], bool] = bool,
    ) -> None:
        """`no_more` is called when, after a soft stop, the last receive under way has ended. Nothing is received while
        `held_up`; whoever ends that calls `pump`.
        """
        self.bug: BaseException | None = None
        """What ended a task of the source that nobody waits for; the lanes raise it."""
        self._loop = asyncio.get_running_loop()
        self._name = name
        self._admission = admission
        self._polls = polls
        self._admit = admit
        self._no_more = no_more
        self._held_up = held_up
        self._memory = ReceiveRoom(admission.memory, self.pump)
        self._line: deque[Waiting] = deque()
        self._ready: deque[Page] = deque()
        self._concurrency = ReceiveConcurrency(name.fifo)
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def add_lane(self) -> None:
        """There is one more."""
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
                    given = await self._stand_in_line(limit, wait, gathering=gathering)
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
            # not before this lane counts as busy, or more would be received than the others can take
            if full is not None:
                self._go_on(full=full)

    async def _stand_in_line(self, limit: int, wait: float, *, gathering: bool) -> Page | Turn:
        loop = self._loop
        until = inf if wait == inf else loop.time() + wait
        waiting = Waiting(limit, until, gathering=gathering, given=loop.create_future())
        timer = None if wait == inf else loop.call_later(wait, give, waiting, EMPTY_PAGE)
        if gathering:
            self._line.appendleft(waiting)
            self.pump()
        else:
            self._line.append(waiting)
        try:
            return await waiting.given
        except asyncio.CancelledError:
            if waiting.given.done() and not waiting.given.cancelled():
                self._release_granted(waiting.given.result())
            raise
        finally:
            if timer is not None:
                timer.cancel()
            if waiting in self._line:
                self._line.remove(waiting)

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
            hand_out(self._line, self._ready)

    def pump(self) -> None:
        """Let those in line receive, as far as it is worth it and allowed. Called whenever that may have changed."""
        if self._admission.stopping:
            self._polls.stop()
            send_home(self._line)
            return
        while self._line:
            first = self._line[0]
            turn = self._turn(first.limit)
            if turn is None:
                return
            if first.gathering:
                self._start(turn, first.until)
            elif not give(self._line.popleft(), turn):
                self._over(turn)

    def _turn(self, limit: int) -> Turn | None:
        """To receive now, as one more of the receives under way; None for not now."""
        concurrency = self._concurrency
        if not concurrency.wants_more or self._held_up():
            return None
        now = self._loop.time()
        if now < concurrency.not_before:
            if self._timer is None:
                self._timer = self._loop.call_at(concurrency.not_before, self._rested)
            return None
        most = concurrency.most(limit, self._admission.lanes(now))
        turn = self._memory.turn(min(most, MOST_PER_CALL)) if most else None
        if turn is not None:
            concurrency.began(turn.most)
        return turn

    def _over(self, turn: Turn) -> None:
        self._concurrency.ended(turn.most)
        turn.room.close()

    def _rested(self) -> None:
        self._timer = None
        self.pump()

    def _start(self, turn: Turn, until: float) -> None:
        """Receive in a task of its own, for a lane whose window may end meanwhile."""
        task = self._loop.create_task(self._receive_for_line(turn, until - self._loop.time()))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        # one that is cancelled before it began has not given it back
        task.add_done_callback(lambda _: turn.room.close())

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    def fail(self, bug: BaseException) -> None:
        """A bug in a task nobody waits for: have the lanes raise it."""
        self.bug = bug
        send_home(self._line)

    async def _receive_for_line(self, turn: Turn, wait: float) -> None:
        _, full = await self._receive(turn, wait, 0)
        self._go_on(full=full)

    async def _receive(self, turn: Turn, wait: float, limit: int) -> tuple[Page, bool]:
        """One receive, and whether it was full. Gives up to `limit` of what it brought; the line has the rest."""
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
        full = self._concurrency.brought(len(messages), turn.most, self._loop.time())
        page = self._bring(messages, size, limit) if messages else EMPTY_PAGE
        return page, full

    def _go_on(self, *, full: bool) -> None:
        """After a receive: how many are worth it now, and whose turn it is."""
        self._adapt(full=full)
        if self._line:
            self.pump()
        if self._admission.stopping and not self._concurrency.running:
            self._no_more()

    def _bring(self, messages: list[Message], size: int, limit: int) -> Page:
        self._memory.note(size, len(messages))
        records = self._admit(messages, size)
        if not records:
            return EMPTY_PAGE
        name = self._name
        whole = len(records) == len(messages)
        page = Page(records, bound_of(size, len(messages), name) if whole else bound_of_some(records, name))
        # an open batch comes before a lane that has nothing, also before the one that received
        served = not self._line or not self._line[0].gathering
        if served and len(records) <= limit:
            return page
        self._ready.append(page)
        own = cut(self._ready, limit) if limit and served else EMPTY_PAGE
        hand_out(self._line, self._ready)
        return own

    def _adapt(self, *, full: bool) -> None:
        if not full:
            self._concurrency.shrink()
            return
        now = self._loop.time()
        if self._concurrency.grow(self._admission.lanes(now), waiting=bool(self._line)):
            # that lanes stand in line all the same is the pace's doing
            self._admission.busy(now)

    async def finish(self) -> list[Record]:
        """Soft stop, the lanes have ended: let long polls return. Returns what no lane took."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        return self._left()

    async def abandon(self) -> list[Record]:
        """Hard stop: cut the long polls. Returns what no lane took."""
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
