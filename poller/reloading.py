"""Reloads: the configuration is read anew when somebody asks for it or its files change, one reload after the other.

A refused configuration changes nothing. One that cannot be read in time, since its file system hangs, is refused too,
and read again once that answers.
"""

import asyncio
import time
from collections.abc import Callable

from poller import telemetry
from poller.blocking import Blocking
from poller.configuration import Configuration
from poller.configuration.watching import Reader
from poller.errors import LOGGED_MOST, ConfigurationError, Overdue
from poller.runtime.daemon_status import ConfigurationStatus

READ_SECONDS = 20.0
"""For reading everything: thousands of mappings take some seconds."""
SPARE_READERS = 3
"""Reads that may hang, each in a thread of its own, before reloads are impossible."""
LOOK_SECONDS = 5.0
"""Between two looks at whether a file system that hung answers again."""
NEEDS_RESTART = ("state", "api", "telemetry")
"""Settings that cannot be changed in a running process: what holds the positions, where it is steered from, and what is
built into every part."""


def files() -> Blocking:
    """What reads the configuration's files."""
    return Blocking("the files of the configuration", READ_SECONDS, spare=SPARE_READERS)


class Reloads:
    """Asked by `request`; `run` obeys."""

    def __init__(
        self,
        reader: Reader,
        calls: Blocking,
        present: Configuration,
        shown: ConfigurationStatus,
        take: Callable[[Configuration], None],
    ) -> None:
        """`take` runs by a new configuration from then on. `shown` is kept true."""
        self._reader = reader
        self._calls = calls
        self._present = present
        self._shown = shown
        self._take = take
        self._wanted = asyncio.Event()
        self._by: str | None = None
        """What asked for a reload; None for the files, which may be as they were by then."""
        self._unread = False
        """The last reading did not end in time."""

    def request(self, by: str | None = None) -> None:
        """Read anew, in any case where `by` names what asks for it, else if the files have changed."""
        self._by = by or self._by
        self._wanted.set()

    async def run(self, begins: Callable[[], None], ended: Callable[[], None]) -> None:
        """Obey until cancelled; what is asked for during one reload is the next. `ended`: taken or refused."""
        while True:
            await self._next()
            self._wanted.clear()
            by, self._by = self._by, None
            if by is None and not self._unread and not await self._has_changed():
                continue
            telemetry.logger().info("reload_requested", by=by or "file")
            begins()
            await self._reload()
            ended()

    async def _next(self) -> None:
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS if self._unread else None):
                    await self._wanted.wait()
            except TimeoutError:
                if self._calls.busy:
                    continue
            return

    async def _has_changed(self) -> bool:
        try:
            return await self._calls.run(self._reader.has_changed)
        except Overdue:
            # the reload says so
            return True

    async def _reload(self) -> None:
        """Read everything anew, and run by it if nothing is wrong with it."""
        try:
            configuration = await self._calls.run(self._reader.read)
            self._refuse_what_needs_a_restart(configuration)
        except Overdue as overdue:
            self._unread = True
            self._refused(ConfigurationError([f"{overdue}; does their file system hang? Nothing has changed"]))
            return
        except ConfigurationError as error:
            self._unread = False
            self._refused(error)
            return
        self._unread = False
        self._take(configuration)
        self._present = configuration
        self._shown.loaded_at, self._shown.refused_at, self._shown.problems = time.time(), None, []

    def _refused(self, error: ConfigurationError) -> None:
        self._shown.refused_at, self._shown.problems = time.time(), error.shown()
        telemetry.logger().error("reload_refused", problems=error.shown(LOGGED_MOST))

    def _refuse_what_needs_a_restart(self, new: Configuration) -> None:
        """Raise ConfigurationError."""
        present = self._present
        problems = [
            f"{new.places.get(key) or present.places.get(key, key)}: {key}: cannot be changed while the "
            "daemon runs; restart it, or put back what was there"
            for key in NEEDS_RESTART
            if getattr(new.settings, key) != getattr(present.settings, key)
        ]
        if problems:
            raise ConfigurationError(problems)
