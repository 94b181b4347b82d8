"""Reloads the configuration on request or when its files change, one reload after the other.

A refused configuration changes nothing. One that cannot be read in time, since its file system hangs, is refused too,
and read again once that answers.
"""

import asyncio
import time
from collections.abc import Callable

from poller.configuration import Configuration
from poller.configuration.watching import Reader
from poller.ports.daemon_status import Changes, ConfigurationStatus, Reloaded
from poller.support import telemetry
from poller.support.blocking import Blocking
from poller.values.errors import LOGGED_MOST, ConfigurationError, Overdue

READ_SECONDS = 20.0
"""Seconds for reading all files: thousands of mappings take some seconds."""
SPARE_READERS = 3
"""Most reads that may hang, each in a thread of its own. After that, reloads are impossible."""
LOOK_SECONDS = 5.0
"""Between two looks at whether a file system that hung answers again."""
NEEDS_RESTART = ("state", "fleet", "workers", "api", "telemetry")
"""Settings that cannot be changed in a running process: what holds the positions and for whom, where it is steered
from, and what is built into every part."""


def files() -> Blocking:
    """Reads the configuration's files."""
    return Blocking("the files of the configuration", READ_SECONDS, spare=SPARE_READERS)


class Reloads:
    """Carries out reloads: `request` asks for one, `run` does it."""

    def __init__(
        self,
        reader: Reader,
        calls: Blocking,
        present: Configuration,
        shown: ConfigurationStatus,
        take: Callable[[Configuration], Changes | None],
    ) -> None:
        """`take` applies a new configuration, and returns what it changes; None where the daemon stops. `shown` is kept
        up to date.
        """
        self._reader = reader
        self._calls = calls
        self._present = present
        self._shown = shown
        self._take = take
        self._wanted = asyncio.Event()
        self._by: str | None = None
        """What asked for the next reload; None for the files, which may be unchanged again by then."""
        self._unread = False
        """Whether the last reading did not end in time."""
        self._waiting: list[asyncio.Future[Reloaded]] = []
        """Callers that asked for the next reload and wait for its end."""

    async def reload(self, by: str) -> Reloaded:
        """Reload, and return the result."""
        waiting: asyncio.Future[Reloaded] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self.request(by)
        return await waiting

    def request(self, by: str | None = None) -> None:
        """Ask for a reload: in any case where `by` names who asks, else if the files have changed."""
        self._by = by or self._by
        self._wanted.set()

    async def run(self, begins: Callable[[], None], ended: Callable[[], None]) -> None:
        """Carry out reloads until cancelled. Requests during one reload become the next one. `ended` is called after
        each, accepted or refused.
        """
        while True:
            await self._next()
            self._wanted.clear()
            by, self._by = self._by, None
            waiting, self._waiting = self._waiting, []
            if by is None and not self._unread and not await self._has_changed():
                continue
            telemetry.logger().info("reload_requested", by=by or "file")
            begins()
            reloaded = await self._reload()
            ended()
            for future in waiting:
                if not future.done():
                    future.set_result(reloaded)

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
            # the reload reports it
            return True

    async def _reload(self) -> Reloaded:
        """Read all files again, and apply the configuration if nothing is wrong with it."""
        try:
            configuration = await self._calls.run(self._reader.read)
            self._refuse_what_needs_a_restart(configuration)
        except Overdue as overdue:
            self._unread = True
            return self._refused(ConfigurationError([f"{overdue}; does their file system hang? Nothing has changed"]))
        except ConfigurationError as error:
            self._unread = False
            return self._refused(error)
        self._unread = False
        changes = self._take(configuration)
        if changes is None:
            return Reloaded(["the daemon stops, and reads nothing any more"])
        self._present = configuration
        self._shown.loaded_at, self._shown.refused_at, self._shown.problems = time.time(), None, []
        self._shown.loads += 1
        return Reloaded(changes=changes, warnings=configuration.warnings)

    def _refused(self, error: ConfigurationError) -> Reloaded:
        self._shown.refused_at, self._shown.problems = time.time(), error.shown()
        telemetry.logger().error("reload_refused", problems=error.shown(LOGGED_MOST))
        return Reloaded(error.shown())

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
