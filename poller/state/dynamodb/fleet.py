"""The rows of a fleet in one DynamoDB table, as a `FleetStore`.

Members, pauses, actions and mappings are in the partition of the fleet, shards in eight partitions of their mapping.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar
from uuid import uuid4

from poller.policy.progress import StreamProgress
from poller.ports.fleet import Claimed, Lease, MemberRow, MemberState, Write
from poller.state.dynamodb import shards
from poller.state.dynamodb.items import (
    MOST_BYTES,
    Item,
    item,
    lease_of,
    shards_packed,
    shards_unpacked,
)
from poller.state.dynamodb.notes import Notes
from poller.state.dynamodb.table import Change, Table, Unmet
from poller.state.judging import in_rounds, stored_before
from poller.support import codec
from poller.values.errors import StateError

AT_ONCE = 20
"""Writes under way at the same time, of one call."""
DEAD = MemberState.DEAD.value

Result = TypeVar("Result")


class DynamoDBFleet(Notes):
    """One fleet's rows."""

    def __init__(self, table: Table, fleet: str) -> None:
        super().__init__(table, f"F#{fleet}")
        self._rows = shards.Rows(table, fleet)
        self._known: dict[str, shards.Mapping] = {}
        """Mappings as they were read last. Every write names the generation that it is for."""

    # members

    async def join(self, member: str, facts: Mapping[str, Any]) -> bool:
        return await self._joined(member, MemberState.ACTIVE.value, facts) != DEAD

    async def _joined(self, member: str, state: str, facts: Mapping[str, Any]) -> str:
        """Put a row where there is none. Returns the state of the one that stands."""
        row = item(pk=self.pk, sk=f"member#{member}", b=0, s=state, w=0, facts=_json(facts))
        try:
            await self.table.put(row, new=True)
        except Unmet as unmet:
            return "" if unmet.item is None else str(unmet.item["s"])
        return state

    async def beat(
        self, member: str, beat: int, state: MemberState, news: int, facts: Mapping[str, Any] | None = None
    ) -> bool:
        change = self._of_member(member, "#s <> :dead AND #b < :beat").where(dead=DEAD, beat=beat)
        change.set(b=beat, s=state.value, w=news)
        if facts is not None:
            change.set(facts=_json(facts))
        try:
            await self.table.update(change)
        except Unmet as unmet:
            return unmet.item is not None and unmet.item["s"] != DEAD
        return True

    async def bury(self, member: str, seen: int | None) -> bool:
        if seen is None:
            return await self._joined(member, DEAD, {}) == DEAD
        change = self._of_member(member, "#s <> :dead AND #b = :beat").where(dead=DEAD, beat=seen)
        return await self._ended(change)

    async def leave(self, member: str) -> None:
        await self._ended(self._of_member(member, "#s <> :dead").where(dead=DEAD))

    async def _ended(self, change: Change) -> bool:
        try:
            await self.table.update(change.set(s=DEAD))
        except Unmet as unmet:
            return unmet.item is not None and unmet.item["s"] == DEAD
        return True

    def _of_member(self, member: str, condition: str) -> Change:
        return Change(self.pk, f"member#{member}", f"attribute_exists(pk) AND {condition}")

    async def members(self) -> list[MemberRow]:
        return [self.read(_member, row) async for row in self.table.query(self.pk, "member#")]

    async def sweep(self, members: Collection[str]) -> None:
        await _each(self.table.delete(self.pk, f"member#{member}", "#s = :s", {"s": DEAD}) for member in members)

    # shards

    async def leases(self, uuid: str) -> dict[str, Lease]:
        mapping = await self._mapping(uuid, anew=True)
        if mapping is None:
            return {}
        first = {shard: Lease(finished=True) for shard, one in mapping.progress.shards.items() if one.finished}
        rows = await self._rows.leases(uuid)
        return first | {str(row["sk"]): self.read(lease_of, row, mapping.generation) for row in rows}

    async def claim(self, uuid: str, shard_id: str, member: str, seen: Lease) -> Claimed | None:
        mapping = await self._mapping(uuid)
        if mapping is None or _began_finished(mapping, shard_id):
            return None
        change = shards.claim(self._rows.key(uuid, shard_id), member, seen, mapping.generation)
        try:
            row = await self.table.update(change, returned=True)
        except Unmet as unmet:
            row = unmet.item
            claimed = Lease(member, seen.fence + 1)
            if row is None or self.read(lease_of, row, mapping.generation) != claimed:
                return None
        if row is None:
            raise StateError(f"the store {self.table.where} does not say what a claim has returned")
        if seen.fence == 0:
            # a shard without a row has none that says that the mapping was replaced
            now = await self._mapping(uuid, anew=True)
            if now is None or now.generation != mapping.generation:
                return None
        return Claimed(seen.fence + 1, await self._rows.claimed(uuid, shard_id, row, mapping))

    async def write(self, member: str, writes: Sequence[Write]) -> set[tuple[str, str]]:
        lost: set[tuple[str, str]] = set()
        for together in in_rounds(list(writes)):
            stored = await _each(self._written(member, one) for one in together)
            lost |= {(one.uuid, one.shard_id) for one, is_stored in zip(together, stored, strict=True) if not is_stored}
        return lost

    async def _written(self, member: str, one: Write) -> bool:
        """Whether it is stored, now or before."""
        mapping = await self._mapping(one.uuid)
        if mapping is None:
            return False
        change, parts = shards.write(self._rows.key(one.uuid, one.shard_id), member, one, mapping.generation)
        try:
            if parts:
                await self.table.together(change, parts)
            else:
                await self.table.update(change)
        except Unmet as unmet:
            if unmet.item is None or unmet.item.get("g") != mapping.generation:
                # a row of the stream before, whose owner is nobody's any more
                return False
            return stored_before(self.read(lease_of, unmet.item, mapping.generation), member, one)
        return True

    def listen(self, wake: Callable[[], None], told: Callable[[], None]) -> None:
        """See `FleetStore.listen`. A table tells nobody."""

    # positions

    async def _mapping(self, uuid: str, *, anew: bool = False) -> shards.Mapping | None:
        if anew or uuid not in self._known:
            row = await self.table.get(self.pk, f"map#{uuid}")
            if row is None:
                self._known.pop(uuid, None)
                return None
            self._known[uuid] = self.read(_mapping, row)
        return self._known[uuid]

    async def load(self, uuid: str) -> StreamProgress | None:
        mapping = await self._mapping(uuid, anew=True)
        if mapping is None:
            return None
        rows = await self._rows.all(uuid)
        stored = await self._rows.progress(uuid, rows, mapping)
        begun = mapping.progress
        return StreamProgress(
            begun.name, begun.event_source_arn, begun.epoch, begun.start, {**begun.shards, **stored}, mapping.generation
        )

    async def open(
        self, uuid: str, first: StreamProgress, *, instead_of: StreamProgress | None = None, by: str | None = None
    ) -> StreamProgress:
        generation = uuid4().hex
        condition = "attribute_not_exists(pk)"
        if instead_of is not None:
            same = "" if instead_of.opening is None else " AND #g = :opening"
            condition += f" OR (#arn = :old_arn AND #epoch = :old_epoch{same})"
        change = Change(self.pk, f"map#{uuid}", condition)
        if instead_of is not None:
            change.where(old_arn=instead_of.event_source_arn, old_epoch=instead_of.epoch)
            if instead_of.opening is not None:
                change.where(opening=instead_of.opening)
        change.set(name=first.name, arn=first.event_source_arn, epoch=first.epoch, g=generation)
        change.set(start=first.start, shards=self._small(shards_packed(first.shards)))
        try:
            if by is None:
                await self.table.update(change)
            else:
                # a change of its row and no mere check, which another permission would allow
                lives = self._of_member(by, "#s <> :dead").where(dead=DEAD).set(moved=generation)
                await self.table.together(change, also=lives)
        except Unmet:
            return await self.load(uuid) or first
        self._known[uuid] = shards.Mapping(generation, first)
        if instead_of is not None:
            await self._rows.raise_fences(uuid, generation)
        # not what is read now: others may have gone on from it
        return first.copied()

    def _small(self, value: bytes) -> bytes:
        if len(value) > MOST_BYTES:
            raise StateError(f"the store {self.table.where}: the list of shards is larger than an item of DynamoDB")
        return value

    async def drop(self, uuid: str, shard_ids: Collection[str]) -> None:
        mapping = await self._mapping(uuid)
        if mapping is None:
            return
        finished: dict[str, str | bool] = {"z": True, "pg": mapping.generation}
        keys = [self._rows.key(uuid, shard) for shard in shard_ids]
        await _each(self.table.delete(*key, "#z = :z AND #pg = :pg", finished) for key in keys)

    async def forget(self, uuid: str) -> None:
        await self.table.delete(self.pk, f"map#{uuid}")
        self._known.pop(uuid, None)
        await self._rows.delete(uuid)

    def problem(self) -> str | None:
        """No restart of the daemon mends a table."""
        return None

    async def look(self) -> None:
        """Each call tells for itself whether the table is there."""


async def _each(calls: Any) -> list[Any]:
    """Make the calls, some at a time. Raises what the first to fail raised, after all have ended."""
    some = asyncio.Semaphore(AT_ONCE)

    async def one(call: Any) -> Any:
        async with some:
            return await call

    results = await asyncio.gather(*(one(call) for call in calls), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def _began_finished(mapping: shards.Mapping, shard: str) -> bool:
    begun = mapping.progress.shards.get(shard)
    return begun is not None and begun.finished


def _json(facts: Mapping[str, Any]) -> str:
    return codec.dumps(facts).decode()


def _member(row: Item) -> MemberRow:
    member = row["sk"].removeprefix("member#")
    return MemberRow(member, row["b"], MemberState(row["s"]), row["w"], codec.loads(row["facts"].encode()))


def _mapping(row: Item) -> shards.Mapping:
    start = row.get("start")
    begun = shards_unpacked(row["shards"])
    progress = StreamProgress(row["name"], row["arn"], row["epoch"], None if start is None else float(start), begun)
    return shards.Mapping(row["g"], progress)
