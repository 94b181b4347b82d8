"""Notifies the service manager: systemd's protocol (sd_notify), without its library.

Decides what is said and when the watchdog is fed: while the test behind `/healthz` passes. The daemon knows when it is
ready. Without a NOTIFY_SOCKET everything here does nothing. Own code, since the protocol is a line in a datagram, and
the libraries for it neither take the variables away from child processes nor know reloading.
"""

import asyncio
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, MutableMapping

from poller.daemon.api import health
from poller.daemon.api.isolation import Isolation
from poller.daemon.api.shown_reasons import mapping_reason, state_of
from poller.ports.daemon_status import DaemonStatus
from poller.ports.status import MappingState, MappingStatus, Reason
from poller.support import telemetry
from poller.support.printable import printable
from poller.values.errors import capped

LOOK = 10.0
"""Seconds between two updates of the status line, if no watchdog needs more."""
SEND_SECONDS = 0.25
"""Seconds for which a full queue of the service manager may block the loop; far below the limit of its lag."""
NEED_ATTENTION = (MappingState.PROBLEM, MappingState.DEGRADED)
NAMED = 20
"""Most mappings with a problem that the status line names."""
UNHEALTHY_LOOKS = 8
"""Looks per half of a watchdog's time while unhealthy: a problem that passes in time must not cost the process its
life."""


class Notifier:
    """Tells the service manager the state of the process. A failure to reach it is logged once."""

    def __init__(
        self, address: str | None, watchdog: float | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._address = "\0" + address[1:] if address and address.startswith("@") else address
        self.watchdog = watchdog
        """Seconds without a sign of life after which the process is killed; None where no watchdog runs."""
        self._monotonic = monotonic
        self._text: str | None = None
        self._ready = False
        self._told = True

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> "Notifier":
        """Read the service manager's variables and remove them from `environ`, so that no child speaks in the daemon's
        name.
        """
        address = environ.pop("NOTIFY_SOCKET", None)
        interval = environ.pop("WATCHDOG_USEC", "")
        meant = environ.pop("WATCHDOG_PID", str(os.getpid()))
        watched = address and interval.isdecimal() and int(interval) > 0 and meant == str(os.getpid())
        return cls(address, int(interval) / 1e6 if watched else None)

    @property
    def active(self) -> bool:
        """Whether there is a service manager."""
        return bool(self._address)

    def ready(self, text: str) -> None:
        """Tell that the start is over."""
        self._ready = True
        self._text = text
        self._send("READY=1", f"STATUS={_line(text)}")

    def reloading(self) -> None:
        """Tell that a reload begins. Its time distinguishes its end from that of an earlier reload."""
        if self._ready:
            self._send("RELOADING=1", f"MONOTONIC_USEC={int(self._monotonic() * 1e6)}")

    def reloaded(self, text: str) -> None:
        """Tell that the reload is over, accepted or refused. During the start nothing is sent, because READY=1 would
        end it.
        """
        if self._ready:
            self.ready(text)

    def stopping(self, text: str) -> None:
        """Tell that the process is about to end."""
        self._text = text
        self._send("STOPPING=1", f"STATUS={_line(text)}")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Show `text` in `systemctl status`; nothing is sent while it stays the same."""
        if text != self._text:
            self._text = text
            self._send(f"STATUS={_line(text)}")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(SEND_SECONDS)
                sender.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            if self._told:
                telemetry.logger().warning("service_manager_not_told", message=lines[0], problem=str(error))
            self._told = False
        else:
            self._told = True


async def report(status: DaemonStatus, notifier: Notifier) -> None:
    """Feed the watchdog and keep the status line true, until cancelled."""
    if not notifier.active:
        return
    loop = asyncio.get_running_loop()
    half = LOOK if notifier.watchdog is None else notifier.watchdog / 2
    was_healthy = True
    while True:
        problems = health.problems(status, loop.time())
        if not problems:
            notifier.alive()
            notifier.status(summary(status, loop.time()))
        elif was_healthy:
            # once, because the seconds in the text grow with each look
            notifier.status(f"unhealthy: {problems[0]}")
        was_healthy = not problems
        await asyncio.sleep(half / UNHEALTHY_LOOKS if problems else half)


def summary(status: DaemonStatus, now: float) -> str:
    """Describe all mappings in one line, problems by name: `2 mappings: 1 running, 1 problem (a: error)`. `now` is the
    loop's time.
    """
    isolation = Isolation()
    stands = [(mapping, *_stand_of(mapping, now, isolation)) for mapping in status.mappings]
    counted = Counter(state for _, state, _ in stands)
    word = "mapping" if len(stands) == 1 else "mappings"
    parts = ", ".join(f"{counted[state]} {state}" for state in MappingState if counted[state])
    text = f"{len(stands)} {word}: {parts}" if parts else "no mappings"
    named = [
        f"{mapping.name}: {reason.code}" for mapping, state, reason in stands if state in NEED_ATTENTION and reason
    ]
    if named:
        text += f" ({', '.join(capped(named, NAMED))})"
    if status.configuration is not None and status.configuration.problems:
        text += f"; the changed configuration is refused: {status.configuration.problems[0]}"
    return text


def _stand_of(mapping: MappingStatus, now: float, isolation: Isolation) -> tuple[MappingState, Reason | None]:
    """The state and reason of one mapping."""

    def told() -> tuple[MappingState, Reason | None]:
        reason = mapping_reason(mapping, now)
        return state_of(mapping, reason), reason

    return isolation.ask(mapping, told, lambda _problem: (mapping.state, None))


def _line(text: str) -> str:
    """The text on one line, because line ends separate the assignments of a message."""
    return printable(" ".join(text.split()))
