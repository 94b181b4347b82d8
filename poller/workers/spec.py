"""What parent and worker are told at their start: plain values, on the command line as JSON."""

import json
from dataclasses import asdict, dataclass
from typing import Self

PLACE = "--as-worker"
"""The hidden option of `poller run` that makes it a worker."""


@dataclass(frozen=True, slots=True)
class ParentSpec:
    """Of the parent."""

    workers: int
    arguments: list[str]
    """Of `poller`, with which it was started and each worker is."""
    listen: str
    """`HOST:PORT`, `[IPv6]:PORT` or `unix:PATH`, absolute."""
    grace_seconds: float
    """Of the soft stop."""
    stop_seconds: float
    """Within which a worker has ended after the grace period."""
    log: str
    """`json` or `console`."""

    def text(self) -> str:
        """As `read` reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what `text` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """Of one worker."""

    number: int
    """From 1."""
    of: int
    process: str
    """Names this process among all that ever were workers."""
    parent: int
    """The parent's process id."""
    channel: int
    """The file descriptor of its end of the channel."""
    sign_seconds: float
    """A worker that gives no sign of life for so long is ended."""

    def text(self) -> str:
        """As `read` reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what `text` wrote. Raises ValueError."""
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{PLACE} is for poller itself, which gives it to its workers") from error
