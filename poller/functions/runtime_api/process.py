"""A worker's process: what it is started with, and how it and all it started are ended."""

import asyncio
import os
import signal
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

from poller.errors import ConfigurationError, PollerError
from poller.functions.runtime_api.guard import Guard
from poller.functions.runtime_api.invocation import VERSION
from poller.functions.runtime_api.logs import LogPipe
from poller.functions.runtime_api.settings import RuntimeSettings

INHERITED = (
    "PATH",
    "HOME",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SYSTEMROOT",
)
"""All a function gets of the daemon's environment: none of its credentials and settings. What else it needs is
configured.
"""


LEFT_SECONDS = 2.0
"""For what a worker left behind to end, once it is killed: so that what may be tried again is worked on by nobody."""
LOOK_AGAIN_SECONDS = 0.01


class StartFailed(PollerError):
    """A worker did not get as far as asking for its first invocation. Says why in Lambda's words."""


def interpreter_command(handler: str) -> tuple[str, ...]:
    """What runs a Python handler: Lambda's own client of the Runtime API, in the daemon's interpreter. `-P`, because
    the folder of the program is none for the function to import from.
    """
    return (sys.executable, "-P", str(Path(__file__).with_name("python_client.py")), handler)


def environment_of(settings: RuntimeSettings, port: int) -> dict[str, str]:
    """The variables a function finds on Lambda, and the configured ones."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[{VERSION}]{uuid.uuid4().hex}"
    lambdas = {
        "AWS_LAMBDA_FUNCTION_NAME": settings.name,
        "AWS_LAMBDA_FUNCTION_VERSION": VERSION,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(settings.memory_size),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{settings.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_REGION": settings.region,
        "AWS_DEFAULT_REGION": settings.region,
        "LAMBDA_TASK_ROOT": str(settings.code or Path.cwd()),
        "TZ": ":UTC",
        "_HANDLER": settings.handler,
    }
    configured = dict(settings.environment())
    fixed = {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}"}
    return {"LANG": "en_US.UTF-8"} | inherited | lambdas | configured | fixed


class Process:
    """One running program in a process group of its own."""

    def __init__(self, process: asyncio.subprocess.Process, guard: Guard) -> None:
        self._process = process
        self._guard = guard
        self.pid = process.pid
        guard.add(self.pid)

    @classmethod
    async def start(cls, settings: RuntimeSettings, port: int, logs: LogPipe, guard: Guard) -> "Process":
        """Raises StartFailed."""
        try:
            process = await asyncio.create_subprocess_exec(
                *settings.command,
                cwd=settings.code,
                env=environment_of(settings, port),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=logs.inlet,
                stderr=logs.inlet,
                start_new_session=True,
            )
        except ConfigurationError as error:
            raise StartFailed(f"its environment: {error}") from error
        except (OSError, ValueError) as error:
            if settings.code is not None and not settings.code.is_dir():
                raise StartFailed(f"Runtime.InvalidWorkingDir: {settings.code} is no directory") from error
            why = error.strerror if isinstance(error, OSError) else error
            raise StartFailed(f"Runtime.InvalidEntrypoint: {settings.command[0]}: {why}") from error
        return cls(process, guard)

    async def wait(self) -> int:
        """Its exit code, negative for a signal. What it started and left behind is ended with it."""
        code = await self._process.wait()
        self.signal(signal.SIGKILL)
        until = time.monotonic() + LEFT_SECONDS
        while self._left() and time.monotonic() < until:  # noqa: ASYNC110 - the loop keeps SIGCHLD to itself
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        self._guard.remove(self.pid)
        return code

    def _left(self) -> bool:
        """Whether there is still anybody of the group."""
        self.bury()
        try:
            os.killpg(self.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def bury(self) -> None:
        """As process 1 of a container, which inherits whatever outlives its parent: wait for those of the group that
        have ended, so that no zombies gather.

        Never for the worker itself: its exit code is asked for elsewhere.
        """
        if os.getpid() != 1:
            return
        flags = os.WEXITED | os.WNOHANG
        with suppress(ChildProcessError):
            while ended := os.waitid(os.P_PGID, self.pid, flags | os.WNOWAIT):
                if ended.si_pid == self.pid:
                    return
                os.waitid(os.P_PID, ended.si_pid, flags)

    def signal(self, number: signal.Signals) -> None:
        """Send to the whole group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
