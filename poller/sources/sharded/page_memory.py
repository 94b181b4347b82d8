"""How many bytes, and how many records, the next page of one shard may have.

A page is requested in the size that fits the shard's share of the mapping's memory bound, by the size of recent
records, and its bytes are reserved before the read. A larger answer takes more memory if there is some; else it is
discarded, and the next read requests fewer records, down to one.
"""

from collections.abc import Callable

from poller.sources.sharded.stream import Stream

SMALLEST = 4096
"""Fewest bytes reserved: those of a page without records."""
MARGIN = 1.25
"""Factor over the size of the largest recent page, to reserve memory for the next."""
FORGET = 0.8
"""Factor by which the largest size decays with each page."""


class PageMemory:
    """Memory for one page of one shard at a time."""

    def __init__(self, stream: Stream, call: Callable[[], None], *, pushed: bool) -> None:
        """`call` is called once the requested bytes are reserved. For `pushed` pages the service names no largest size,
        and the first may take long to arrive.
        """
        self.reserved = stream.admission.memory.reservation()
        self._stream = stream
        self._call = call
        self._pushed = pushed
        self._asked = 1
        self._largest = float(SMALLEST) if pushed else None
        """Bytes of the largest recent page; None before the first."""
        self._record: float | None = None
        """Largest average size of a record of the recent pages, in bytes."""
        self._needed = 0
        """Bytes of a page that was discarded and cannot be requested in parts."""

    @property
    def wanted(self) -> int:
        """Bytes to reserve for the next page."""
        if self._needed:
            return self._needed
        most = self._most()
        if self._largest is not None:
            most = min(most, int(self._largest * MARGIN) + SMALLEST)
        return most

    def _most(self) -> int:
        """Most bytes of a page that leave room for another page of the shard; at least one record."""
        largest, record = self._stream.api.largest_page, self._record_size()
        if record is None:
            return largest
        return min(largest, max(SMALLEST, self._stream.read_ahead // 2, int(record * MARGIN)))

    def _record_size(self) -> float | None:
        return self._record or self._stream.record_bytes

    def reserve(self, *, urgent: bool) -> bool:
        """Whether the page may be read now."""
        return self.reserved.ask(lambda: self.wanted, self._call, urgent=urgent)

    def records(self, most: int) -> int:
        """The Limit of the next read."""
        record = self._record_size()
        self._asked = most if record is None else max(1, min(most, int(self._most() / record)))
        return self._asked

    def note(self, size: int, records: int) -> None:
        """A page arrived; `size` is the larger of its bytes and the memory that its records take."""
        self._needed = 0
        self._largest = max(float(size), (self._largest or 0.0) * FORGET)
        if records:
            self._record = max(size / records, (self._record or 0.0) * FORGET)
            self._stream.record_bytes = self._record

    def given_up(self, size: int) -> None:
        """A page of so many bytes was discarded: there was no memory for it."""
        if self._pushed or self._asked == 1:
            self._needed = size
        else:
            # it had at most the requested number of records
            self._record = max(self._record_size() or 0.0, size / self._asked)
            self._largest = None

    def close(self) -> None:
        """Free the reservation: nothing is read now."""
        self.reserved.close()
