"""The ReceiveMessage calls of one queue: their wait time, the pause after an error, and their end at a soft stop.

A soft stop lets a long poll return, because a poll that is cut may already hold messages, and each of those would spend
one of the receives after which a queue moves it to its dead-letter queue. A poll that does not return in time is cut.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from poller.ports.source import Admission
from poller.sources.sqs.queue import LONG_POLL, Queue
from poller.sources.sqs.receive_backoff import ReceiveBackoff
from poller.sources.sqs.receive_memory import Turn
from poller.values.errors import AnswerLost, CallError

SHORTEST = 1
"""Shortest WaitTimeSeconds of a receive."""
LATE = 1.0
"""Seconds after its wait within which the answer to a receive is expected. A soft stop waits no longer."""


class Polls:
    """The running receives, and those whose answers were lost."""

    def __init__(
        self,
        queue: Queue,
        backoff: ReceiveBackoff,
        admission: Admission,
        *,
        longest: int = LONG_POLL,
        freed_in: Callable[[], float],
    ) -> None:
        """`longest` is the longest wait of a receive in seconds. `freed_in` returns the seconds until a message group
        may become free: a service need not notice that during a receive, and the group would wait for the rest of it.
        """
        self.quiet = False
        """Whether the last receive found nothing."""
        self.failing = False
        """Whether the last receive brought no answer."""
        self._loop = asyncio.get_running_loop()
        self._queue = queue
        self._backoff = backoff
        self._admission = admission
        self._longest = max(SHORTEST, longest)
        self._freed_in = freed_in
        self._stopped = False
        self._due: dict[asyncio.Task[Any], float] = {}
        """By the task of each running receive, the loop's time at which its wait is over."""
        self._cut: set[asyncio.Task[Any]] = set()
        """Tasks whose receive a soft stop has cut."""
        self._lost: deque[str] = deque()
        """Attempt ids of FIFO receives whose answers were lost; the next receives repeat them."""

    async def receive(self, turn: Turn, wait: float) -> tuple[list[dict[str, Any]], int]:
        """One receive and the pause after it. Returns the messages and the bytes of the answer; after an error none."""
        backoff, loop, queue = self._backoff, self._loop, self._queue
        seconds = self._wait(wait)
        attempt = self._lost.popleft() if self._lost else queue.new_attempt()
        begun = loop.time()
        messages: list[dict[str, Any]] = []
        size, answered = 0, False
        failed: CallError | None = None
        task = asyncio.current_task(loop)
        assert task is not None
        self._due[task] = begun + seconds
        try:
            body = queue.receive_body(turn.most, seconds, attempt)
            queue.unanswered.asked(begun)
            self._admission.receive_began(begun)
            try:
                messages, size = await queue.receive(body, turn.room)
                answered = True
            finally:
                ended = loop.time()
                queue.unanswered.answered(ended)
                self._admission.receive_ended(ended, answered=answered)
                del self._due[task]
            turn.room.became(size)
            if self.failing:
                self.failing = False
                backoff.recovered()
            self.quiet = not messages
            if not messages:
                await backoff.after_nothing(loop.time() - begun)
        except asyncio.CancelledError:
            if task not in self._cut:
                raise
            self._cut.discard(task)
            if task.uncancel():
                raise
            self.quiet = False
        except CallError as error:
            failed, self.failing, self.quiet = error, True, False
            if attempt is not None and isinstance(error, AnswerLost):
                self._lost.append(attempt)
            turn.room.close()
        if failed is not None:
            await backoff.after_error(failed)
        return messages, size

    def _wait(self, wait: float) -> int:
        if self.failing:
            # a short poll shows sooner that the error is over
            return SHORTEST
        if self._queue.name.fifo:
            wait = min(wait, self._freed_in())
        return self._longest if wait >= self._longest else max(SHORTEST, int(wait))

    def stop(self) -> None:
        """A soft stop: pauses end, and running receives end in time. None begins after it."""
        if self._stopped:
            return
        self._stopped = True
        self._backoff.end()
        for task, due in self._due.items():
            self._loop.call_at(max(due, self._loop.time()) + LATE, self._cut_late, task)

    def _cut_late(self, task: asyncio.Task[Any]) -> None:
        """End a receive that has not returned in time. A timer of each receive would cost every receive."""
        if task in self._due:
            self._cut.add(task)
            task.cancel()

    def under_way(self) -> tuple[int, float]:
        """How many receives wait for their answers, and the loop's time by which all should have them."""
        return len(self._due), max(self._due.values(), default=0.0)
