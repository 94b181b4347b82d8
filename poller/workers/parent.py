"""The parent's loop: starts workers, starts those again that die, carries messages between them, and ends with them.

    signal        soft stop: all workers are told; the second one makes it hard. SIGHUP: all are told to reload
    worker dies   before it was ever ready, by an exit code: the daemon ends with that code, as one process would
                  else the others are told, which take its shards over at once, and it is started again with back-off
    silence       a worker that gives no sign of life is killed, and so dies
    the end       once every worker has ended; the code is 0, or that of the worker that ended worst

The loop waits for signals, packets and the next due time, in one place. The HTTP server has threads of its own, which
only read what the loop writes.
"""

import contextlib
import os
import random
import selectors
import signal
import socket
import time
from collections import deque
from math import inf
from typing import TYPE_CHECKING

from poller.support.service_manager import ServiceManager
from poller.workers.channel import Packet
from poller.workers.child import Child
from poller.workers.log import Log
from poller.workers.spec import ParentSpec

if TYPE_CHECKING:
    from collections.abc import Callable

SIGN_SECONDS = 30.0
"""A worker without a sign of life for so long is killed; half of the service manager's time where that is less."""
STOPS = (signal.SIGTERM, signal.SIGINT)
ENDED_BADLY = 70
"""The exit code where a worker had to be killed."""
MOST_ENDED = 100
"""Dead processes that a new worker is told of; the leases of others have long ended."""
STACKS_SECONDS = 2.0
"""For a hung worker to print the stacks of its threads."""
BEYOND_SECONDS = 2.0
"""After the time in which a worker ends by itself."""


class Parent:
    """Runs until every worker has ended."""

    def __init__(self, spec: ParentSpec, log: Log) -> None:
        self._spec = spec
        self._log = log
        self._manager = ServiceManager.of(os.environ)
        watchdog = self._manager.watchdog
        sign = SIGN_SECONDS if watchdog is None else min(SIGN_SECONDS, watchdog / 2)
        self.children = [Child(number, spec.workers, spec.arguments, sign) for number in range(1, spec.workers + 1)]
        self._selector = selectors.DefaultSelector()
        self._signals: list[int] = []
        self.was_ready = False
        """Whether every worker has been ready."""
        self.serve: Callable[[socket.socket], None] = socket.socket.close
        self.stopping = False
        self._hard = self._reloading = False
        self._ended: deque[str] = deque(maxlen=MOST_ENDED)
        """Names of processes that have ended, the latest last."""
        self._kill_at = inf
        self._code = 0
        self._next_feed = inf if watchdog is None else 0.0

    def run(self) -> int:
        """Returns the exit code. Raises OSError where no process can be started."""
        self._listen_to_signals()
        self._log("info", "workers_started", workers=self._spec.workers)
        for child in self.children:
            self._start(child)
        while not (self.stopping and not any(child.runs for child in self.children)):
            now = time.monotonic()
            for key, _ in self._selector.select(max(0.0, self._due(now) - now)):
                if isinstance(key.data, Child):
                    self._hear(key.data)
                else:
                    self._drain(key.data)
            self._handle_signals()
            self._look(time.monotonic())
        self._log("info", "workers_stopped", code=self._code)
        return self._code

    def _due(self, now: float) -> float:
        """When to look again without a message."""
        times = [self._next_feed, self._kill_at]
        starts = () if self.stopping else self.children
        times += [child.ends_by for child in self.children if child.runs]
        times += [child.start_again_at for child in starts if not child.runs]
        due = min(times)
        return due if due < inf else now + 3600

    # signals

    def _listen_to_signals(self) -> None:
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        self._selector.register(ours, selectors.EVENT_READ, ours)
        self._waker = theirs
        signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        for number in (*STOPS, signal.SIGHUP):
            signal.signal(number, lambda got, _: self._signals.append(got))
        # a handler is needed for the wake-up
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (*STOPS, signal.SIGHUP))

    def _drain(self, ours: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while ours.recv(4096):
                pass

    def _handle_signals(self) -> None:
        while self._signals:
            number = signal.Signals(self._signals.pop(0))
            if number in STOPS:
                self.stop(number.name, hard=self.stopping)
            elif not self.stopping:
                self._log("info", "reload_requested", by=number.name)
                self._tell({"reload": number.name})

    def stop(self, by: str, *, hard: bool) -> None:
        """Stop all workers: they end by themselves in the time that one daemon would need."""
        if self._hard:
            return
        self.stopping, self._hard = True, hard
        self._log("info", "stop_requested", by=by, kind="hard" if hard else "soft")
        self._manager.stopping("running invocations end")
        self._tell({"stop": by, "hard": hard})
        grace = 0.0 if hard else self._spec.grace_seconds
        self._kill_at = time.monotonic() + grace + self._spec.stop_seconds + BEYOND_SECONDS

    # workers

    def _tell(self, packet: Packet, *, but: Child | None = None) -> None:
        for child in self.children:
            if child is not but and child.channel is not None:
                child.channel.send(packet)

    def _start(self, child: Child) -> None:
        child.start(time.monotonic())
        assert child.process is not None
        assert child.channel is not None
        self._selector.register(child.channel.end, selectors.EVENT_READ, child)
        self._log("info", "worker_started", worker=child.number, pid=child.process.pid)

    def _hear(self, child: Child) -> None:
        received = None if child.channel is None else child.channel.receive()
        if received is None:
            # its process has ended, or is about to: `_look` sees to that
            if child.channel is not None and child.channel.end in self._selector.get_map():
                self._selector.unregister(child.channel.end)
            return
        packet, connection = received
        if connection is not None:
            self._carry(packet, connection)
            return
        match packet:
            case {"notify": list(lines)}:
                child.heard(lines, time.monotonic())
                self._after_notice(lines)
            case {"serving": True}:
                self._serves(child)
            case {"call": str(uuid)}:
                self._tell({"called": uuid}, but=child)
            case {"stored": True}:
                self._tell({"look": True}, but=child)

    def _carry(self, packet: Packet, connection: socket.socket) -> None:
        """Requests of a worker."""
        to = packet.get("to")
        if to is None:
            self.serve(connection)
            return
        other = self.children[to - 1]
        if other.channel is not None and other.serving:
            other.channel.send({}, connection)
        # where nobody took it, its end tells the worker
        connection.close()

    def _after_notice(self, lines: list[str]) -> None:
        if not {"READY=1", "STOPPING=1"}.isdisjoint(lines):
            self._tell_who_lives()
        if any(line.startswith("RELOADING=") for line in lines):
            self._reloading = True
            self._manager.reloading()
        self._tell_manager()

    def _serves(self, child: Child) -> None:
        """It has opened the store, and takes connections."""
        child.serving = True
        assert child.channel is not None
        for name in self._ended:
            # those that nobody was there to hear of
            child.channel.send({"ended": name})

    def _tell_manager(self) -> None:
        if self.stopping:
            return
        text = self.text()
        if not self.was_ready and all(child.was_ready for child in self.children):
            self.was_ready = True
            self._log("info", "ready")
            self._manager.ready(text)
        elif self._reloading and not any(child.reloading for child in self.children):
            self._reloading = False
            self._manager.reloaded(text)
        else:
            self._manager.status(text)

    def text(self) -> str:
        """All workers in one line."""
        return "; ".join(f"worker {child.number}: {child.text}" for child in self.children)

    def _tell_who_lives(self) -> None:
        self._tell({"live": [child.number for child in self.children if child.ready]})

    def _look(self, now: float) -> None:
        """Do what is due: deaths, starts, silence, the watchdog."""
        for child in self.children:
            if (code := child.has_ended()) is not None:
                self._bury(child, code, now)
            elif child.runs and now >= child.ends_by:
                self._end_hung(child, now)
            elif not (child.runs or self.stopping) and now >= child.start_again_at:
                self._start(child)
        self._reap_strangers()
        if now >= self._kill_at:
            self._kill_at = inf
            for child in self.children:
                child.kill()
        if now >= self._next_feed:
            assert self._manager.watchdog is not None
            self._manager.alive()
            self._next_feed = now + self._manager.watchdog / 2

    def _end_hung(self, child: Child, now: float) -> None:
        """Kill it, where Python prints stacks at an abort not before it had the time for that."""
        if child.hung or not os.environ.get("PYTHONFAULTHANDLER"):
            child.kill()
            child.ends_by = inf
        else:
            assert child.process is not None
            child.process.send_signal(signal.SIGABRT)
            child.ends_by = now + STACKS_SECONDS
        if not child.hung:
            child.hung = True
            self._log("error", "worker_hung", worker=child.number, seconds=child.sign_seconds)

    def _reap_strangers(self) -> None:
        """As process 1 of a container, the parent of what a killed worker's functions left."""
        own = {child.process.pid for child in self.children if child.process is not None}
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and found.si_pid not in own:
                os.waitpid(found.si_pid, 0)

    def _bury(self, child: Child, code: int, now: float) -> None:
        if child.channel is not None and child.channel.end in self._selector.get_map():
            self._selector.unregister(child.channel.end)
        first = not self.was_ready and not child.was_ready
        name = child.name
        child.ended(now, random.random())  # noqa: S311  (jitter)
        # whatever it held goes on elsewhere: its process is certainly gone
        self._ended.append(name)
        self._tell({"ended": name})
        self._tell_who_lives()
        if self.stopping:
            self._code = max(self._code, code if code >= 0 else ENDED_BADLY)
            return
        self._log(
            "error", "worker_ended", worker=child.number, code=code, starts_in=round(child.start_again_at - now, 1)
        )
        if first and code > 0:
            # wrong input, or an environment in which none can run: the worker has said which
            self._code = code
            self.stop(f"worker {child.number}", hard=True)
        self._tell_manager()
