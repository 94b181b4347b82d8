"""The options of a function that runs here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from poller.configuration.model.functions import FunctionOptions
from poller.configuration.reading.secrets import Secret

BOOTSTRAP = "bootstrap"
"""The program that Lambda starts for a function with its own runtime."""
INIT_SECONDS = 10
"""Seconds: Lambda's own limit for the initialization of a function."""
MEMORY_MB = 128
"""MB: Lambda's default, and its least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeOptions(FunctionOptions):
    """A function that runs here, by Lambda's Runtime API. `concurrency` is the number of its workers."""

    handler: str | None = None
    """For Python code, `module.function`. A command gets it in its environment."""
    command: tuple[str, ...] = ()
    """The command of a worker. Without it and a handler, it is `bootstrap` in `code`."""
    code: Path | None = None
    """The working directory, absolute. None only with `runtime_listen`."""
    environment: Mapping[str, Secret] = field(default_factory=dict, hash=False)
    runtime_listen: str | None = None
    """`HOST:PORT` where workers that are started elsewhere ask for events; then poller starts none."""
    allow_unauthenticated: bool = False
    minimum_workers: int = 1
    """Workers that are started at once and always kept."""
    idle_timeout_seconds: float | None = None
    """Seconds without work after which a worker beyond those is stopped; None keeps it."""
    user: str | None = None
    """The user of the workers; None for the daemon's own."""
    reload_on_change: bool = False
    """Whether workers are restarted when the code has changed."""
    init_timeout_seconds: float = INIT_SECONDS
    """Seconds from a worker's start to its first request for an event."""
    memory_size: int = MEMORY_MB
    """MB, as the function is told. Nothing enforces it."""
