"""Speaks to the service manager: systemd's protocol (sd_notify), without its library.

Without a NOTIFY_SOCKET everything here does nothing. Own code, since the protocol is a line in a datagram, and the
libraries for it neither take the variables away from child processes nor know reloading.
"""

import os
import socket
import time
from collections.abc import Callable, MutableMapping
from typing import Self

from poller.support.printable import printable

SEND_SECONDS = 0.25
"""Seconds for which a full queue of the service manager may block the loop; far below the limit of its lag."""


class ServiceManager:
    """The service manager around the process."""

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
    def of(cls, environ: MutableMapping[str, str]) -> Self:
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
                self._not_told(lines[0], str(error))
            self._told = False
        else:
            self._told = True

    def _not_told(self, message: str, problem: str) -> None:
        """It could not be reached. Called once, until it can be again."""


def _line(text: str) -> str:
    """The text on one line, because line ends separate the assignments of a message."""
    return printable(" ".join(text.split()))
