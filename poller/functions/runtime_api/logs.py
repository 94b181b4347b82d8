"""Turns the output of a worker into log lines: in order, each with its invocation, and bounded.

A worker and its child processes may write without end. So no step here handles everything that was written: a step logs
`STEP_BYTES`, lines over the allowance are counted and left out, and a pipe that fills faster makes its writer wait.
"""

import asyncio
import os
from collections import deque
from typing import Protocol

from poller.functions.runtime_api.allowance import LINE_COST, LogAllowance

LONGEST_LINE = 8192
"""Most bytes of a line; the rest of it is left out."""
TAIL_BYTES = 4096
"""Bytes kept for the last failure: as many as the Invoke API gives as `Tail`."""
READ_BYTES = 65536
"""Bytes of one read and of one `drain`. A pipe holds no more, so this reads all that an invocation wrote before its
end."""
STEP_BYTES = 4096
"""Bytes logged in one step of the loop. By `LINE_COST`, that is one or two milliseconds of work."""
BACKLOG_BYTES = 262_144
"""Most bytes read and not yet logged. Beyond that, lines of short invocations that write much are left out."""
CLOSING_BYTES = 65536
"""Bytes logged at once when the worker has ended; the rest is left out."""
DRAIN_READS = 16
"""Most reads of one `drain`. One is enough, unless a child process goes on writing."""
READ_AGAIN_SECONDS = 0.01
"""Seconds of pause after a full read or lines over the allowance: a writer without end is read at about 6 MB/s."""
NOTICE_SECONDS = 1.0
"""Seconds between two notices of how much was left out."""
CLIENTS_WARNING = b"LAMBDA_WARNING: Unhandled exception."
"""The beginning of a paragraph that awslambdaric writes above each error of the function's start. It is about updates
of Lambda's managed runtimes, which do not exist here."""


class Listener(Protocol):
    """Logs the lines."""

    def line(self, label: str | None, text: str) -> None:
        """One line, with the pipe's `label` at the time when it was read."""
        ...

    def left_out(self, lines: int, size: int) -> None:
        """Lines, and bytes, that were not logged since the last notice."""
        ...


class LogPipe:
    """The reading end of a worker's stdout and stderr, which share one pipe so that their order is kept."""

    def __init__(self, listener: Listener, allowance: LogAllowance) -> None:
        """Call it inside the running loop."""
        self.label: str | None = None
        """The invocation that lines belong to from now on."""
        self._listener = listener
        self._allowance = allowance
        self._fd, self.inlet = os.pipe()
        os.set_blocking(self._fd, False)
        self._chunks: deque[tuple[str | None, bytes]] = deque()
        self._size = 0
        self._held = b""
        """The beginning of a line whose end has not been read."""
        self._skipping = False
        """Whether the rest of that line is left out."""
        self._recent = b""
        self._cut = False
        self.omitted = [0, 0]
        """Lines and bytes that were left out since the last notice."""
        self._notice: asyncio.TimerHandle | None = None
        self._resume: asyncio.TimerHandle | None = None
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._readable)

    def opened(self) -> None:
        """The worker holds its end of the pipe."""
        os.close(self.inlet)

    @property
    def tail(self) -> str:
        """The last lines since `forget`."""
        recent = self._recent.partition(b"\n")[2] if self._cut and b"\n" in self._recent else self._recent
        return "\n".join(text for line in recent.split(b"\n") if (text := _text(line)))

    def forget(self) -> None:
        """Begin the tail of another invocation."""
        self._recent, self._cut = b"", False

    def drain(self) -> None:
        """Read everything that was written so far, for an invocation that is just ending."""
        size = 0
        for _ in range(DRAIN_READS):
            read = self._read()
            size += read
            if not read or size >= READ_BYTES:
                break
        self._log(STEP_BYTES)
        if self._chunks:
            self._pause(0.0)

    def close(self) -> None:
        """Read the rest. Another process may still hold the other end; its lines are lost."""
        self.drain()
        self._closed = True
        self._chunks.append((self.label, b"\n"))
        self._log(CLOSING_BYTES)
        self._omit_backlog()
        for handle in (self._resume, self._notice):
            if handle is not None:
                handle.cancel()
        self._tell_left_out()
        self._loop.remove_reader(self._fd)
        os.close(self._fd)

    # reading

    def _readable(self) -> None:
        full = self._read() == READ_BYTES
        self._log(STEP_BYTES)
        if self._chunks:
            # log the rest step by step, and read nothing meanwhile
            self._pause(0.0)
        elif full or self._notice is not None:
            self._pause(READ_AGAIN_SECONDS)

    def _read(self) -> int:
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return 0
        if not data:
            self._loop.remove_reader(self._fd)
            return 0
        # Lambda's client for Python ends the lines of a traceback so, and a progress bar writes over itself
        lines = data.replace(b"\r", b"\n")
        self._recent += lines
        if len(self._recent) > TAIL_BYTES:
            self._recent, self._cut = self._recent[-TAIL_BYTES:], True
        if self._size + len(lines) > BACKLOG_BYTES:
            self._omit_backlog()
        self._chunks.append((self.label, lines))
        self._size += len(lines)
        return len(data)

    def _pause(self, seconds: float) -> None:
        if self._resume is None and not self._closed:
            self._loop.remove_reader(self._fd)
            self._resume = self._loop.call_later(seconds, self._read_on)

    def _read_on(self) -> None:
        self._resume = None
        self._log(STEP_BYTES)
        if self._chunks:
            self._pause(0.0)
        else:
            self._loop.add_reader(self._fd, self._readable)

    # logging

    def _log(self, most: int) -> None:
        """Log lines until they have cost `most`."""
        spent = 0
        while self._chunks and spent < most:
            label, data = self._chunks.popleft()
            begin = 0
            while spent < most and (end := data.find(b"\n", begin)) >= 0:
                line, begin = data[begin:end], end + 1
                cost = self._whole(label, line)
                if cost is None:
                    self._omit(data[begin:])
                    self._size -= len(data)
                    self._omit_backlog()
                    return
                spent += cost
            rest = data[begin:]
            self._size -= begin
            if b"\n" in rest:
                self._chunks.appendleft((label, rest))
            else:
                self._size -= len(rest)
                spent += self._begun(label, rest)

    def _whole(self, label: str | None, line: bytes) -> int | None:
        """End a line. Returns its cost; None when it was over the allowance."""
        line, self._held = self._held + line, b""
        if self._skipping:
            self._skipping = False
            return 1
        return self._line(label, line)

    def _begun(self, label: str | None, rest: bytes) -> int:
        self._held += rest
        if len(self._held) <= LONGEST_LINE:
            return 1
        line, self._held = self._held, b""
        if self._skipping:
            return 1
        cost = self._line(label, line) or LINE_COST
        self._skipping = True
        return cost

    def _line(self, label: str | None, line: bytes) -> int | None:
        text = _text(line)
        if not text:
            return 1
        cost = min(len(line), LONGEST_LINE) + LINE_COST
        if not self._allowance.take(cost, self._loop.time()):
            self._omit(line + b"\n")
            return None
        self._listener.line(label, text)
        return cost

    def _omit_backlog(self) -> None:
        while self._chunks:
            self._omit(self._chunks.popleft()[1])
        self._size = 0

    def _omit(self, data: bytes) -> None:
        """Leave bytes out, with the line that they end and the one that they begin."""
        if not data:
            return
        self.omitted[0] += data.count(b"\n")
        self.omitted[1] += len(data)
        self._held, self._skipping = b"", not data.endswith(b"\n")
        if self._notice is None and not self._closed:
            self._notice = self._loop.call_later(NOTICE_SECONDS, self._tell_left_out)

    def _tell_left_out(self) -> None:
        self._notice = None
        lines, size = self.omitted
        if size:
            self.omitted = [0, 0]
            self._listener.left_out(lines, size)


def _text(line: bytes) -> str:
    """The text as it is logged; empty where it is no line."""
    if CLIENTS_WARNING in line:
        return ""
    text = line[:LONGEST_LINE].decode("utf-8", "replace")
    if not text.strip():
        return ""
    return f"{text} …" if len(line) > LONGEST_LINE else text
