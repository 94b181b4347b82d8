"""A daemon by itself: every shard is its own, and nothing is asked or written beyond its positions."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from poller.policy.progress import ShardProgress
from poller.ports.holdings import Hold, Listed, Resizable, Rests
from poller.ports.status import Reason
from poller.ports.store import StateStore

NONE: frozenset[str] = frozenset()


@dataclass(slots=True)
class OwnShard:
    """A `Hold` that nobody can take."""

    shard_id: str
    save: Callable[[ShardProgress], Awaitable[None]]
    """The store's own call."""
    interval: float = 0.0
    progress: None = None
    permit: None = None

    def connect(self, *, give: Callable[[], None], lose: Callable[[], None]) -> None:
        """None of this happens."""

    def enter(self) -> None:
        """Nobody asks."""

    def left(self) -> None:
        """Nobody waits."""

    def release(self, progress: ShardProgress) -> Awaitable[None]:
        """Nobody takes it: the progress is stored."""
        return self.save(progress)


class OwnShards:
    """The `Holdings` of a daemon by itself."""

    shared = False
    known = True
    elsewhere = NONE

    def __init__(self, store: StateStore, uuid: str, interval: float) -> None:
        self._save = partial(store.save, uuid)
        self._interval = interval

    def connect(self, changed: Callable[[], None]) -> None:
        """Nothing changes."""

    def conflict(self) -> str | None:
        return None

    def waiting(self) -> Iterable[tuple[str, Reason]]:
        return ()

    def take(self, startable: Sequence[Listed]) -> Sequence[Hold]:
        return [OwnShard(shard.id, partial(self._save, shard.id), self._interval) for shard in startable]

    def finished(self) -> Collection[str]:
        return ()

    def listed(self, digest: str | None) -> None:
        """Nobody else wants to know."""

    def listing(self) -> None:
        return None

    def reset(self) -> None:
        """Nothing is held of others."""

    def close(self) -> None:
        """Nothing is held of others."""


class Alone:
    """The `Fleet` of one daemon."""

    shared = False

    def __init__(self, store: StateStore, checkpoint_interval_seconds: float = 0.0) -> None:
        self.store = store
        self._interval = checkpoint_interval_seconds

    def holdings(self, uuid: str, event_source_arn: str) -> OwnShards:  # noqa: ARG002  (the port's)
        """See `Fleet.holdings`."""
        return OwnShards(self.store, uuid, self._interval)

    def share(self, uuid: str, limit: int, slots: Resizable) -> Callable[[], None]:  # noqa: ARG002  (the port's)
        """All of it is this daemon's."""
        slots.resize(limit)
        return lambda: None

    def attend(self, uuid: str, event_source_arn: str, rests: Rests) -> Callable[[], None]:  # noqa: ARG002  (the port's)
        """There is nobody to leave a queue to."""
        return lambda: None

    def runs_elsewhere(self, uuid: str) -> bool:  # noqa: ARG002  (the port's)
        """Nothing is known of other daemons."""
        return False
