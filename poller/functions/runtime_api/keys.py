"""The keys of a function that runs here, and how they are read."""

import os
import pwd
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from poller.configuration.model.fields import FilledText, Seconds, Whole, same_fields, shown_default, text
from poller.configuration.model.functions import FunctionConfig
from poller.configuration.model.settings import LISTEN_PATTERN, is_listen_address, is_private
from poller.configuration.reading.explain import Report
from poller.configuration.reading.secrets import SecretText
from poller.functions.keys import TYPE, Entry, WrittenFunction, read_path
from poller.functions.runtime_api.options import BOOTSTRAP, INIT_SECONDS, MEMORY_MB, RuntimeOptions
from poller.support.extras import how_to_install, is_installed
from poller.values.limits import LONGEST_HOLD_SECONDS

_HANDLER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*\.[A-Za-z_][A-Za-z0-9_]*")
_OF_STARTED = frozenset(
    {
        "handler",
        "command",
        "code",
        "environment",
        "minimum_workers",
        "idle_timeout_seconds",
        "user",
        "reload_on_change",
        "init_timeout_seconds",
        "memory_size",
    }
)


def _listen(value: str) -> str:
    if not is_listen_address(value):
        raise ValueError("must be HOST:PORT or [IPv6]:PORT, for instance 127.0.0.1:9001")
    return value


class WrittenRuntime(WrittenFunction):
    type: Literal["runtime"] = Field(description=TYPE)
    handler: FilledText | None = Field(
        default=None, description="the handler of Python code, `module.function`; a `command` gets it in `_HANDLER`"
    )
    command: list[FilledText] = Field(
        default_factory=list,
        description=(
            "a program that speaks Lambda's Runtime API, started once per worker; by default "
            "`bootstrap` in `code`, or the client that runs a Python `handler`"
        ),
    )
    code: FilledText | None = Field(
        default=None, description="the working directory of the workers; relative to this file"
    )
    environment: dict[FilledText, SecretText] = Field(
        default_factory=dict, description="environment variables of the workers; values may be secrets"
    )
    runtime_listen: Annotated[str, AfterValidator(_listen), text(LISTEN_PATTERN)] | None = Field(
        default=None, description="`HOST:PORT` of the Runtime API for workers that poller does not start"
    )
    allow_unauthenticated: bool = Field(
        default=False,
        description=("allows a `runtime_listen` that other machines can reach; any of them can then take events"),
    )
    minimum_workers: Whole | None = Field(
        default=None,
        ge=0,
        description="workers that are always kept; at 0 one is started too, to see that it starts",
        json_schema_extra=shown_default("1, or less where `concurrency` is"),
    )
    idle_timeout_seconds: Seconds | None = Field(
        default=None,
        gt=0,
        le=LONGEST_HOLD_SECONDS,
        description=(
            "seconds without work after which a worker beyond `minimum_workers` is stopped; by default none is"
        ),
    )
    user: FilledText | None = Field(
        default=None,
        description=(
            "the user that runs the workers, with all groups of that user; needs a daemon that is root or has "
            "CAP_SETUID, CAP_SETGID and CAP_KILL. By default the daemon's own user"
        ),
    )
    reload_on_change: bool = Field(
        default=False, description="restarts workers when a file of `code` has changed, each after its invocation"
    )
    init_timeout_seconds: Seconds = Field(
        default=INIT_SECONDS,
        gt=0,
        le=LONGEST_HOLD_SECONDS,
        description="seconds after which a worker that has not asked for events has failed to start",
    )
    memory_size: Whole = Field(
        default=MEMORY_MB, ge=MEMORY_MB, le=10_240, description="MB, as told to the function; not enforced"
    )


def read(entry: Entry) -> FunctionConfig:
    """Resolve the function. Reports keys that contradict each other, and what this machine lacks."""
    model: WrittenRuntime = entry.model
    report = entry.report
    code = read_path(entry.node, "code", report, directory=True)
    if model.runtime_listen is None:
        _check_started(model, code, report)
    else:
        _check_listening(model, report)
    for name in model.environment:
        if "=" in name or "\0" in name:
            report.say("is no name for an environment variable", "environment", name)
    concurrency: int = entry.common["concurrency"]
    minimum = min(1, concurrency) if model.minimum_workers is None else model.minimum_workers
    if minimum > concurrency:
        report.say(f"is more than concurrency, {concurrency}, which is the most workers", "minimum_workers")
    return FunctionConfig(
        **entry.common,
        options=RuntimeOptions(**{**same_fields(model, RuntimeOptions), "code": code, "minimum_workers": minimum}),
    )


def _check_started(model: WrittenRuntime, code: Path | None, report: Report) -> None:
    """Check the keys of workers that poller starts."""
    if model.allow_unauthenticated:
        report.say("is for runtime_listen; remove it", "allow_unauthenticated")
    if not (model.handler or model.command or model.code):
        report.say("is missing; it needs a handler, a command, a code with a bootstrap, or runtime_listen", "handler")
    elif model.code is None:
        report.say("is missing; it is the directory the function runs in", "code")
    elif not (model.handler or model.command) and code is not None and code.is_dir():
        if not (code / BOOTSTRAP).is_file():
            report.say("holds no file named bootstrap to start; set handler for Python code, or command", "code")
        elif not os.access(code / BOOTSTRAP, os.X_OK):
            report.say("holds a bootstrap that may not be executed; chmod +x it", "code")
    if model.user is not None and not _is_user(model.user):
        report.say(f"is {model.user!r}, and there is no user of that name on this machine", "user")
    # a command decides itself what it makes of its handler
    if model.handler and not model.command and not _HANDLER.fullmatch(model.handler):
        report.say(f"is {model.handler!r}; it must be module.function, such as app.handler", "handler")
    if model.handler and not model.command and not is_installed("runtime"):
        report.say(
            f"is Python code, which awslambdaric runs, and that is not installed: {how_to_install('runtime')}",
            "handler",
        )


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _check_listening(model: WrittenRuntime, report: Report) -> None:
    """Check the keys of workers that are started elsewhere."""
    assert model.runtime_listen is not None
    if not is_private(model.runtime_listen) and not model.allow_unauthenticated:
        report.say(
            "can be reached from other machines, and the Runtime API has no authentication: whoever reaches it gets "
            "the events; listen on 127.0.0.1, or set allow_unauthenticated: true",
            "runtime_listen",
        )
    for name in sorted(_OF_STARTED & model.model_fields_set):
        report.say("is for workers that poller starts, and with runtime_listen somebody else does; remove one", name)
