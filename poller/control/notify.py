"""What the service manager is told: systemd's notification protocol (sd_notify), without its library.

Decides when the daemon is announced as ready and when the watchdog is fed: by the tests behind `/readyz` and
`/healthz`. Without a NOTIFY_SOCKET everything here does nothing. Own code, since the protocol is a line in a datagram,
and the libraries for it neither take the variables away from child processes nor know reloading.
"""

import asyncio
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, MutableMapping

from poller import telemetry
from poller.control import health
from poller.runtime.daemon_status import DaemonStatus
from poller.runtime.status import MappingState

STARTUP_LOOK = 0.1
"""Seconds between two looks at readiness, for the few seconds of a start."""
LOOK = 10.0
"""Seconds between two looks at what the status line says, where no watchdog wants more."""
SEND_SECONDS = 0.25
"""How long a full queue of the service manager may hold us up; far from what makes the loop's lag unhealthy."""
UNHEALTHY_LOOKS = 8
"""Looks in half a watchdog's time while unhealthy: what is over in time must not cost the process its life."""


class Notifier:
    """Tells the service manager what state the process is in. One that cannot be told is logged once, no more."""

    def __init__(
        self, address: str | None, watchdog: float | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._address = "\0" + address[1:] if address and address.startswith("@") else address
        self.watchdog = watchdog
        """Seconds without a sign of life after which the process is killed; None where nobody watches."""
        self._monotonic = monotonic
        self._text: str | None = None
        self._told = True

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> "Notifier":
        """Read the service manager's variables and take them out of `environ`, so that no child speaks in our name."""
        address = environ.pop("NOTIFY_SOCKET", None)
        interval = environ.pop("WATCHDOG_USEC", "")
        meant = environ.pop("WATCHDOG_PID", str(os.getpid()))
        watched = address and interval.isdecimal() and int(interval) > 0 and meant == str(os.getpid())
        return cls(address, int(interval) / 1e6 if watched else None)

    @property
    def active(self) -> bool:
        """Whether anybody is told."""
        return bool(self._address)

    def ready(self, text: str) -> None:
        """Say that the start, or a reload, is over."""
        self._text = text
        self._send("READY=1", f"STATUS={_line(text)}")

    def reloading(self) -> None:
        """Say that a reload begins; `ready` ends it. Its time is what tells a later `ready` from an earlier one."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={int(self._monotonic() * 1e6)}")

    def stopping(self, text: str) -> None:
        """Say that the process is on its way out."""
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
    """Announce readiness once, then feed the watchdog and keep the status line true, until cancelled."""
    if not notifier.active:
        return
    await _until_ready(status, notifier)
    loop = asyncio.get_running_loop()
    was_healthy = True
    half = LOOK if notifier.watchdog is None else notifier.watchdog / 2
    while True:
        problems = health.problems(status, loop.time())
        if not problems:
            notifier.alive()
            notifier.status(summary(status))
        elif was_healthy:
            # once: the seconds in it grow with each look
            notifier.status(f"unhealthy: {problems[0]}")
        was_healthy = not problems
        await asyncio.sleep(half / UNHEALTHY_LOOKS if problems else half)


async def _until_ready(status: DaemonStatus, notifier: Notifier) -> None:
    loop = asyncio.get_running_loop()
    while not health.is_ready(status, loop.time()):  # noqa: ASYNC110  (mappings only set attributes; nobody notifies)
        await asyncio.sleep(STARTUP_LOOK)
    notifier.ready(summary(status))
    telemetry.logger().info("ready")


def summary(status: DaemonStatus) -> str:
    """Say in one line how the mappings are, troubles by name: `2 mappings: 1 running, 1 problem (a: error)`."""
    if not status.mappings:
        return "no mappings"
    counted = Counter(mapping.state for mapping in status.mappings)
    parts = [f"{counted[state]} {state}" for state in MappingState if counted[state]]
    troubled = [
        f"{mapping.name}: {mapping.reason.code}"
        for mapping in status.mappings
        if mapping.state is MappingState.PROBLEM and mapping.reason is not None
    ]
    word = "mapping" if len(status.mappings) == 1 else "mappings"
    return f"{len(status.mappings)} {word}: {', '.join(parts)}" + (f" ({', '.join(troubled)})" if troubled else "")


def _line(text: str) -> str:
    """Without line ends, since they separate the assignments of a message."""
    return " ".join(text.split())
