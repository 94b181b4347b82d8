"""One shard that this member of a fleet holds, under one fence."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from poller.policy.progress import ShardProgress
from poller.ports.fleet import Claimed, Write
from poller.runtime.stop import Stop
from poller.values.errors import LeaseLost

if TYPE_CHECKING:
    from poller.engine.fleet.shards import MemberShards


def _nothing() -> None:
    """Nobody has connected yet."""


class MemberHold:
    """Implements `poller.ports.holdings.Hold` and `Permit`."""

    def __init__(self, shards: "MemberShards", shard_id: str, member: str, claimed: Claimed) -> None:
        """`member` is the life that claimed it."""
        self.shard_id = shard_id
        self.member = member
        self.fence = claimed.fence
        self.progress = claimed.progress
        self.taken = False
        """Whether the source was told of it."""
        self.giving: str | None = None
        """The member that it goes to, once this one was asked to leave it."""
        self.released_to: str | None = None
        """The member it was released to; None for nobody in particular."""
        self.over = False
        """Whether it was released, finished or lost."""
        self.works = False
        """Whether anything of the shard runs."""
        self._shards = shards
        self._version = 0
        self._give = self._lose = _nothing

    @property
    def interval(self) -> float:
        return self._shards.interval

    @property
    def permit(self) -> "MemberHold":
        return self

    def connect(self, *, give: Callable[[], None], lose: Callable[[], None]) -> None:
        self._give, self._lose = give, lose
        if self.over:
            lose()
        elif self.giving is not None:
            give()

    def enter(self) -> None:
        self.works = True

    def left(self) -> None:
        self.works = False

    # the right to begin

    def valid(self) -> bool:
        return not self.over and self._shards.life.valid()

    async def renewed(self, stop: Stop) -> bool:
        renewed = self._shards.life.renewed
        ignore = stop.listen(renewed.notify)
        try:
            while not (stop.soft or self.valid()):
                await renewed.wait()
        finally:
            ignore()
        return not stop.soft

    # its end

    def give(self, to: str) -> None:
        """Leave it softly, and release it to that member."""
        self.giving = to
        self._give()

    def lose(self) -> None:
        """Another member may have it by now."""
        if not self.over:
            self.over = True
            self._shards.lost(self)
            self._lose()

    async def save(self, progress: ShardProgress) -> None:
        await self._write(progress, release=False)
        if progress.finished:
            self.over = True
            self._shards.end(self, finished=True)

    async def release(self, progress: ShardProgress | None) -> None:
        """See `Hold.release`; None leaves the stored progress as it is."""
        await self._write(progress, release=True)
        self.over = True
        self._shards.end(self, finished=False)

    async def _write(self, progress: ShardProgress | None, *, release: bool) -> None:
        if self.over:
            raise LeaseLost(self.shard_id)
        self._version += 1
        self.released_to = self._shards.heir(self) if release else None
        write = Write(self._shards.uuid, self.shard_id, self.fence, self._version, progress, release, self.released_to)
        if not await self._shards.saving.save(self.member, write):
            self.lose()
            raise LeaseLost(self.shard_id)
