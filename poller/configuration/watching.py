"""The configuration where it lies: read, read again, and watched for changes.

A change is a change of content, never of dates alone. Directories are watched, not files: editors put another file in
the place of the old one, and a ConfigMap exchanges the directory that `..data` links to.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path

from poller.configuration.load import Configuration, Need, load
from poller.configuration.reading.documents import SUFFIXES
from poller.configuration.reading.files import expand, real, search
from poller.configuration.reading.regular import read_bytes
from poller.support.blocking import Blocking
from poller.values.errors import ConfigurationError, Overdue

STEP = 1000
"""Milliseconds between two looks of the watcher. Its default of 50 costs more than everything else an idle daemon does,
and nobody waits for a configuration in milliseconds."""
LOOK_ANYWAY = 30_000
"""Milliseconds after which the content is compared though nothing was heard: file systems of other machines tell
nobody."""
AGAIN = 5.0
"""Seconds until it is tried again after the watcher failed."""
LOOK_SECONDS = 20.0
"""For reading what is compared."""
AGAIN_AFTER_HANGING = 60.0
"""Seconds until it is tried again after the files could not be read in time."""
CONFIG_MAP_LINK = "..data"

Trouble = Callable[[str], None]


class Reader:
    """Knows where the configuration is and what of it was read last."""

    def __init__(self, paths: list[Path] | None, environ: Mapping[str, str], need: Need = Need.NOTHING) -> None:
        """`paths` as on the command line; None where the usual places are searched, anew at each reading."""
        self._need = need
        self._given = paths
        self._environ = environ
        self._seen: str | None = None

    def read(self) -> Configuration:
        """Read everything. Raises ConfigurationError."""
        # before, so that what changes while it is read is seen as a change
        self._seen = self._fingerprint()
        try:
            return load(self._given, environ=self._environ, need=self._need)
        except OSError as error:
            # a folder that may not be looked into, a file system that went away
            raise ConfigurationError([f"{error.filename}: cannot be read ({error.strerror})"]) from error

    def has_changed(self) -> bool:
        """Whether something else lies there than what was read last, well or badly."""
        return self._fingerprint() != self._seen

    def directories(self) -> set[Path]:
        """Where a change of any file would show. Raises OSError."""
        found: set[Path] = set()
        for path in self._paths():
            for place in (path, real(path)):
                found.add(place if path.is_dir() else place.parent)
        for group in expand(self._paths())[0]:
            found |= {real(file).parent for file in group.files}
        return {directory.absolute() for directory in found if directory.is_dir()}

    def matters(self, name: str) -> bool:
        """Whether a file of that name could be one of ours; a state file beside them changes all the time."""
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


async def watch(reader: Reader, changed: Callable[[], None], cannot: Trouble) -> None:
    """Call `changed` when other content than was read last lies there, until cancelled. `cannot` is told, each time
    anew, why nothing is heard; then the content is compared now and then.
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
    """Until other directories are to be watched. Raises OSError, RuntimeError and Overdue."""
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
    # runs when the watch is set up and waits: sees what changed before that
    first = asyncio.ensure_future(look())
    try:
        async with aclosing(changes):
            async for _ in changes:
                await look()
                if await calls.run(reader.directories) != directories:
                    break
    finally:
        first.cancel()
        # files that could not be read are compared again above
        await asyncio.gather(first, return_exceptions=True)
