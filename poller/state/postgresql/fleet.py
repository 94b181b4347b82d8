"""The rows of a fleet in PostgreSQL, as a `FleetStore`."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, LiteralString, TypeVar, TypeVarTuple

import psycopg

from poller.policy.actions import MOST_ACTIONS, Action
from poller.policy.progress import Paused, ShardProgress, StreamProgress
from poller.ports.fleet import Claimed, Lease, MemberRow, MemberState, Write
from poller.state.judging import in_rounds, is_end, stored_before
from poller.state.postgresql import statements as sql
from poller.state.postgresql.connections import Connections, Rows
from poller.state.rows import (
    NONSENSE,
    action_of,
    action_text,
    mapping_of,
    mapping_text,
    progress_of,
    progress_text,
)
from poller.support import codec
from poller.values.errors import StateError
from poller.values.kept import Kept
from poller.values.stored_mapping import StoredMapping

Value = TypeVar("Value")
Columns = TypeVarTuple("Columns")
LISTEN_AGAIN_SECONDS = 10.0
"""Between two tries to listen. Nothing waits for it: what is heard only hastens."""


class PostgresqlFleet:
    """One fleet's rows. `close` ends it."""

    def __init__(self, connections: Connections, fleet: str) -> None:
        self._connections = connections
        self._fleet = fleet
        self._listening: asyncio.Task[None] | None = None

    async def _rows(self, statement: LiteralString, **parameters: object) -> Rows:
        return await self._connections.rows(statement, {"fleet": self._fleet, **parameters})

    # members

    async def join(self, member: str, facts: Mapping[str, Any]) -> bool:
        state = MemberState.ACTIVE.value
        if await self._rows(sql.JOIN, member=member, state=state, facts=_json(facts)):
            return True
        return await self._is_alive(member)

    async def beat(
        self, member: str, beat: int, state: MemberState, news: int, facts: Mapping[str, Any] | None = None
    ) -> bool:
        told = None if facts is None else _json(facts)
        if await self._rows(sql.BEAT, member=member, beat=beat, state=state.value, news=news, facts=told):
            return True
        return await self._is_alive(member)

    async def _is_alive(self, member: str) -> bool:
        rows = await self._rows(sql.STATE_OF, member=member)
        return bool(rows) and rows[0][0] != MemberState.DEAD.value

    async def bury(self, member: str, seen: int | None) -> bool:
        if seen is None:
            await self._rows(sql.JOIN, member=member, state=MemberState.DEAD.value, facts="{}")
        else:
            await self._rows(sql.BURY, member=member, seen=seen)
        rows = await self._rows(sql.STATE_OF, member=member)
        return bool(rows) and rows[0][0] == MemberState.DEAD.value

    async def leave(self, member: str) -> None:
        await self._rows(sql.LEAVE, member=member)

    async def members(self) -> list[MemberRow]:
        return [self._understood(_member, *row) for row in await self._rows(sql.MEMBERS)]

    async def sweep(self, members: Collection[str]) -> None:
        await self._rows(sql.SWEEP, members=list(members))

    # shards

    async def leases(self, uuid: str) -> dict[str, Lease]:
        return {shard: Lease(*lease) for shard, *lease in await self._rows(sql.LEASES, uuid=uuid)}

    async def claim(self, uuid: str, shard_id: str, member: str, seen: Lease) -> Claimed | None:
        # only what nobody ever had may be without a row
        statement = sql.CLAIM_NEW if (seen.owner, seen.fence) == (None, 0) else sql.CLAIM
        named = {"uuid": uuid, "shard": shard_id, "member": member, "fence": seen.fence}
        rows = await self._rows(statement, owner=seen.owner, **named) or await self._rows(sql.CLAIMED, **named)
        if not rows:
            return None
        fence, initial, finished, text, *_ = rows[0]
        return Claimed(fence, self._understood(_progress, initial, finished, text))

    async def write(self, member: str, writes: Sequence[Write]) -> set[tuple[str, str]]:
        lost: set[tuple[str, str]] = set()
        for together in in_rounds(list(writes)):
            lost |= await self._write(member, together)
        return lost

    async def _write(self, member: str, writes: list[Write]) -> set[tuple[str, str]]:
        stored = await self._rows(sql.WRITE, member=member, **_columns(writes))
        written = {(uuid, shard) for uuid, shard, _ in stored}
        doubtful = [one for one in writes if (one.uuid, one.shard_id) not in written]
        if not doubtful:
            return set()
        keys = {"uuids": [one.uuid for one in doubtful], "shards": [one.shard_id for one in doubtful]}
        rows = {(uuid, shard): Lease(*lease) for uuid, shard, *lease in await self._rows(sql.READ_BACK, **keys)}
        judged = {(one.uuid, one.shard_id): one for one in doubtful}
        return {key for key, one in judged.items() if not stored_before(rows.get(key), member, one)}

    def listen(self, wake: Callable[[], None], told: Callable[[], None]) -> None:
        """See `FleetStore.listen`."""
        self._listening = asyncio.ensure_future(self._listen({sql.CHANGED: wake, sql.TOLD: told}))

    async def _listen(self, wakes: Mapping[str, Callable[[], None]]) -> None:
        while True:
            with suppress(StateError, psycopg.Error):
                connection = await self._connections.connect(
                    asyncio.get_running_loop().time() + self._connections.seconds
                )
                async with connection:
                    await connection.execute(sql.LISTEN)
                    wakes[sql.CHANGED]()  # what was told before is not heard
                    async for heard in connection.notifies():
                        if heard.payload == self._fleet:
                            wakes[heard.channel]()
            await asyncio.sleep(LISTEN_AGAIN_SECONDS)

    # positions

    async def load(self, uuid: str) -> StreamProgress | None:
        rows = await self._rows(sql.LOAD, uuid=uuid)
        if not rows:
            return None
        name, arn, epoch, start, opening = rows[0]
        shards = {
            shard: self._understood(_progress, *columns)
            for shard, *columns in await self._rows(sql.LOAD_SHARDS, uuid=uuid)
        }
        return StreamProgress(name, arn, epoch, start, shards, opening)

    async def open(
        self, uuid: str, first: StreamProgress, *, instead_of: StreamProgress | None = None, by: str | None = None
    ) -> StreamProgress:
        shards = first.shards.values()
        opened = await self._rows(
            sql.OPEN,
            uuid=uuid,
            name=first.name,
            arn=first.event_source_arn,
            epoch=first.epoch,
            start=first.start,
            old_arn=None if instead_of is None else instead_of.event_source_arn,
            old_epoch=None if instead_of is None else instead_of.epoch,
            opening=None if instead_of is None else instead_of.opening,
            member=by,
            shards=list(first.shards),
            initial=[shard.initial for shard in shards],
            finished=[shard.finished for shard in shards],
            progress=[progress_text(shard) for shard in shards],
        )
        return first if opened else await self.load(uuid) or first

    async def drop(self, uuid: str, shard_ids: Collection[str]) -> None:
        await self._rows(sql.DROP, uuid=uuid, shards=list(shard_ids))

    async def stored(self) -> dict[str, tuple[str, str]]:
        return {uuid: (name, arn) for uuid, name, arn in await self._rows(sql.STORED)}

    async def forget(self, uuid: str) -> None:
        await self._rows(sql.FORGET, uuid=uuid)

    async def paused(self) -> dict[str, Paused]:
        return {uuid: Paused(since, name) for uuid, since, name in await self._rows(sql.PAUSED)}

    async def pause(self, uuid: str, paused: Paused) -> None:
        await self._rows(sql.PAUSE, uuid=uuid, since=float(paused.since), name=paused.name)

    async def resume(self, uuid: str) -> None:
        await self._rows(sql.RESUME, uuid=uuid)

    async def note(self, action: Action) -> None:
        await self._rows(sql.NOTE, id=action.id, at=float(action.at), action=action_text(action))
        await self._rows(sql.FORGET_ACTIONS, most=MOST_ACTIONS)

    async def actions(self) -> list[Action]:
        return [self._understood(action_of, text) for (text,) in await self._rows(sql.ACTIONS)]

    async def keep(self, kept: Kept) -> None:
        values = {"id": kept.id, "at": float(kept.at), "about": kept.about, "body": kept.body}
        await self._rows(sql.KEEP, room=kept.room, **values)

    async def kept(self, room: str) -> list[Kept]:
        return [Kept(*row) for row in await self._rows(sql.KEPT, room=room)]

    async def kept_one(self, room: str, key: str) -> Kept | None:
        rows = await self._rows(sql.KEPT_ONE, room=room, id=key)
        return Kept(*rows[0]) if rows else None

    async def let_go(self, room: str, ids: Collection[str]) -> None:
        await self._rows(sql.LET_GO, room=room, ids=list(ids))

    async def mappings(self) -> dict[str, StoredMapping]:
        return {row[0]: self._understood(mapping_of, *row) for row in await self._rows(sql.MADE)}

    async def mappings_version(self) -> str:
        ((version,),) = await self._rows(sql.MADE_VERSION)
        return str(version)

    async def write_mapping(self, mapping: StoredMapping) -> bool:
        statement = sql.MADE_FIRST if mapping.revision == 1 else sql.MADE_NEXT
        document = mapping_text(mapping)
        return bool(await self._rows(statement, uuid=mapping.uuid, revision=mapping.revision, document=document))

    async def remove_mapping(self, uuid: str) -> None:
        await self._rows(sql.MADE_NO_MORE, uuid=uuid)

    def problem(self) -> str | None:
        """No restart of the daemon mends a database."""
        return None

    async def look(self) -> None:
        """Each call tells for itself whether the database is there."""

    async def close(self) -> None:
        """End its connections."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait({self._listening})
        await self._connections.close()

    def _understood(self, read: Callable[[*Columns], Value], *columns: *Columns) -> Value:
        try:
            return read(*columns)
        except NONSENSE as error:
            raise StateError(f"the store {self._connections.where}: a row is damaged ({error})") from error


def _member(member: str, beat: int, state: str, news: int, facts: str) -> MemberRow:
    return MemberRow(member, beat, MemberState(state), news, codec.loads(facts.encode()))


def _progress(initial: bool, finished: bool, text: str | None) -> ShardProgress:
    return progress_of(text, initial=initial, finished=finished)


def _json(facts: Mapping[str, Any]) -> str:
    return codec.dumps(facts).decode()


def _columns(writes: list[Write]) -> dict[str, object]:
    """The writes as one array for each column."""
    return {
        "uuids": [one.uuid for one in writes],
        "shards": [one.shard_id for one in writes],
        "fences": [one.fence for one in writes],
        "versions": [one.version for one in writes],
        # of those that leave the progress as it is, none
        "progress": [None if one.progress is None else progress_text(one.progress) for one in writes],
        "initial": [None if one.progress is None else one.progress.initial for one in writes],
        "finished": [(one.progress or ShardProgress()).finished for one in writes],
        "ends": [is_end(one) for one in writes],
        "next": [one.to if one.release else None for one in writes],
    }
