"""Reads the configuration, reads it again, and watches its files for changes.

A change is a change of content, never of dates alone. Directories are watched, not files: editors replace a
file by another one, and a ConfigMap replaces the directory that `..data` links to.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

from poller.configuration.load import Configuration, Need, load
from poller.configuration.reading.documents import SUFFIXES
from poller.configuration.reading.files import expand, real, search
from poller.configuration.reading.regular import read_bytes
from poller.support.blocking import Blocking
from poller.values.errors import ConfigurationError, Overdue

STEP = 1000
"""Milliseconds between two checks of the watcher. Its default of 50 ms costs more CPU than the rest of an idle daemon,
and a reload need not start within milliseconds."""
LOOK_ANYWAY = 30_000
"""Milliseconds after which the content is compared without an event: network file systems report no changes of other
machines."""
AGAIN = 5.0
"""Seconds until the next try after the watcher failed."""
LOOK_SECONDS = 20.0
"""Seconds that reading the files for a comparison may take."""
AGAIN_AFTER_HANGING = 60.0
"""Seconds until the next try after the files could not be read in time."""
CONFIG_MAP_LINK = "..data"

OnProblem = Callable[[str], None]


class Reader:
    """Knows the paths of the configuration, and the content that was read last."""

    def __init__(
        self,
        paths: list[Path] | None,
        environ: Mapping[str, str],
        need: Need = Need.NOTHING,
        overrides: dict[str, Any] | None = None,
    ) -> None:
        """`paths` are those of the command line; None searches the usual places at each reading. `overrides` are
        settings from the command line, nested like a file's.
        """
        self._need = need
        self._overrides = overrides
        self._given = paths
        self._environ = environ
        self._seen: str | None = None

    def read(self) -> Configuration:
        """Read everything. Raises ConfigurationError."""
        # taken before reading, so that a write during the reading counts as a change
        self._seen = self._fingerprint()
        try:
            return load(self._given, environ=self._environ, need=self._need, overrides=self._overrides)
        except OSError as error:
            # a directory without permission, or a file system that is gone
            raise ConfigurationError([f"{error.filename}: cannot be read ({error.strerror})"]) from error

    def has_changed(self) -> bool:
        """Whether the content differs from what was read last, valid or not."""
        return self._fingerprint() != self._seen

    def directories(self) -> set[Path]:
        """The directories in which a change of any file is visible. Raises OSError."""
        found: set[Path] = set()
        for path in self._paths():
            for place in (path, real(path)):
                found.add(place if path.is_dir() else place.parent)
        for group in expand(self._paths())[0]:
            found |= {real(file).parent for file in group.files}
        return {directory.absolute() for directory in found if directory.is_dir()}

    def matters(self, name: str) -> bool:
        """Whether a file of that name could belong to the configuration: a state file beside it changes often."""
        return (
            name == CONFIG_MAP_LINK
            or Path(name).suffix.lower() in SUFFIXES
            or any(name in (path.name, real(path).name) for path in self._paths())
        )

    def _paths(self) -> list[Path]:
        return search(self._environ) if self._given is None else self._given

    def _fingerprint(self) -> str:
        content = hashlib.sha256()
        try:
            groups = expand(self._paths())[0]
        except OSError as error:
            return str(error)
        for group in groups:
            for file in group.files:
                content.update(f"{file}\n".encode(errors="surrogateescape"))
                try:
                    content.update(hashlib.sha256(read_bytes(file)).digest())
                except OSError as error:
                    content.update(str(error).encode(errors="surrogateescape"))
        return content.hexdigest()


async def watch(reader: Reader, changed: Callable[[], None], cannot: OnProblem) -> None:
    """Call `changed` when the content differs from what was read last, until cancelled. `cannot` gets each reason
    why the watcher fails; until it works again, the content is compared at each try.
    """
    calls = Blocking("the files of the configuration", LOOK_SECONDS)

    async def look() -> None:
        if await calls.run(reader.has_changed):
            changed()

    while True:
        try:
            await _watch_once(reader, calls, look)
        except (OSError, RuntimeError) as error:
            # a directory that is gone, or no watches left: the watcher's own error is a RuntimeError
            cannot(str(error))
            await asyncio.sleep(AGAIN)
        except Overdue as error:
            cannot(f"{error}; does their file system hang?")
            await asyncio.sleep(AGAIN_AFTER_HANGING)


async def _watch_once(reader: Reader, calls: Blocking, look: Callable[[], Awaitable[None]]) -> None:
    """Watch until the set of directories changes. Raises OSError, RuntimeError and Overdue."""
    # imported here, because commands that only read need no watcher
    from watchfiles import awatch  # noqa: PLC0415

    directories = await calls.run(reader.directories)
    changes = awatch(
        *directories,
        watch_filter=lambda _, path: reader.matters(Path(path).name),
        step=STEP,
        debounce=2 * STEP,
        rust_timeout=LOOK_ANYWAY,
        yield_on_timeout=True,
        recursive=False,
        ignore_permission_denied=True,
    )
    # runs once the watch is set up, and finds changes made before it
    first = asyncio.ensure_future(look())
    try:
        async with aclosing(changes):
            async for _ in changes:
                await look()
                if await calls.run(reader.directories) != directories:
                    break
    finally:
        first.cancel()
        # `watch` compares files again that could not be read
        await asyncio.gather(first, return_exceptions=True)
