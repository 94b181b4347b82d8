"""A worker's process: what it is started with, and how it and all it started are ended."""

import asyncio
import errno
import os
import pwd
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from poller.functions.function_errors import VERSION
from poller.functions.runtime_api import kernel
from poller.functions.runtime_api.cgroups import Cgroup
from poller.functions.runtime_api.guarding import Guard
from poller.functions.runtime_api.logs import LogPipe
from poller.functions.runtime_api.settings import RuntimeSettings
from poller.values.errors import ConfigurationError, PollerError

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


MARK = "POLLER_WORKER"
"""A variable by which whatever a worker has started is found, as long as it keeps its environment."""
NOT_ALLOWED = (
    "the daemon may not start it as {}: it has to be root, or to have CAP_SETUID, CAP_SETGID and CAP_KILL; "
    "or leave user out"
)
LEFT_SECONDS = 2.0
"""For what a worker left behind to end, once it is killed: so that what may be tried again is worked on by nobody."""
UNCLEAR_SECONDS = 0.2
"""For a process that tells nothing of itself yet; one without any environment never does."""
LOOK_AGAIN_SECONDS = 0.01


class StartFailed(PollerError):
    """A worker did not get as far as asking for its first invocation. Says why in Lambda's words."""


def interpreter_command(handler: str) -> tuple[str, ...]:
    """What runs a Python handler: Lambda's own client of the Runtime API, in the daemon's interpreter. `-P`, because
    the folder of the program is none for the function to import from.
    """
    return (sys.executable, "-P", str(Path(__file__).with_name("python_client.py")), handler)


def identity_of(user: str | None) -> tuple[Mapping[str, str], dict[str, Any]]:
    """What another user's process finds in its environment, and how it is started. Raises StartFailed."""
    if user is None:
        return {}, {}
    try:
        found = pwd.getpwnam(user)
    except KeyError as error:
        raise StartFailed(f"there is no user {user} on this machine") from error
    groups = os.getgrouplist(user, found.pw_gid)
    return {"HOME": found.pw_dir}, {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": groups}


def environment_of(settings: RuntimeSettings, port: int, of_user: Mapping[str, str]) -> dict[str, str]:
    """The variables a function finds on Lambda, and the configured ones."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[{VERSION}]{uuid.uuid4().hex}"
    options, handler = settings.options, settings.options.handler or ""
    lambdas = {
        "AWS_LAMBDA_FUNCTION_NAME": settings.name,
        "AWS_LAMBDA_FUNCTION_VERSION": VERSION,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(options.memory_size),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{settings.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_REGION": settings.region,
        "AWS_DEFAULT_REGION": settings.region,
        "LAMBDA_TASK_ROOT": str(options.code or Path.cwd()),
        "TZ": ":UTC",
        "_HANDLER": handler,
    }
    if settings.command == interpreter_command(handler):
        # Lambda names only its own runtimes there, not what a command or a bootstrap starts
        lambdas["AWS_EXECUTION_ENV"] = f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}"
    configured = dict(settings.environment())
    fixed = {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}"}
    return {"LANG": "en_US.UTF-8"} | inherited | dict(of_user) | lambdas | configured | fixed


class Process:
    """One running program, in a process group of its own, and all that it starts."""

    def __init__(self, process: "subprocess.Popen[bytes]", guard: Guard, mark: str) -> None:
        self._process = process
        self._guard = guard
        self._mark = mark.encode()
        self._seen: set[int] = set()
        """What it had started, when that was last looked for."""
        self._unclear = False
        """Of some process it could not be told then whose it is."""
        self.pid = process.pid
        self._cgroup = Cgroup.around(self.pid)
        guard.add(self.pid, mark, "" if self._cgroup is None else str(self._cgroup.folder))

    @classmethod
    def start(cls, settings: RuntimeSettings, port: int, logs: LogPipe, guard: Guard) -> "Process":
        """Raises StartFailed."""
        options = settings.options
        mark = f"{MARK}={uuid.uuid4().hex}"
        try:
            home, identity = identity_of(options.user)
            process = subprocess.Popen(  # noqa: S603  (what the configuration says)
                settings.command,
                cwd=options.code,
                env=environment_of(settings, port, home) | dict([mark.split("=")]),
                stdin=subprocess.DEVNULL,
                stdout=logs.inlet,
                stderr=logs.inlet,
                start_new_session=True,
                **identity,
            )
        except ConfigurationError as error:
            raise StartFailed(f"its environment: {error}") from error
        except (OSError, ValueError) as error:
            if options.code is not None and not options.code.is_dir():
                raise StartFailed(f"Runtime.InvalidWorkingDir: {options.code} is no directory") from error
            if options.user is not None and isinstance(error, OSError) and error.errno == errno.EPERM:
                raise StartFailed(NOT_ALLOWED.format(options.user)) from error
            why = error.strerror if isinstance(error, OSError) else error
            raise StartFailed(f"Runtime.InvalidEntrypoint: {settings.command[0]}: {why}") from error
        return cls(process, guard, mark)

    async def wait(self) -> int:
        """Its exit code, negative for a signal. What it started and left behind is ended with it."""
        code = await exit_of(self._process)
        now = time.monotonic()
        until, clear_by = now + LEFT_SECONDS, now + UNCLEAR_SECONDS
        self.signal(signal.SIGKILL)
        while (self._left() and now < until) or (self._unclear and now < clear_by):
            now = time.monotonic()
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            self.signal(signal.SIGKILL)
        self._guard.remove(self.pid)
        if self._cgroup is not None:
            self._cgroup.remove()
        return code

    def _left(self) -> bool:
        """Whether there is still anybody."""
        self.bury()
        left = self._family()
        for pid in set(left):
            # of those that the daemon has inherited
            with suppress(ChildProcessError):
                if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG):
                    left.discard(pid)
        return bool(left) or self._group_is_there() or not (self._cgroup is None or self._cgroup.empty)

    def _group_is_there(self) -> bool:
        try:
            os.killpg(self.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def _family(self) -> set[int]:
        """What it started, wherever that has gone: below it, in its session, marked, or seen below it before."""
        own = kernel.below(self.pid, self._guard.knows)
        # what was left by its parent is a child of the daemon now
        here = own | kernel.below(os.getpid(), self._guard.knows)
        self._unclear = False
        for pid in here - own - self._seen:
            marked = kernel.session_of(pid) == self.pid or kernel.is_marked(pid, self._mark)
            self._unclear |= marked is None
            if marked:
                own.add(pid)
        self._seen = (self._seen & here) | own
        return self._seen

    def bury(self) -> None:
        """Wait for those that have ended of what the daemon inherited, as process 1 of a container or as Linux's
        subreaper, so that no zombies gather.

        Never for a process that the daemon has started itself, in its own session or as a worker: its exit code is
        asked for elsewhere.
        """
        if not self._guard.adopting:
            return
        flags = os.WEXITED | os.WNOHANG
        with suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, flags | os.WNOWAIT):
                if self._guard.knows(ended.si_pid) or kernel.session_of(ended.si_pid) == os.getsid(0):
                    return
                os.waitid(os.P_PID, ended.si_pid, flags)

    def signal(self, number: signal.Signals) -> None:
        """Send to the whole group, and to what has left it if it is the last."""
        family = self._family()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
        if number == signal.SIGKILL and self._cgroup is not None:
            self._cgroup.kill()
        if number == signal.SIGKILL:
            for pid in family:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)


async def exit_of(process: "subprocess.Popen[bytes]") -> int:
    """Wait for its end; as long as that takes, with nothing held."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    try:
        handle = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        # a system without such handles
        return await asyncio.to_thread(process.wait)
    loop.add_reader(handle, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)
    return process.wait()
