"""What only a function that runs here has."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from poller.configuration.model.functions import FunctionOptions
from poller.configuration.reading.secrets import Secret

BOOTSTRAP = "bootstrap"
"""The program that Lambda starts of a function which brings its own runtime."""
INIT_SECONDS = 10
"""Lambda's own limit for the initialization of a function."""
MEMORY_MB = 128
"""Lambda's default, and the least there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeOptions(FunctionOptions):
    """A function that runs here, by Lambda's Runtime API. `concurrency` is the number of its workers."""

    handler: str | None = None
    """Of Python code, `module.function`; beside a command only told to what that starts."""
    command: tuple[str, ...] = ()
    """What is started for a worker. Without it and a handler, that is `bootstrap` in `code`."""
    code: Path | None = None
    """The directory it runs in, absolute. None only with `runtime_listen`."""
    environment: Mapping[str, Secret] = field(default_factory=dict, hash=False)
    runtime_listen: str | None = None
    """`HOST:PORT` where workers that somebody else starts ask for events; then none is started."""
    allow_unauthenticated: bool = False
    minimum_workers: int = 1
    """Started at once and never ended for want of work."""
    idle_timeout_seconds: float | None = None
    """After which a worker beyond those that has no work is ended; None keeps it."""
    user: str | None = None
    """As whom workers run; None for the daemon's own user."""
    reload_on_change: bool = False
    """Workers are started anew when the code has changed."""
    init_timeout_seconds: float = INIT_SECONDS
    """Seconds from a worker's start to its first asking for an invocation."""
    memory_size: int = MEMORY_MB
    """MB, as the function is told; nobody enforces it."""
