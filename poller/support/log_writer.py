"""Writes lines to a stream from a thread of its own, so that a reader who stands still delays nobody.

Lines wait in a bounded buffer. Lines that come while it is full are left out and counted, and the count is told once
lines go through again. The thread is a daemon thread, since only the process's end can end a write that hangs.
"""

import io
import os
import select
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import TextIO

MOST_BYTES = 4 * 1024 * 1024
"""Most bytes held for a slow reader: about ten thousand lines."""
LEFT_OUT_EVERY = 10.0
"""Seconds between two notices of lines left out, where only some lines get through."""


class LogWriter:
    """One writer per stream. Any thread may write."""

    def __init__(self, stream: TextIO, tell_left_out: Callable[[int], None] = lambda _: None) -> None:
        """`tell_left_out` is called, in the writer's thread, with the number of lines that were left out."""
        self.stream = stream
        self._tell_left_out = tell_left_out
        self._lines: SimpleQueue[tuple[str, int] | threading.Event] = SimpleQueue()
        # a collected object may log while a line is handed over
        self._lock = threading.RLock()
        self._taken_in = 0
        self._written = 0
        self._left_out = 0
        self._told = -LEFT_OUT_EVERY
        self._thread: threading.Thread | None = None

    def write(self, line: str) -> None:
        """Hand over a line without its line end. Never waits and never raises."""
        size = len(line)
        with self._lock:
            if self._taken_in - self._written + size > MOST_BYTES:
                self._left_out += 1
                return
            self._taken_in += size
            self._lines.put((line, size))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="log", daemon=True)
                self._thread.start()

    def flush(self, seconds: float) -> bool:
        """Wait until everything handed over is written, at most `seconds`. False where it is not."""
        if self._thread is None:
            return True
        through = threading.Event()
        self._lines.put(through)
        return through.wait(seconds)

    def _work(self) -> None:
        went_through = True
        while True:
            given = self._lines.get()
            if isinstance(given, threading.Event):
                # a flush behind the last line would otherwise keep its count for the next line
                if went_through and self._left_out and self._tell():
                    self._lines.put(given)
                else:
                    given.set()
                continue
            line, size = given
            went_through = _write(self.stream, line + "\n")
            with self._lock:
                self._written += size
                self._left_out += not went_through
            if went_through and self._left_out:
                self._tell()

    def _tell(self) -> bool:
        """Hand the number over; False where that was done a moment ago and more lines wait."""
        now = time.monotonic()
        if now - self._told < LEFT_OUT_EVERY and not self._lines.empty():
            return False
        with self._lock:
            count, self._left_out = self._left_out, 0
        self._told = now
        self._tell_left_out(count)
        return True


def _write(stream: TextIO, text: str) -> bool:
    """Whether everything was written: a pipe may be closed, and a disk full."""
    try:
        try:
            file = stream.fileno()
        except io.UnsupportedOperation:
            stream.write(text)
            stream.flush()
            return True
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        # not through the stream's buffer, whose lock would keep the interpreter from its end while this hangs
        while data:
            try:
                data = data[os.write(file, data) :]
            except BlockingIOError:
                # another process that shares the other end has made it non-blocking
                select.select([], [file], [])
    except (OSError, ValueError):
        return False
    return True
