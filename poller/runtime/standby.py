"""Whether this process polls a queue: it need not while another one of the daemon, or of the fleet, takes everything.

Among the workers of one daemon one polls all the time, and calls the others in. Among the daemons of a fleet those
rest that know of one that attends the queue, see `poller.policy.attendance`: for as long as they know it, and once they
have found the queue empty.
"""

import asyncio
from collections.abc import Callable
from math import inf

from poller.policy.attendance import GAP_SECONDS, Attendance

CALL_SECONDS = 1.0
"""At most one call in so many seconds."""
CALLED_SECONDS = 10.0
"""For which a called worker polls after the last call, unless it finds nothing before: a queue with little traffic
would keep it busy with what the first one can take alone."""
OTHER_WORKER = "another worker polls the queue as long as it can take all of it"


def _nobody() -> None:
    """Nobody has connected yet."""


def _free(_now: float) -> bool:
    """Nothing is known to keep the process from receiving."""
    return False


class Standby:
    """Of one mapping. Times are the loop's."""

    def __init__(self, call: Callable[[], None] = _nobody) -> None:
        """`call` calls the other workers in."""
        self.attendance: Attendance | None = None
        """Where daemons of a fleet ask for it."""
        self._call = call
        self._polls = True
        self._until = -inf
        self._called_at = -inf
        self._changed: Callable[[], None] = _nobody
        self._hindered: Callable[[float], bool] = _free
        self._says = False
        """Whether the others were told that this process attends the queue."""
        self._tell: Callable[[], None] = _nobody
        self._rests_until = -inf
        self._other = ""
        self._empty = False
        """Whether the last receive since it began to poll found nothing."""
        self._timer: asyncio.TimerHandle | None = None
        self._gap: asyncio.TimerHandle | None = None

    def connect(self, changed: Callable[[], None], hindered: Callable[[float], bool] = _free) -> None:
        """Call `changed` when the process begins to poll, or has to stop. `hindered` says whether anything keeps it
        from receiving, or from being done soon with what it has received.
        """
        self._changed, self._hindered = changed, hindered

    def disconnect(self, changed: Callable[[], None]) -> None:
        """Call it no more. The next run of the mapping may have connected already, and stays so."""
        if self._changed == changed:
            self._changed, self._hindered = _nobody, _free

    def rests(self, now: float) -> bool:
        """Whether another process polls."""
        return self._rests_beside_worker(now) or (self._empty and now < self._rests_until)

    def _rests_beside_worker(self, now: float) -> bool:
        return not self._polls and now >= self._until

    def why(self, now: float) -> str:
        """Why it rests, for people."""
        return OTHER_WORKER if self._rests_beside_worker(now) else self._other

    # among workers

    def place(self, *, polls: bool) -> None:
        """Whether this worker is the one that polls all the time."""
        if polls != self._polls:
            self._polls = polls
            self._changed()

    def called(self) -> None:
        """Another one has more than it can take."""
        self._until = asyncio.get_running_loop().time() + CALLED_SECONDS
        self._changed()

    # among daemons

    def join(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Daemons of a fleet share the queue, until the returned function is called. `tell` has them hear soon that
        this one attends it no longer.
        """
        attendance = self.attendance = Attendance(asyncio.get_running_loop().time())
        self._tell, self._says = tell, False

        def leave() -> None:
            # the next run of the mapping may have joined already, and stays so
            if self.attendance is attendance:
                self._leave()

        return leave

    def _leave(self) -> None:
        self.attendance, self._tell, self._says = None, _nobody, False
        for timer in (self._timer, self._gap):
            if timer is not None:
                timer.cancel()
        self._timer = self._gap = None
        self._rests_until = -inf

    def attends(self) -> bool:
        """Whether the others can rest. They are told what this says."""
        if self.attendance is None or not self._polls:
            # a worker that was called in does not stay
            return False
        now = asyncio.get_running_loop().time()
        if self._hindered(now):
            self.attendance.hindered(now)
        self._says = self.attendance.attends(now)
        return self._says

    def rest(self, until: float, other: str) -> None:
        """Another daemon attends the queue, as is known until then; `other` says so to people."""
        rested, self._rests_until, self._other = self._rests_until, until, other
        now = asyncio.get_running_loop().time()
        if until > now:
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_at(until, self._rested)
        elif rested > now:
            self._poll()

    def _rested(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        if self._rests_until > loop.time():
            self._timer = loop.call_at(self._rests_until, self._rested)
        else:
            self._poll()

    def _poll(self) -> None:
        # until the queue is found empty again
        self._empty = False
        self._changed()

    # what the receives tell

    def receive_began(self, now: float) -> None:
        """A receive is sent."""
        if self.attendance is not None:
            self.attendance.began(now)

    def receive_ended(self, now: float, *, answered: bool) -> None:
        """It was answered, or is over without an answer."""
        if self.attendance is not None:
            self.attendance.ended(now, answered=answered)
            self._watch(now)

    def hindered(self, now: float) -> None:
        """Something keeps this process from taking all that the queue has."""
        if self.attendance is not None:
            self.attendance.hindered(now)
            self._watch(now)

    def busy(self, now: float) -> None:
        """Every lane here has a batch, and the queue has more."""
        self.hindered(now)
        if now - self._called_at >= CALL_SECONDS:
            self._called_at = now
            self._call()

    def nothing(self) -> None:
        """A receive found nothing."""
        self._until = -inf
        self._empty = True

    def _watch(self, now: float) -> None:
        """Tell the others once what they were told holds no longer; look again where no receive begins soon."""
        if not self._says or self.attendance is None:
            return
        if not self.attendance.attends(now):
            self._says = False
            self._tell()
        elif not self.attendance.running and self._gap is None:
            self._gap = asyncio.get_running_loop().call_later(GAP_SECONDS, self._gap_over)

    def _gap_over(self) -> None:
        self._gap = None
        self._watch(asyncio.get_running_loop().time())
