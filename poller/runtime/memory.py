"""Bytes in flight: what is being read and what was read and is not settled, bounded per mapping and for the process.

A read reserves its bytes before it begins, so that no number of readers passes the bound together. Readers that find
no room wait in line: first come, first served within a mapping, in turns between mappings.

    ask -> granted, or in line until it is -> the answer arrives (it may grow) -> became(what is held) -> release

Two readings may pass a bound. One that finds nothing else in flight, since a page larger than the bound would never be
read. And one urgent reservation in the whole process at a time: the records of a batch that is gathered again, and an
answer that is already on its way and cannot be asked for twice, are what room depends on.
"""

from collections import deque
from collections.abc import Callable, Iterator

from poller.values.errors import NoRoom


def _nothing() -> None:
    return None


class Memory:
    """A bound on bytes. A mapping's Memory is within the process's: what it holds counts in both."""

    def __init__(self, limit: int, within: "Memory | None" = None) -> None:
        self.limit = limit
        self.held = 0
        """Bytes in flight, reservations included."""
        self.waiting = 0
        """Reservations that wait in line."""
        self.on_waiting: Callable[[], None] = _nothing
        """Called when the first begins to wait, and when none does any more."""
        self.within = within
        self.queue: deque[Reservation] = deque()
        self.turns: Turns = Turns() if within is None else within.turns

    def levels(self) -> Iterator["Memory"]:
        """First itself, then those around it."""
        level: Memory | None = self
        while level is not None:
            yield level
            level = level.within

    def reservation(self, *, patient: bool = False) -> "Reservation":
        """For one reader, which may use it again and again. An answer that turns out larger than its reservation waits
        for room if it is `patient`, and is given up (NoRoom) if not.
        """
        return Reservation(self, self.turns, patient=patient)

    def count(self, size: int) -> None:
        """Change what is held, without a look at who waits."""
        for level in self.levels():
            level.held += size

    def hold(self, size: int) -> None:
        """That many bytes more are in flight."""
        self.count(size)

    def release(self, size: int) -> None:
        """That many bytes are settled; readers in line get their turn."""
        self.count(-size)
        self.turns.serve()

    def resize(self, limit: int) -> None:
        """Another bound from now on."""
        self.limit = limit
        self.turns.serve()

    def fits(self, size: int, own: int = 0) -> bool:
        """Whether so many bytes more are within this bound and those around it; `own` are those the reader has."""
        return all(level.held + size <= level.limit or level.held == own for level in self.levels())

    @property
    def smallest(self) -> int:
        """Of the bounds it is within, its own included."""
        return min(level.limit for level in self.levels())

    def full_for(self, reservation: "Reservation") -> bool:
        """Whether this bound alone holds up the first in its line."""
        return self.held > 0 and self.held + reservation.wanted > self.limit

    def exceeded(self) -> bool:
        """Whether this bound, or one around it, is passed."""
        return any(level.held > level.limit for level in self.levels())


class Reservation:
    """The bytes of one read, from before it begins until they are counted as what they became. A `poller.http.Room`."""

    __slots__ = ("_call", "_memory", "_patient", "_turns", "_wanted", "size", "urgent")

    def __init__(self, memory: Memory, turns: "Turns", *, patient: bool) -> None:
        self.size = 0
        """Bytes reserved; 0 before it is granted."""
        self.urgent = False
        """Whether it may pass the bound, as the only one in the process."""
        self._memory = memory
        self._turns = turns
        self._patient = patient
        self._wanted: Callable[[], int] | None = None
        self._call: Callable[[], None] = _nothing

    @property
    def queued(self) -> bool:
        """Whether it waits for its turn."""
        return self._wanted is not None

    def ask(self, wanted: Callable[[], int], call: Callable[[], None], *, urgent: bool = False) -> bool:
        """Whether it is granted. If not it is in line, and `call` is called once it is; `wanted` says how many bytes,
        each time it is looked at, and never 0.
        """
        if self.size:
            return True
        if self._wanted is not None and self.urgent == urgent:
            return False
        self.leave_queue()
        self.urgent = urgent
        self._wanted, self._call = wanted, call
        if not self._turns.any and self.grant(self.wanted):
            self._wanted = None
            return True
        self._wait(wanted, call)
        self._turns.serve(but=self)
        return self.size > 0

    def grow(self, size: int, go_on: Callable[[], None]) -> bool:
        """See `poller.http.Room`."""
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
        """The read is over, and so many bytes are held of it until they are let go."""
        self.leave_queue()
        reserved, self.size = self.size, 0
        self._memory.release(reserved - size)

    def settled(self) -> None:
        """Nothing that was read with it is held any more: if it passed the bound, another may."""
        if self._turns.exception is self and not self.size:
            self._turns.exception = None
            self._turns.serve()

    def close(self) -> None:
        """Nothing is read any more."""
        if self.size or self._wanted is not None:
            self.became(0)

    def grant(self, size: int) -> bool:
        """So many bytes more, if there is room or it may pass the bound."""
        memory, turns = self._memory, self._turns
        if not memory.fits(size, self.size):
            if not self.urgent or turns.exception not in (None, self):
                return False
            turns.exception = self
        self.size += size
        memory.count(size)
        return True

    @property
    def wanted(self) -> int:
        """Bytes it waits for. More than the bound are not reserved: an answer that is larger has to grow."""
        return 0 if self._wanted is None else min(self._wanted(), self._memory.smallest)

    def serve(self) -> bool:
        """Its turn: whether it was granted."""
        return self.grant(self.wanted)

    def leave_queue(self) -> None:
        """It waits no more."""
        if self._wanted is not None:
            self._wanted = None
            self._turns.leave(self, self._memory)

    def granted(self) -> Callable[[], None]:
        """It has left the line with what it wanted; who is to be called."""
        self.leave_queue()
        return self._call

    def above_the_bound(self) -> bool:
        """Whether a bound it counts in is passed."""
        return self._memory.exceeded()

    def _wait(self, wanted: Callable[[], int], call: Callable[[], None]) -> None:
        self._wanted, self._call = wanted, call
        self._turns.enter(self, self._memory)


class Turns:
    """Whose turn it is, in the whole process."""

    def __init__(self) -> None:
        self.exception: Reservation | None = None
        """The one that passed the bound, until what it brought is settled or no bound is passed any more."""
        self._urgent: dict[Reservation, None] = {}
        self._mappings: dict[Memory, None] = {}
        """With a line, in the order of their turns."""

    @property
    def any(self) -> bool:
        """Whether anybody waits."""
        return bool(self._urgent or self._mappings)

    def enter(self, reservation: Reservation, memory: Memory) -> None:
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
            return
        memory.queue.remove(reservation)
        if not memory.queue:
            del self._mappings[memory]

    def serve(self, but: Reservation | None = None) -> None:
        """Grant what there is room for; everyone is called but the one who asks just now."""
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
        """The first of each line, mappings taking turns; a mapping's own bound holds only its own line up."""
        calls = []
        waiting = deque(self._mappings)
        while waiting:
            memory = waiting.popleft()
            first = memory.queue[0]
            if first.serve():
                # behind the others, here and in later rounds
                del self._mappings[memory]
                self._mappings[memory] = None
                call = first.granted()
                if first is not but:
                    calls.append(call)
                if memory.queue:
                    waiting.append(memory)
            elif not memory.full_for(first):
                # the process's bound is reached: whoever has its turn now keeps it
                break
        return calls
