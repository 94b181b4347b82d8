"""The rows of a fleet in memory: for tests, and to read what every shared store does with each write."""

from collections.abc import Callable, Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from poller.policy.actions import MOST_ACTIONS, Action
from poller.policy.progress import Paused, ShardProgress, StreamProgress, replaces
from poller.ports.fleet import Claimed, Lease, MemberRow, MemberState, Write
from poller.state.memory.kept import KeptInMemory
from poller.values.kept import Kept
from poller.values.stored_mapping import StoredMapping, follows, versions_of


@dataclass(slots=True)
class Rows:
    """Everything that the daemons of one fleet share. Give one to each daemon's `MemoryFleet`."""

    members: dict[str, MemberRow] = field(default_factory=dict)
    mappings: dict[str, StreamProgress] = field(default_factory=dict)
    leases: dict[str, dict[str, Lease]] = field(default_factory=dict)
    paused: dict[str, Paused] = field(default_factory=dict)
    actions: dict[str, Action] = field(default_factory=dict)
    made: dict[str, StoredMapping] = field(default_factory=dict)
    kept: dict[tuple[str, str], Kept] = field(default_factory=dict)
    wakes: list[Callable[[], None]] = field(default_factory=list)
    openings: int = 0
    writes: int = 0
    """How many writes changed something."""

    def changed(self) -> None:
        self.writes += 1
        for wake in self.wakes:
            wake()


class MemoryFleet(KeptInMemory):
    """A `FleetStore` for daemons that run in one process."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self._kept = rows.kept

    # members

    async def join(self, member: str, facts: Mapping[str, Any]) -> bool:
        row = self.rows.members.get(member)
        if row is None:
            row = MemberRow(member, 0, MemberState.ACTIVE, 0, deepcopy(facts))
            self.rows.members[member] = row
            self.rows.changed()
        return row.state is not MemberState.DEAD

    async def beat(
        self, member: str, beat: int, state: MemberState, news: int, facts: Mapping[str, Any] | None = None
    ) -> bool:
        row = self.rows.members.get(member)
        if row is None or row.state is MemberState.DEAD:
            return False
        if row.beat < beat:
            known = row.facts if facts is None else deepcopy(facts)
            self.rows.members[member] = MemberRow(member, beat, state, news, known)
            self.rows.changed()
        return True

    async def bury(self, member: str, seen: int | None) -> bool:
        row = self.rows.members.get(member)
        if row is None and seen is None:
            self.rows.members[member] = MemberRow(member, 0, MemberState.DEAD, 0)
            self.rows.changed()
            return True
        if row is not None and row.state is not MemberState.DEAD and row.beat == seen:
            self._end(row)
        row = self.rows.members.get(member)
        return row is not None and row.state is MemberState.DEAD

    async def leave(self, member: str) -> None:
        row = self.rows.members.get(member)
        if row is not None and row.state is not MemberState.DEAD:
            self._end(row)

    def _end(self, row: MemberRow) -> None:
        self.rows.members[row.id] = replace(row, state=MemberState.DEAD)
        self.rows.changed()

    async def members(self) -> list[MemberRow]:
        # nobody changes what was read; a copy for each reader took a third of a simulated fleet's time
        return [*self.rows.members.values()]

    async def sweep(self, members: Collection[str]) -> None:
        for member in members:
            row = self.rows.members.get(member)
            if row is not None and row.state is MemberState.DEAD:
                del self.rows.members[member]
                self.rows.changed()

    # shards

    async def leases(self, uuid: str) -> dict[str, Lease]:
        return dict(self.rows.leases.get(uuid, {}))

    async def claim(self, uuid: str, shard_id: str, member: str, seen: Lease) -> Claimed | None:
        leases = self.rows.leases.setdefault(uuid, {})
        row = leases.get(shard_id, Lease())
        claimed = Lease(member, seen.fence + 1, 0, None)
        if row != claimed:
            if (row.owner, row.fence) != (seen.owner, seen.fence) or row.finished:
                return None
            leases[shard_id] = claimed
            self.rows.changed()
        mapping = self.rows.mappings.get(uuid)
        progress = None if mapping is None else mapping.shards.get(shard_id)
        return Claimed(claimed.fence, progress or ShardProgress())

    async def write(self, member: str, writes: Sequence[Write]) -> set[tuple[str, str]]:
        return {(one.uuid, one.shard_id) for one in writes if not self._write(member, one)}

    def _write(self, member: str, one: Write) -> bool:
        """Whether it is stored, now or before."""
        row = self.rows.leases.get(one.uuid, {}).get(one.shard_id)
        mapping = self.rows.mappings.get(one.uuid)
        if row is None or row.fence != one.fence:
            return False
        if row.owner != member:
            ends = one.release or (one.progress is not None and one.progress.finished)
            return ends and row.owner is None
        if row.version >= one.version:
            return True
        if mapping is None:
            return False
        finished = one.progress is not None and one.progress.finished
        ended = one.release or finished
        self.rows.leases[one.uuid][one.shard_id] = Lease(
            None if ended else member, one.fence, one.version, one.to if one.release else None, finished
        )
        if one.progress is not None:
            mapping.shards[one.shard_id] = one.progress
        self.rows.changed()
        return True

    def listen(self, wake: Callable[[], None], told: Callable[[], None]) -> None:  # noqa: ARG002  (it wakes at every write)
        """See `FleetStore.listen`."""
        self.rows.wakes.append(wake)

    # positions

    async def load(self, uuid: str) -> StreamProgress | None:
        progress = self.rows.mappings.get(uuid)
        return None if progress is None else progress.copied()

    async def open(
        self, uuid: str, first: StreamProgress, *, instead_of: StreamProgress | None = None, by: str | None = None
    ) -> StreamProgress:
        rows, stands = self.rows, self.rows.mappings.get(uuid)
        if stands is None or (replaces(instead_of, stands) and (by is None or self._lives(by))):
            rows.openings += 1
            stands = rows.mappings[uuid] = replace(first.copied(), opening=str(rows.openings))
            old = rows.leases.get(uuid, {})
            rows.leases[uuid] = {shard: Lease(fence=lease.fence + 1) for shard, lease in old.items()}
            for shard_id, shard in first.shards.items():
                if shard.finished:
                    fence = rows.leases[uuid].get(shard_id, Lease()).fence
                    rows.leases[uuid][shard_id] = Lease(fence=fence, finished=True)
            rows.changed()
        return stands.copied()

    def _lives(self, member: str) -> bool:
        row = self.rows.members.get(member)
        return row is not None and row.state is not MemberState.DEAD

    async def drop(self, uuid: str, shard_ids: Collection[str]) -> None:
        leases, mapping = self.rows.leases.get(uuid, {}), self.rows.mappings.get(uuid)
        gone = [shard for shard in shard_ids if leases.get(shard, Lease()).finished]
        for shard in gone:
            del leases[shard]
            if mapping is not None:
                mapping.shards.pop(shard, None)
        if gone:
            self.rows.changed()

    async def stored(self) -> dict[str, tuple[str, str]]:
        return {uuid: (progress.name, progress.event_source_arn) for uuid, progress in self.rows.mappings.items()}

    async def forget(self, uuid: str) -> None:
        self.rows.mappings.pop(uuid, None)
        self.rows.leases.pop(uuid, None)
        self.rows.changed()

    async def paused(self) -> dict[str, Paused]:
        return dict(self.rows.paused)

    async def pause(self, uuid: str, paused: Paused) -> None:
        self.rows.paused[uuid] = paused
        self.rows.changed()

    async def resume(self, uuid: str) -> None:
        self.rows.paused.pop(uuid, None)
        self.rows.changed()

    async def note(self, action: Action) -> None:
        self.rows.actions[action.id] = action
        for surplus in list(self.rows.actions)[:-MOST_ACTIONS]:
            del self.rows.actions[surplus]

    async def actions(self) -> list[Action]:
        return [*reversed(self.rows.actions.values())]

    async def mappings(self) -> dict[str, StoredMapping]:
        return deepcopy(self.rows.made)

    async def mappings_version(self) -> str:
        return versions_of(self.rows.made.values())

    async def write_mapping(self, mapping: StoredMapping) -> bool:
        if not follows(mapping, self.rows.made.get(mapping.uuid)):
            return False
        self.rows.made[mapping.uuid] = deepcopy(mapping)
        self.rows.changed()
        return True

    async def remove_mapping(self, uuid: str) -> None:
        self.rows.made.pop(uuid, None)
        self.rows.changed()

    def problem(self) -> str | None:
        return None

    async def look(self) -> None:
        """Memory is never taken away."""
