"""What parent and worker are told at their start: plain values, on the command line as JSON."""

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PLACE = "--as-worker"
"""The hidden option of `poller run` that makes it a worker."""


class _Spec:
    """Goes from one process to the other as text."""

    __slots__ = ()

    def text(self: "DataclassInstance") -> str:
        """As `read` reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what `text` wrote. Raises ValueError."""
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError) as error:
            raise ValueError("this is for poller itself, which gives it to the processes that it starts") from error


@dataclass(frozen=True, slots=True)
class ParentSpec(_Spec):
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


@dataclass(frozen=True, slots=True)
class WorkerSpec(_Spec):
    """Of one worker."""

    number: int
    """From 1."""
    of: int
    process: str
    """Names this process among all that ever were workers: its parent's name, a space, and its own."""
    parent: int
    """The parent's process id."""
    channel: int
    """The file descriptor of its end of the channel."""
    sign_seconds: float
    """A worker that gives no sign of life for so long is ended."""
