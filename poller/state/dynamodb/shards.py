"""The rows of shards: how each conditional write is put, and how rows are read.

The attributes are short, for a row under 1 KB costs one write unit: o owner, f fence, v version, n next, g generation
of the mapping, and of the progress p lanes, i initial, z finished, pg generation, k parts and t their tag.

A generation is one opening of a mapping: after its stream was replaced, rows of the one before count for their fence
alone. So a mapping is opened and replaced by one write, however many rows there are.
"""

import asyncio
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from poller.policy.progress import ShardProgress, StreamProgress
from poller.ports.fleet import Lease, Write
from poller.state.dynamodb.items import Item, item, packed, unpacked
from poller.state.dynamodb.table import Change, Table, Unmet
from poller.state.judging import is_end
from poller.state.rows import NONSENSE, progress_of, progress_text
from poller.values.errors import StateError

BUCKETS = 8
"""Partition keys of a mapping: one key takes 1,000 write units a second."""
PART_BYTES = 300_000
"""Of progress in one item; the rest, of windows with much state, is in items beside it."""
MOST_PARTS = 11
"""A transaction takes 4 MB."""
PART = "/part/"
LEASE = ("sk", "o", "f", "v", "n", "g", "z", "pg")
"""Attributes of a lease."""
TRIES = 3
"""Reads of a row and its parts, while somebody writes them."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """What a mapping was opened with."""

    generation: str
    progress: StreamProgress
    """With the shards it began with, as long as their rows say nothing newer."""


def bucket(fleet: str, uuid: str, number: int) -> str:
    return f"S#{fleet}#{uuid}#{number}"


def partition(fleet: str, uuid: str, shard: str) -> str:
    """The partition key of a shard's row."""
    return bucket(fleet, uuid, zlib.crc32(shard.encode()) % BUCKETS)


def claim(key: tuple[str, str], member: str, seen: Lease, generation: str) -> Change:
    """Take a shard, which may have no row yet where nobody ever had it."""
    owned = "#o = :owner" if seen.owner is not None else "attribute_not_exists(#o)"
    unfinished = "(attribute_not_exists(#z) OR #z = :open OR #pg <> :generation)"
    ways = [f"(#f = :fence AND #g = :generation AND {owned} AND {unfinished})"]
    if seen.owner is None:
        ways.append("(#f = :fence AND #g <> :generation)")
    if (seen.owner, seen.fence) == (None, 0):
        ways.append("attribute_not_exists(pk)")
    change = Change(*key, " OR ".join(ways)).where(fence=seen.fence, generation=generation, open=False)
    if seen.owner is not None:
        change.where(owner=seen.owner)
    return change.set(o=member, f=seen.fence + 1, v=0, g=generation, n=None)


def write(key: tuple[str, str], member: str, one: Write, generation: str) -> tuple[Change, list[dict[str, object]]]:
    """Store one write, with the items of its parts. Raises StateError for progress that is too large."""
    condition = "#o = :owner AND #f = :fence AND #v < :version AND #g = :generation"
    change = Change(*key, condition).where(owner=member, fence=one.fence, version=one.version, generation=generation)
    change.set(v=one.version, n=one.to if one.release else None)
    if is_end(one):
        change.set(o=None)
    parts: list[dict[str, object]] = []
    if one.progress is not None:
        first, *rest = _cut(packed(progress_text(one.progress)), one.shard_id)
        tag = f"{one.fence}.{one.version}"
        change.set(p=first, i=one.progress.initial, z=one.progress.finished, pg=generation)
        change.set(k=len(rest) or None, t=tag if rest else None)
        pk, sk = key
        parts = [item(pk=pk, sk=f"{sk}{PART}{number}", p=part, t=tag) for number, part in enumerate(rest)]
    return change, parts


def _cut(value: bytes, shard: str) -> list[bytes]:
    parts = [value[start : start + PART_BYTES] for start in range(0, len(value), PART_BYTES)]
    if len(parts) > MOST_PARTS:
        raise StateError(f"the windows of the shard {shard} hold more state than DynamoDB stores at once, about 3 MB")
    return parts


class Rows:
    """Reads the rows of one fleet's shards."""

    def __init__(self, table: Table, fleet: str) -> None:
        self._table = table
        self._fleet = fleet

    def key(self, uuid: str, shard: str) -> tuple[str, str]:
        return partition(self._fleet, uuid, shard), shard

    async def all(self, uuid: str, attributes: tuple[str, ...] = ()) -> list[Item]:
        """Every item of the mapping's shards, parts included."""

        async def of(number: int) -> list[Item]:
            return [row async for row in self._table.query(bucket(self._fleet, uuid, number), attributes=attributes)]

        found = await asyncio.gather(*(of(number) for number in range(BUCKETS)))
        return [row for rows in found for row in rows]

    async def leases(self, uuid: str) -> list[Item]:
        """The rows, without their progress."""
        return [row for row in await self.all(uuid, LEASE) if "f" in row]

    async def progress(self, uuid: str, rows: Iterable[Item], mapping: Mapping) -> dict[str, ShardProgress]:
        """What is stored of the shards of these rows."""
        items = {str(row["sk"]): row for row in rows}
        found = {}
        for shard, row in items.items():
            if "f" in row and row.get("pg") == mapping.generation:
                found[shard] = await self._one(uuid, shard, row, items)
        return found

    async def _one(self, uuid: str, shard: str, row: Item, items: dict[str, Item]) -> ShardProgress:
        for _ in range(TRIES):
            parts = [items.get(f"{shard}{PART}{number}", {}) for number in range(row.get("k", 0))]
            try:
                if all(part.get("t") == row["t"] for part in parts):
                    whole = b"".join([row["p"], *(part["p"] for part in parts)])
                    return progress_of(unpacked(whole), initial=row["i"], finished=row["z"])
            except NONSENSE as error:
                raise self._table.nonsense(error) from error
            # written in between, or read alone
            pk, _ = self.key(uuid, shard)
            items = {str(each["sk"]): each async for each in self._table.query(pk, shard)}
            row = items.get(shard, row)
        raise StateError(f"the store {self._table.where}: the parts of the shard {shard} do not fit together")

    async def claimed(self, uuid: str, shard: str, row: Item, mapping: Mapping) -> ShardProgress:
        """What is stored of one shard, by its row."""
        found = await self.progress(uuid, [row], mapping)
        return found.get(shard) or mapping.progress.shards.get(shard) or ShardProgress()

    async def raise_fences(self, uuid: str, generation: str) -> None:
        """After a mapping was replaced: let every delayed write of the one before fail."""
        for row in await self.leases(uuid):
            if row["g"] != generation:
                change = Change(*self.key(uuid, str(row["sk"])), "#f = :fence AND #g <> :generation")
                change.where(fence=row["f"], generation=generation)
                # whoever claims it meanwhile has raised it by that
                with suppress(Unmet):
                    await self._table.update(change.set(f=row["f"] + 1, v=0, g=generation, o=None, n=None))

    async def delete(self, uuid: str) -> None:
        """Delete every row of a mapping."""
        await self._table.delete_all([(str(row["pk"]), str(row["sk"])) for row in await self.all(uuid, ("pk", "sk"))])
