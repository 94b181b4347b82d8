"""What is in the partition of the fleet beside members: names of mappings, pauses, actions, mappings made by API, and
what is kept for people.
"""

from collections.abc import Callable, Collection
from typing import TypeVar
from uuid import uuid4

from poller.policy.actions import MOST_ACTIONS, Action
from poller.policy.progress import Paused
from poller.state.dynamodb.items import Item, item, packed, unpacked
from poller.state.dynamodb.table import Change, Table, Unmet
from poller.state.rows import NONSENSE, action_of, action_text, mapping_of, mapping_text
from poller.values.kept import Kept
from poller.values.stored_mapping import StoredMapping

Result = TypeVar("Result")
LONG_TEXT = 100_000
"""Characters from which the text of an action is compressed."""
MADE_VERSION = "made_version"
"""The key of an item that each change of a made mapping replaces: daemons read it instead of all mappings."""


class Notes:
    """A part of `FleetStore`."""

    def __init__(self, table: Table, pk: str) -> None:
        """`pk` is the key of the partition."""
        self.table = table
        self.pk = pk

    async def stored(self) -> dict[str, tuple[str, str]]:
        rows = self.table.query(self.pk, "map#", ("sk", "name", "arn"))
        return {row["sk"].removeprefix("map#"): (row["name"], row["arn"]) async for row in rows}

    async def paused(self) -> dict[str, Paused]:
        rows = self.table.query(self.pk, "pause#")
        return {row["sk"].removeprefix("pause#"): Paused(float(row["since"]), row.get("name")) async for row in rows}

    async def pause(self, uuid: str, paused: Paused) -> None:
        await self.table.put(item(pk=self.pk, sk=f"pause#{uuid}", since=float(paused.since), name=paused.name))

    async def resume(self, uuid: str) -> None:
        await self.table.delete(self.pk, f"pause#{uuid}")

    async def note(self, action: Action) -> None:
        # in the order of their time
        key = f"action#{action.at:020.6f}#{action.id}"
        text = action_text(action)
        # that of a seek has the former position of each shard, and an item has 400 KB
        await self.table.put(item(pk=self.pk, sk=key, action=text if len(text) < LONG_TEXT else packed(text)))
        keys = [str(row["sk"]) async for row in self.table.query(self.pk, "action#", ("sk",))]
        await self.table.delete_all([(self.pk, surplus) for surplus in keys[:-MOST_ACTIONS]])

    async def actions(self) -> list[Action]:
        rows = [row async for row in self.table.query(self.pk, "action#")]
        return [self.read(_action, row) for row in reversed(rows)]

    async def keep(self, kept: Kept) -> None:
        key = f"kept#{kept.room}#{kept.id}"
        await self.table.put(item(pk=self.pk, sk=key, at=float(kept.at), about=kept.about, body=kept.body))

    async def kept(self, room: str) -> list[Kept]:
        prefix = f"kept#{room}#"
        found = [row async for row in self.table.query(self.pk, prefix, ("sk", "at", "about"))]
        kept = [self.read(lambda row: _kept(room, row["sk"].removeprefix(prefix), row), row) for row in found]
        return sorted(kept, key=lambda one: (one.at, one.id), reverse=True)

    async def kept_one(self, room: str, key: str) -> Kept | None:
        row = await self.table.get(self.pk, f"kept#{room}#{key}")
        return None if row is None else self.read(lambda row: _kept(room, key, row), row)

    async def let_go(self, room: str, ids: Collection[str]) -> None:
        await self.table.delete_all([(self.pk, f"kept#{room}#{key}") for key in ids])

    async def mappings(self) -> dict[str, StoredMapping]:
        rows = [row async for row in self.table.query(self.pk, "made#")]
        found = [self.read(_made, row) for row in rows]
        return {mapping.uuid: mapping for mapping in found}

    async def mappings_version(self) -> str:
        row = await self.table.get(self.pk, MADE_VERSION)
        return "" if row is None else self.read(lambda: str(row["version"]))

    async def write_mapping(self, mapping: StoredMapping) -> bool:
        text = mapping_text(mapping)
        condition = "(#revision = :revision AND #document = :document)"
        condition += " OR attribute_not_exists(pk)" if mapping.revision == 1 else " OR #revision = :before"
        change = Change(self.pk, f"made#{mapping.uuid}", condition)
        change.where(revision=mapping.revision, document=text)
        if mapping.revision != 1:
            change.where(before=mapping.revision - 1)
        version = item(pk=self.pk, sk=MADE_VERSION, version=str(uuid4()))
        try:
            await self.table.together(change.set(revision=mapping.revision, document=text), [version])
        except Unmet:
            return False
        return True

    async def remove_mapping(self, uuid: str) -> None:
        await self.table.delete(self.pk, f"made#{uuid}")

    def read(self, read: Callable[..., Result], *arguments: object) -> Result:
        """What `read` makes of an item. Raises StateError where that is nonsense."""
        try:
            return read(*arguments)
        except NONSENSE as error:
            raise self.table.nonsense(error) from error


def _action(row: Item) -> Action:
    written = row["action"]
    return action_of(unpacked(written) if isinstance(written, bytes) else written)


def _kept(room: str, key: str, row: Item) -> Kept:
    return Kept(room, key, float(row["at"]), row["about"], row.get("body", ""))


def _made(row: Item) -> StoredMapping:
    return mapping_of(row["sk"].removeprefix("made#"), row["revision"], row["document"])
