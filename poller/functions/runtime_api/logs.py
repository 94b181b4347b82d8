"""What a worker writes, as log lines: bounded, in order, with the invocation they belong to."""

import asyncio
import os
from collections import deque
from collections.abc import Callable

LONGEST_LINE = 8192
"""Bytes of a line; the rest of it is left out."""
TAIL_BYTES = 4096
"""Kept for the last failure: what the Invoke API gives as `Tail`."""
READ_BYTES = 65536
DRAIN_READS = 16
"""Most reads at once, so that a function which writes without end has nobody waiting: the pipe makes it wait."""


class LogPipe:
    """The reading end of a worker's stdout and stderr, which share one pipe so that their order is kept."""

    def __init__(self, write: Callable[[str], None]) -> None:
        """`write` takes each line."""
        self._write = write
        self._fd, self.inlet = os.pipe()
        os.set_blocking(self._fd, False)
        self._held = b""
        self._skipping = False
        self._tail: deque[str] = deque()
        self._tail_size = 0
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._read)

    def opened(self) -> None:
        """The worker has its end."""
        os.close(self.inlet)

    @property
    def tail(self) -> str:
        """The last lines since `forget`."""
        return "\n".join(self._tail)

    def forget(self) -> None:
        """The tail is another invocation's from here on."""
        self._tail.clear()
        self._tail_size = 0

    def drain(self) -> None:
        """Read what has been written so far: what belongs to an invocation that is just ending."""
        for _ in range(DRAIN_READS):
            if not self._read():
                return

    def close(self) -> None:
        """Read what is left. Somebody may still hold the other end; nobody hears them any more."""
        self.drain()
        if self._held and not self._skipping:
            self._line(self._held)
        self._loop.remove_reader(self._fd)
        os.close(self._fd)

    def _read(self) -> bool:
        """Whether there was anything."""
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._loop.remove_reader(self._fd)
            return False
        *lines, rest = data.split(b"\n")
        for line in lines:
            whole, self._held = self._held + line, b""
            if not self._skipping:
                self._line(whole)
            self._skipping = False
        self._held += rest
        if len(self._held) > LONGEST_LINE:
            if not self._skipping:
                self._line(self._held)
            self._held, self._skipping = b"", True
        return True

    def _line(self, line: bytes) -> None:
        text = line[:LONGEST_LINE].decode("utf-8", "replace").rstrip("\r")
        if len(line) > LONGEST_LINE:
            text += " …"
        if not text.strip():
            return
        self._tail.append(text)
        self._tail_size += len(text)
        while self._tail_size > TAIL_BYTES and len(self._tail) > 1:
            self._tail_size -= len(self._tail.popleft())
        self._write(text)
