"""Bounds the bytes in flight, per mapping and for the process: bytes of running reads, and of unsettled records.

A read reserves its bytes before it begins, so that parallel readers cannot exceed the bound together. Readers without
room wait in a queue: first come, first served within a mapping, and mappings take turns.

    ask -> granted, or queued until it is -> the answer arrives (it may grow) -> became(bytes held) -> release

Two kinds of reads may exceed a bound. First, a read while nothing else is in flight, because a page larger than the
bound could never be read otherwise. Second, one urgent reservation in the whole process at a time: a batch that is
rebuilt, or an answer that already arrives and cannot be requested again, because only they can make room.
"""

from collections import deque
from collections.abc import Callable

from poller.values.errors import NoRoom


def _nothing() -> None:
    return None


class Memory:
    """A bound on bytes. A mapping's Memory is within the process's: its bytes count in both."""

    def __init__(self, limit: int, within: "Memory | None" = None) -> None:
        self.limit = limit
        self.held = 0
        """Bytes in flight, reservations included."""
        self.waiting = 0
        """Number of queued reservations."""
        self.on_waiting: Callable[[], None] = _nothing
        """Called when the first reservation is queued, and when the last one has left the queue."""
        self.within = within
        self.queue: deque[Reservation] = deque()
        self.turns: Turns = Turns() if within is None else within.turns
        self.levels: tuple[Memory, ...] = (self,) if within is None else (self, *within.levels)
        """First itself, then those around it."""

    def reservation(self, *, patient: bool = False) -> "Reservation":
        """A reservation for one reader, which reuses it. An answer that is larger than its reservation waits for room
        if the reader is `patient`; otherwise NoRoom is raised.
        """
        return Reservation(self, self.turns, patient=patient)

    def hold(self, size: int) -> None:
        """Count `size` more bytes as in flight."""
        for level in self.levels:
            level.held += size

    def take(self, size: int) -> bool:
        """Count `size` more bytes as in flight if they are within this bound and those around it; returns whether."""
        levels = self.levels
        for level in levels:
            if level.held + size > level.limit:
                return False
        for level in levels:
            level.held += size
        return True

    def release(self, size: int) -> None:
        """Release `size` bytes, and serve the queue."""
        for level in self.levels:
            level.held -= size
        turns = self.turns
        if turns.any or turns.exception is not None:
            turns.serve()

    def resize(self, limit: int) -> None:
        """Change the bound, and serve the queue."""
        self.limit = limit
        self.turns.serve()

    def fits(self, size: int, own: int = 0) -> bool:
        """Whether `size` more bytes fit this bound and those around it; `own` are the bytes the reader already has."""
        for level in self.levels:  # noqa: SIM110 - each read asks, and a generator costs it twice as much
            if level.held + size > level.limit and level.held != own:
                return False
        return True

    @property
    def smallest(self) -> int:
        """The smallest of its own bound and those around it."""
        return min([level.limit for level in self.levels])

    def full_for(self, reservation: "Reservation") -> bool:
        """Whether this bound alone stops the first reservation in its queue."""
        return self.held > 0 and self.held + reservation.wanted > self.limit

    def exceeded(self) -> bool:
        """Whether this bound, or one around it, is exceeded."""
        return any(level.held > level.limit for level in self.levels)


class Reservation:
    """The bytes of one read, from before it begins until its records are counted. A `poller.http.ReservedBytes`."""

    __slots__ = ("_call", "_memory", "_patient", "_turns", "_wanted", "size", "urgent")

    def __init__(self, memory: Memory, turns: "Turns", *, patient: bool) -> None:
        self.size = 0
        """Bytes reserved; 0 before it is granted."""
        self.urgent = False
        """Whether it may exceed the bound, as the only one in the process."""
        self._memory = memory
        self._turns = turns
        self._patient = patient
        self._wanted: Callable[[], int] | None = None
        self._call: Callable[[], None] = _nothing

    @property
    def queued(self) -> bool:
        """Whether it waits in the queue."""
        return self._wanted is not None

    def ask(self, wanted: Callable[[], int], call: Callable[[], None], *, urgent: bool = False) -> bool:
        """Ask for bytes; returns whether they are granted. If not, the reservation is queued, and `call` is called once
        it is granted. `wanted` returns the number of bytes, never 0, and is called again at each turn.
        """
        if self.size:
            return True
        if self._wanted is not None:
            if self.urgent == urgent:
                return False
            self.leave_queue()
        self.urgent = urgent
        if not self._turns.any:
            size = wanted()
            if self._memory.take(size):
                self.size = size
                return True
            if self.grant(min(size, self._memory.smallest)):
                return True
        self._wait(wanted, call)
        self._turns.serve(but=self)
        return self.size > 0

    def grow(self, size: int, go_on: Callable[[], None]) -> bool:
        """See `poller.http.ReservedBytes`."""
        self.leave_queue()
        self.urgent = self.urgent or self._patient
        if self.grant(size - self.size):
            return True
        if not self._patient:
            raise NoRoom(size)
        more = size - self.size
        self._wait(lambda: more, go_on)
        return False

    def became(self, size: int) -> None:
        """The read is over; `size` bytes of it stay held until they are released."""
        if self._wanted is not None:
            self.leave_queue()
        reserved, self.size = self.size, 0
        self._memory.release(reserved - size)

    def settled(self) -> None:
        """All bytes read with it are released: if it exceeded the bound, another one may."""
        if self._turns.exception is self and not self.size:
            self._turns.exception = None
            self._turns.serve()

    def close(self) -> None:
        """End the read: release its bytes, and leave the queue."""
        if self.size or self._wanted is not None:
            self.became(0)

    def grant(self, size: int) -> bool:
        """Reserve `size` more bytes, if they fit or if it may exceed the bound. Returns whether it did."""
        memory, turns = self._memory, self._turns
        if not memory.fits(size, self.size):
            if not self.urgent or turns.exception not in (None, self):
                return False
            turns.exception = self
        self.size += size
        memory.hold(size)
        return True

    @property
    def wanted(self) -> int:
        """Bytes it waits for, capped at the bound: a larger answer has to grow."""
        return 0 if self._wanted is None else min(self._wanted(), self._memory.smallest)

    def serve(self) -> bool:
        """Try to grant it at its turn. Returns whether it was granted."""
        return self.grant(self.wanted)

    def leave_queue(self) -> None:
        """Stop waiting."""
        if self._wanted is not None:
            self._wanted = None
            self._turns.leave(self, self._memory)

    def granted(self) -> Callable[[], None]:
        """Leave the queue after it was granted. Returns the function to call."""
        self.leave_queue()
        return self._call

    def above_the_bound(self) -> bool:
        """Whether a bound it counts in is exceeded."""
        return self._memory.exceeded()

    def _wait(self, wanted: Callable[[], int], call: Callable[[], None]) -> None:
        self._wanted, self._call = wanted, call
        self._turns.enter(self, self._memory)


class Turns:
    """The order of waiting reservations in the whole process."""

    def __init__(self) -> None:
        self.exception: Reservation | None = None
        """The reservation that exceeded the bound, until its bytes are released or no bound is exceeded."""
        self.any = False
        """Whether any reservation waits."""
        self._urgent: dict[Reservation, None] = {}
        self._mappings: dict[Memory, None] = {}
        """Mappings with queued reservations, in the order of their turns."""

    def enter(self, reservation: Reservation, memory: Memory) -> None:
        self.any = True
        memory.waiting += 1
        if memory.waiting == 1:
            memory.on_waiting()
        if reservation.urgent:
            self._urgent[reservation] = None
        else:
            memory.queue.append(reservation)
            self._mappings.setdefault(memory)

    def leave(self, reservation: Reservation, memory: Memory) -> None:
        memory.waiting -= 1
        if not memory.waiting:
            memory.on_waiting()
        if reservation in self._urgent:
            del self._urgent[reservation]
        else:
            memory.queue.remove(reservation)
            if not memory.queue:
                del self._mappings[memory]
        self.any = bool(self._urgent or self._mappings)

    def serve(self, but: Reservation | None = None) -> None:
        """Grant all reservations that fit, and call their readers, except `but`, which is asking right now."""
        if self.exception is not None and not self.exception.above_the_bound():
            self.exception = None
        if not self.any:
            return
        served = [one for one in list(self._urgent) if one.serve()]
        calls = [one.granted() for one in served if one is not but]
        if but in served:
            but.leave_queue()
        calls += self._serve_queues(but)
        for call in calls:
            call()

    def _serve_queues(self, but: Reservation | None) -> list[Callable[[], None]]:
        """Serve the first of each queue, mappings taking turns; a mapping's own bound stops only its own queue."""
        calls = []
        waiting = deque(self._mappings)
        while waiting:
            memory = waiting.popleft()
            first = memory.queue[0]
            if first.serve():
                # it moves behind the others, here and in later rounds
                del self._mappings[memory]
                self._mappings[memory] = None
                call = first.granted()
                if first is not but:
                    calls.append(call)
                if memory.queue:
                    waiting.append(memory)
            elif not memory.full_for(first):
                # the process's bound is reached: this mapping keeps its turn
                break
        return calls
