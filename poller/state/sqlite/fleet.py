"""The state file of the daemons of one machine that form a fleet."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from poller.policy.progress import StreamProgress
from poller.ports.fleet import Claimed, Lease, MemberRow, MemberState, Write
from poller.state.kind import ANSWER_PART
from poller.state.sqlite.file import OPEN_SECONDS, StateFile, opened_by
from poller.state.sqlite.fleet_database import FleetDatabase
from poller.support.blocking import Blocking


class SqliteFleet(StateFile[FleetDatabase]):
    """A `FleetStore` for daemons on one machine. Raises EnvironmentProblem, see `StateFile`."""

    def __init__(self, path: Path, fleet: str, lease_seconds: float) -> None:
        super().__init__(
            path,
            ANSWER_PART * lease_seconds,
            lambda: opened_by(path, lambda lock: FleetDatabase(path, fleet, alone=lock.alone), shared=True),
        )

    @classmethod
    async def joined(cls, path: Path, fleet: str, lease_seconds: float) -> Self:
        """Open the file off the event loop. Raises EnvironmentProblem."""
        # the constructor has a deadline of its own
        return await Blocking(f"opening the state file {path}", 2 * OPEN_SECONDS).run(cls, path, fleet, lease_seconds)

    async def join(self, member: str, facts: Mapping[str, Any]) -> bool:
        return await self.run_write(self.database.join, member, facts)

    async def beat(
        self, member: str, beat: int, state: MemberState, news: int, facts: Mapping[str, Any] | None = None
    ) -> bool:
        return await self.run_write(self.database.beat, member, beat, state, news, facts)

    async def bury(self, member: str, seen: int | None) -> bool:
        return await self.run_write(self.database.bury, member, seen)

    async def leave(self, member: str) -> None:
        await self.run_write(self.database.leave, member)

    async def members(self) -> list[MemberRow]:
        return await self.run_read(self.database.members)

    async def sweep(self, members: Collection[str]) -> None:
        await self.run_write(self.database.sweep, members)

    async def leases(self, uuid: str) -> dict[str, Lease]:
        return await self.run_read(self.database.leases, uuid)

    async def load(self, uuid: str) -> StreamProgress | None:
        return await self.run_read(self.database.opened, uuid)

    async def claim(self, uuid: str, shard_id: str, member: str, seen: Lease) -> Claimed | None:
        return await self.run_write(self.database.claim, uuid, shard_id, member, seen)

    async def write(self, member: str, writes: Sequence[Write]) -> set[tuple[str, str]]:
        return await self.run_write(self.database.write, member, writes)

    def listen(self, wake: Callable[[], None], told: Callable[[], None]) -> None:
        """A file tells nobody of its changes."""
