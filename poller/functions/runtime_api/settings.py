"""What a function of this type is told about itself, everything resolved."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

INIT_SECONDS = 10.0
"""What Lambda gives the init phase."""
MEMORY_MB = 128
"""Lambda's default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSettings:
    name: str
    """The function's key in the configuration."""
    function_arn: str
    region: str
    timeout: float
    """Seconds from the hand-over of an event to the runtime's answer and its asking again."""
    payload_limit: int
    concurrency: int
    """Most workers."""
    command: tuple[str, ...] = ()
    """What is run for a worker, found by PATH and relative to `code`. Nothing where others start the runtimes."""
    code: Path | None = None
    """Absolute; where workers run. None: where the daemon does."""
    handler: str = ""
    """As Lambda's `Handler`."""
    environment: Callable[[], Mapping[str, str]] = dict
    """The configured variables, secrets as they are now. Raises ConfigurationError."""
    memory_size: int = MEMORY_MB
    """MB; only told to the function. Who limits is the operating system."""
    init_timeout: float = INIT_SECONDS
    """Seconds from a worker's start to its first asking for an invocation."""
    minimum_workers: int = 1
    """Started at once, and kept while there is nothing to do."""
    user: str | None = None
    """As whom workers run; None for the daemon's own user."""
    reload_on_change: bool = False
    """Start workers anew when the code has changed."""
    idle_timeout: float | None = None
    """Seconds without an invocation after which a worker beyond those is stopped; None keeps it."""
