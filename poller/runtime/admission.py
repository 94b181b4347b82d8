"""Decides whether a mapping may receive now, and for how many lanes: from stop, circuit, pace, slots and memory."""

import asyncio
from collections.abc import Callable

from poller.policy.advice import cause_of_failure
from poller.policy.backoff import Chance
from poller.policy.pace import Pace
from poller.ports.status import MappingState, MappingStatus, Reason, ReasonCode
from poller.runtime.breaker import Breaker
from poller.runtime.memory import Memory
from poller.runtime.slots import SharedSlots
from poller.runtime.standby import Standby
from poller.runtime.stop import Stop

AT_WORK = (ReasonCode.INVOKING, ReasonCode.SETTLING)
SLOW_SECONDS = 10.0
"""After which a batch in work is a slow one, and other daemons of a fleet should receive, too: the function may hang
here alone.
"""


def _nobody() -> None:
    return None


class Admission:
    """One mapping's admission: its source asks before each receive, and its lanes report their outcomes."""

    def __init__(
        self,
        stop: Stop,
        pace: Pace,
        memory: Memory,
        status: MappingStatus,
        chance: Chance,
        *,
        breaker: Breaker | None = None,
        standby: Standby | None = None,
        shared: SharedSlots | None = None,
    ) -> None:
        """`breaker` belongs to the function, which shares it among its mappings. `standby` says whether another process
        polls. `shared` are the mapping's slots where its limit holds for several daemons.
        """
        self.stop = stop
        self.breaker = breaker or Breaker(chance)
        self.pace = pace
        self.memory = memory
        self._status = status
        self._chance = chance
        self._poke: Callable[[], None] = _nobody
        self._ignore_stop: Callable[[], None] = _nobody
        self._grow: Callable[[], None] = _nobody
        self._waiting_for_slot = 0
        self._resume: asyncio.TimerHandle | None = None
        self._failing_since: float | None = None
        self._ignore_circuit = self.breaker.listen(self._changed)
        self._shared = shared
        if shared is not None:
            shared.changed = self._changed
        memory.on_waiting = self._show
        self._standby = standby
        if standby is not None:
            standby.connect(self._changed, self._hindered)

    def connect(self, poke: Callable[[], None]) -> None:
        """Call `poke` whenever `lanes` may answer more than before."""
        self._ignore_stop()  # of the previous source
        self._poke = poke
        self._ignore_stop = self.stop.listen(poke)
        if self._standby is not None:
            # the previous one has failed
            self._standby.hindered(asyncio.get_running_loop().time())

    def on_growth(self, grow: Callable[[], None]) -> None:
        """Call `grow` when one more lane may be started."""
        self._grow = grow

    def partition_stop(self) -> Stop:
        """A new stop for one partition, which follows the mapping's."""
        return self.stop.child()

    @property
    def stopping(self) -> bool:
        """Whether a soft stop was requested."""
        return self.stop.soft

    def lanes(self, now: float) -> int:
        """How many lanes may hold a batch now; 0 while nothing may be received."""
        closed = self._closed(now)
        if closed and closed is not ReasonCode.MEMORY:
            return 0
        # for a probe one batch is enough
        lanes = 1 + self._past_the_circuit() if self.breaker.is_open else self.pace.lanes
        limit = None if self._shared is None else self._shared.limit
        return lanes if limit is None else min(lanes, limit)

    def _past_the_circuit(self) -> int:
        """Number of lanes whose batch cannot be a probe: it was invoked before the circuit opened, and may run for
        long.
        """
        lanes = [lane for partition in self._status.partitions for lane in partition.lanes]
        return sum(lane.code in AT_WORK for lane in lanes)

    def standstill(self, now: float, shown: Reason | None) -> Reason | None:
        """See `RunningParts`: the source may not have asked for long, and its own problems may be over."""
        closed = self._closed(now)
        if closed is (None if shown is None else shown.code):
            return shown
        return None if closed is None else self._reason(closed, now)

    def _closed(self, now: float) -> ReasonCode | None:
        if self.stop.soft:
            return ReasonCode.STOPPING
        if self._standby is not None and self._standby.rests(now):
            return ReasonCode.NOT_MINE
        if self.breaker.is_open and not self.breaker.may_receive(now):
            return ReasonCode.CIRCUIT_OPEN
        if self._waiting_for_slot or self._has_no_share:
            return ReasonCode.WAITING_FOR_SLOT
        if self.pace.resumes_in(now):
            return ReasonCode.FUNCTION_FAILING
        # each read waits for memory by itself
        return ReasonCode.MEMORY if self.memory.waiting else None

    def _reason(self, closed: ReasonCode, now: float) -> Reason:
        if closed is ReasonCode.CIRCUIT_OPEN:
            breaker = self.breaker
            since, again = breaker.circuit.refused_since, breaker.until(now)
            return Reason(closed, breaker.text, since=since, next_try=again, causes=breaker.causes)
        if closed is ReasonCode.FUNCTION_FAILING:
            last = self._status.last_failure
            failure = "" if last is None else last.text
            text = f"the function fails ({failure}); the pace is lowered" if failure else ""
            causes, again = (cause_of_failure(failure),) if failure else (), now + self.pace.resumes_in(now)
            return Reason(closed, text, since=self._failing_since, next_try=again, causes=causes)
        if closed is ReasonCode.NOT_MINE:
            return Reason(closed, "" if self._standby is None else self._standby.why(now))
        if closed is ReasonCode.WAITING_FOR_SLOT and self._has_no_share:
            return Reason(closed, "other daemons of the fleet have all of maximum_concurrency", since=now)
        return Reason(closed, since=now)

    @property
    def _has_no_share(self) -> bool:
        return self._shared is not None and self._shared.limit == 0

    def _show(self) -> None:
        """Show why nothing is received as the mapping's reason, unless it has a worse one."""
        now = asyncio.get_running_loop().time()
        closed = self._closed(now)
        if self._status.state is MappingState.RUNNING:
            self._status.reason = None if closed is None else self._reason(closed, now)
        if self._standby is not None and (self._failing_since is not None or closed not in (None, ReasonCode.NOT_MINE)):
            self._standby.hindered(now)

    def _hindered(self, now: float) -> bool:
        """Whether other processes should receive, too: this one cannot, or is not done soon with what it received."""
        if self._failing_since is not None or self._closed(now) not in (None, ReasonCode.NOT_MINE):
            return True
        lanes = (lane for partition in self._status.partitions for lane in partition.lanes)
        slow = now - SLOW_SECONDS
        return any(lane.waiting_for is not None or (lane.code in AT_WORK and lane.since <= slow) for lane in lanes)

    def _changed(self) -> None:
        self._show()
        self._poke()

    def _resume_later(self, now: float) -> None:
        """Poke the source when the pause is over."""
        if self._resume is None and (pause := self.pace.resumes_in(now)):
            self._resume = asyncio.get_running_loop().call_later(pause, self._resumed)

    def _resumed(self) -> None:
        self._resume = None
        self._show()
        self._poke()
        # a failure since may have made it longer
        self._resume_later(asyncio.get_running_loop().time())

    def receive_began(self, now: float) -> None:
        """A receive is sent."""
        if self._standby is not None:
            self._standby.receive_began(now)

    def receive_ended(self, now: float, *, answered: bool) -> None:
        """It was answered, or is over without an answer."""
        if self._standby is not None:
            self._standby.receive_ended(now, answered=answered)

    def busy(self, now: float) -> None:
        """Every lane has a batch and the source has more."""
        before = self.pace.lanes
        self.pace.busy(now)
        if self.pace.lanes > before:
            self._grow()
        if self._standby is not None:
            self._standby.busy(now)

    def nothing(self) -> None:
        """A receive found nothing."""
        if self._standby is not None:
            self._standby.nothing()

    def succeeded(self) -> None:
        """A batch succeeded."""
        self.pace.succeeded()
        if self._failing_since is not None:
            self._failing_since = None
            self._show()

    def failed(self, now: float) -> None:
        """A batch failed or was refused, and the pace should go down."""
        if self._failing_since is None:
            self._failing_since = now
        self.pace.failed(now, self._chance)
        self._show()
        self._resume_later(now)

    def waits_for_slot(self, waits: bool) -> None:
        """A lane begins or ends waiting for its function's slot. Meanwhile nothing is received."""
        self._waiting_for_slot += 1 if waits else -1
        if self._waiting_for_slot == int(waits):
            # the first begins to wait, or the last has ended
            self._show()
        if not self._waiting_for_slot:
            self._poke()

    def close(self) -> None:
        """Forget the source and cancel its timer."""
        if self._resume is not None:
            self._resume.cancel()
            self._resume = None
        self._ignore_stop()
        self._ignore_circuit()
        if self._standby is not None:
            self._standby.disconnect(self._changed)
        if self._shared is not None:
            self._shared.changed = _nobody
        self.memory.on_waiting = _nobody
        self._poke = self._grow = _nobody
