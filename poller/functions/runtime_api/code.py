"""Watches a function's code: notices changes since its workers were started.

The path, size and time of each file below the folder count, and the folder's real path, because a release is often put
into place by changing a symbolic link.
"""

import asyncio
import hashlib
import os
import threading
from collections.abc import Callable
from contextlib import aclosing, suppress
from pathlib import Path

from structlog.typing import FilteringBoundLogger

NOT_CODE = frozenset({"__pycache__", ".git"})
"""Folders that change without the code."""
STEP = 1000
"""Milliseconds between two looks of the watcher."""
LOOK_ANYWAY = 30_000
"""Milliseconds after which the code is compared even without a notice: of a symbolic link that was changed, or on a
file system of another machine."""
AGAIN_SECONDS = 5.0
"""Seconds until the next try after the watcher failed."""


def _real(folder: Path) -> str:
    return os.path.realpath(folder)


def fingerprint(folder: Path) -> str:
    """The fingerprint of all files below the folder. Unreadable files are left out: the worker will report them."""
    found = hashlib.sha256(os.fsencode(_real(folder)))
    for path, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - NOT_CODE)
        for name in sorted(files):
            with suppress(OSError):
                status = (Path(path) / name).stat()
                line = f"{path}/{name} {status.st_size} {status.st_mtime_ns} {status.st_ino}\n"
                found.update(os.fsencode(line))
    return found.hexdigest()


async def current(folder: Path) -> str:
    """The fingerprint, made by a thread of its own that an exit does not wait for, because a file system may hang."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[str] = loop.create_future()

    def tell(value: str) -> None:
        if not found.done():
            found.set_result(value)

    def look() -> None:
        value = fingerprint(folder)
        # the loop may be gone by then
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, value)

    threading.Thread(target=look, name="code", daemon=True).start()
    return await found


class CodeWatch:
    """Watches the code of one function. `changed` is called after each change."""

    def __init__(self, folder: Path | None, changed: Callable[[], None], log: FilteringBoundLogger) -> None:
        """Call it inside the running loop. Without a folder nothing ever changes."""
        self._folder = folder
        self._changed = changed
        self._log = log
        self.seen: str | None = None
        """The fingerprint at the last look; None before the first has ended."""
        self.tasks: set[asyncio.Task[None]] = set()
        """Looks that have not ended, and the watch."""

    def look(self) -> None:
        """Begin to compare the code with the last look. The first look only notes what is there."""
        if self._folder is not None:
            self._spawn(self._compare(self._folder))

    def watch(self) -> None:
        """Look whenever the file system reports a change, until closed."""
        if self._folder is not None:
            self._spawn(self._watch(self._folder))

    def close(self) -> None:
        """End the watch without waiting for it, because a file system may hang."""
        for task in self.tasks:
            task.cancel()

    def _spawn(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _compare(self, folder: Path) -> None:
        found = await current(folder)
        before, self.seen = self.seen, found
        if before not in (None, found):
            self._changed()

    async def _watch(self, folder: Path) -> None:
        # imported here, because only functions that ask for it need it
        from watchfiles import awatch  # noqa: PLC0415

        while True:
            real = _real(folder)
            try:
                changes = awatch(real, step=STEP, debounce=2 * STEP, rust_timeout=LOOK_ANYWAY, yield_on_timeout=True)
                # for changes before the watch was set up
                asyncio.get_running_loop().call_soon(self.look)
                async with aclosing(changes):
                    async for _ in changes:
                        self.look()
                        if _real(folder) != real:
                            break
            except (OSError, RuntimeError) as error:
                # the folder is gone, or no watches are left: the watcher's own error is a RuntimeError
                self._log.warning("code_not_watched", why=str(error))
                await asyncio.sleep(AGAIN_SECONDS)
