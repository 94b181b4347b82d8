"""How many bytes, and how many records, the next page of one shard may have.

A page is asked for in the size that fits its shard's share of the mapping's bound, by the size that records had lately,
and so many bytes are reserved before the read. An answer that is larger all the same takes more room where there is
some; else it is given up, and the next read asks for fewer records, down to one.
"""

from collections.abc import Callable

from poller.sources.sharded.stream import Stream

SMALLEST = 4096
"""Bytes reserved at least: a page without records."""
MARGIN = 1.25
"""Times the size of the largest of the last pages: how much is reserved for the next."""
FORGET = 0.8
"""By how much with each page the largest one counts less."""


class PageRoom:
    """One shard's; a page at a time."""

    def __init__(self, stream: Stream, call: Callable[[], None], *, pushed: bool) -> None:
        """`call` is called once the bytes waited for are reserved. Of pages that are `pushed` nobody says how large
        they may be, and the first may be long in coming.
        """
        self.reserved = stream.admission.memory.reservation()
        self._stream = stream
        self._call = call
        self._pushed = pushed
        self._asked = 1
        self._lately = float(SMALLEST) if pushed else None
        """Bytes of the largest of the last pages; None before the first."""
        self._record: float | None = None
        """Bytes of a record of the last pages, where they were largest on average."""
        self._needed = 0
        """Bytes of a page that was given up and cannot be asked for in parts."""

    @property
    def wanted(self) -> int:
        """Bytes to reserve for the next page."""
        if self._needed:
            return self._needed
        most = self._most()
        if self._lately is not None:
            most = min(most, int(self._lately * MARGIN) + SMALLEST)
        return most

    def _most(self) -> int:
        """Bytes of a page that leave its shard room for another; one record in any case."""
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
        """A page came: so many bytes, or what they take here if that is more."""
        self._needed = 0
        self._lately = max(float(size), (self._lately or 0.0) * FORGET)
        if records:
            self._record = max(size / records, (self._record or 0.0) * FORGET)
            self._stream.record_bytes = self._record

    def given_up(self, size: int) -> None:
        """A page of so many bytes had no room."""
        if self._pushed or self._asked == 1:
            self._needed = size
        else:
            # it had at most as many records as it was asked for
            self._record = max(self._record_size() or 0.0, size / self._asked)
            self._lately = None

    def close(self) -> None:
        """Nothing is read now."""
        self.reserved.close()
