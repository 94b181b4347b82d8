"""The catalog of all mappings: those of the configuration, and those made through Lambda's API, which a store keeps.

The configuration wins: a made mapping that it contradicts does not run, and says why. What a call asks for is stored
before it is so. Every daemon on the store follows what is stored, whichever of them was asked: `look` finds it. A
mapping that is deleted runs no more at once; it and its position stay stored for a week, so that it can be restored.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from poller.configuration import Configuration, EventSourceMapping
from poller.configuration.made import read_made, shown_arn
from poller.engine.catalog_entry import Entry
from poller.engine.mappings import Mappings
from poller.functions.arns import arn_of
from poller.policy.mapping_states import ApiState, Change, api_state, creation, update
from poller.ports.daemon_status import Changes
from poller.ports.status import MappingStatus
from poller.ports.store import Positions
from poller.sources.kinds import KINDS
from poller.support import telemetry
from poller.values.errors import ConfigurationError, MappingChanged, MappingExists, UnknownFunction
from poller.values.stored_mapping import KEPT_SECONDS, StoredMapping


@dataclass(slots=True)
class _Made:
    """A made mapping, read for the present configuration."""

    stored: StoredMapping
    mapping: EventSourceMapping | None = None
    problem: str = ""
    change: Change | None = None


class Catalog:
    """Used within one running loop. Calls that change something raise StateError where nothing could be stored."""

    def __init__(
        self,
        mappings: Mappings,
        store: Positions,
        wall: Callable[[], float],
        *,
        tell: Callable[[], None] = lambda: None,
        runs_elsewhere: Callable[[str], bool] = lambda _uuid: False,
    ) -> None:
        """It calls `tell` when others should look at what is stored. `runs_elsewhere`: whether another daemon is known
        to run the mapping of a uuid.
        """
        self._mappings = mappings
        self._store = store
        self._wall = wall
        self._tell = tell
        self._runs_elsewhere = runs_elsewhere
        self._made: dict[str, _Made] = {}
        self._version: str | None = None
        """What the store said of its mappings when they were last read."""
        self._changing = asyncio.Lock()
        self._closed = False

    async def load(self, configuration: Configuration) -> None:
        """Know all mappings, and which are paused; nothing runs yet. Raises StateError."""
        self._configuration = configuration
        self._version = await self._store.mappings_version()
        self._made = {uuid: _Made(stored) for uuid, stored in (await self._store.mappings()).items()}
        for made in self._made.values():
            self._read(made)
        await self._mappings.load(self._joined(), self._deleted())

    async def look(self) -> None:
        """Run what is stored by now, whoever stored it, and forget what was deleted a week ago. Raises StateError."""
        async with self._changing:
            await self._follow()
            for uuid, made in [*self._made.items()]:
                if made.stored.deleted and self._wall() - made.stored.modified >= KEPT_SECONDS and not self._closed:
                    await self._forget(uuid)

    async def _follow(self) -> None:
        """Raises StateError."""
        version = await self._store.mappings_version()
        if version == self._version:
            return
        found = await self._store.mappings()
        # asked for before the mappings were read: what changed in between is another version at the next look
        self._version = version
        if self._closed:
            return
        known = {uuid: made.stored for uuid, made in self._made.items()}
        changed = [stored for uuid, stored in found.items() if known.get(uuid) != stored]
        gone = known.keys() - found.keys()
        for uuid in gone:
            del self._made[uuid]
        for stored in changed:
            self._follow_one(stored)
        if changed or gone:
            self._run()

    def _follow_one(self, stored: StoredMapping) -> None:
        now, before = asyncio.get_running_loop().time(), self._made.get(stored.uuid)
        change = creation(now) if before is None else update(_is_enabled(before.stored), _is_enabled(stored), now)
        made = self._made[stored.uuid] = _Made(stored, change=change)
        self._read(made)
        telemetry.logger().info("made_mapping_followed", mapping=stored.uuid, revision=stored.revision)

    async def _forget(self, uuid: str) -> None:
        """Raises StateError; then it is done at a later look."""
        await self._store.forget(uuid)
        await self._mappings.forget_pause(uuid)
        await self._store.remove_mapping(uuid)
        del self._made[uuid]
        telemetry.logger().info("made_mapping_forgotten", mapping=uuid)
        self._run()

    def apply(self, configuration: Configuration) -> Changes:
        """Run by another configuration from now on."""
        self._configuration = configuration
        for made in self._made.values():
            self._read(made)
        return self._run()

    def _run(self) -> Changes:
        return self._mappings.apply(self._joined(), self._deleted())

    def _joined(self) -> list[EventSourceMapping]:
        made = [one.mapping for one in self._made.values() if one.mapping is not None and not one.stored.deleted]
        return [*self._configuration.mappings, *made]

    def _deleted(self) -> set[str]:
        return {uuid for uuid, made in self._made.items() if made.stored.deleted}

    def _read(self, made: _Made) -> None:
        """As it is beside the configuration, whose mappings come first."""
        stored = made.stored
        try:
            mapping = read_made(self._configuration, stored.uuid, stored.parameters)
            _refuse_twin(mapping, self._configuration.mappings)
        except (ConfigurationError, UnknownFunction, MappingExists) as error:
            made.mapping, made.problem, made.change = None, str(error), None
            if not stored.deleted:
                telemetry.logger().warning("made_mapping_not_run", mapping=stored.uuid, text=str(error))
        else:
            made.mapping, made.problem = mapping, ""

    # what is there

    def entries(self) -> list[Entry]:
        """All of them: those of the configuration as they stand there, then the others."""
        places, statuses = self._configuration.mapping_places, self._mappings.statuses()
        found = []
        for mapping in self._configuration.mappings:
            status = statuses.get(mapping.uuid)
            state = self._state(mapping, None)
            place = places.get(mapping.uuid, "")
            found.append(Entry(mapping.uuid, mapping, status, arn_of(mapping), state, None, place))
        # a deleted one until every daemon has let go of it
        made = [one for uuid, one in self._made.items() if not one.stored.deleted or self._runs(uuid)]
        return [*found, *(self._entry(one, statuses) for one in made)]

    def _runs(self, uuid: str) -> bool:
        return uuid in self._mappings.statuses() or self._runs_elsewhere(uuid)

    def find(self, uuid: str) -> Entry | None:
        """One of them."""
        return next((entry for entry in self.entries() if entry.uuid == uuid), None)

    def _entry(self, made: _Made, statuses: Mapping[str, MappingStatus]) -> Entry:
        stored, mapping = made.stored, made.mapping
        arn = shown_arn(stored.parameters["FunctionName"], "" if mapping is None else arn_of(mapping))
        if stored.deleted:
            state = ApiState.DELETING
        else:
            state = ApiState.DISABLED if mapping is None else self._state(mapping, made.change)
        return Entry(stored.uuid, mapping, statuses.get(stored.uuid), arn, state, stored, problem=made.problem)

    def _state(self, mapping: EventSourceMapping, change: Change | None) -> ApiState:
        return api_state(
            change,
            asyncio.get_running_loop().time(),
            enabled=mapping.enabled and not self._mappings.is_paused(mapping.uuid),
            applied=self._mappings.is_applied(mapping.uuid),
            rests_at_once=KINDS[mapping.source.kind].lambda_words.rests_at_once,
        )

    # what changes it

    def check(self, parameters: Mapping[str, Any], uuid: str | None = None) -> EventSourceMapping:
        """The mapping that these parameters make, beside all others. `uuid` is that of the one they are to change.

        Raises ConfigurationError, UnknownFunction and MappingExists.
        """
        mapping = read_made(self._configuration, uuid or str(uuid4()), parameters)
        others = [entry.mapping for entry in self.entries() if entry.uuid != uuid and entry.mapping is not None]
        _refuse_twin(mapping, others)
        return mapping

    async def create(self, parameters: Mapping[str, Any]) -> Entry:
        """Raises what `check` does, and MappingChanged at the daemon's stop."""
        async with self._changing:
            await self._follow()
            stored = StoredMapping(self._new_uuid(self.check(parameters)), parameters, 1, self._wall())
            try:
                await self._write(stored)
            except MappingChanged:
                await self._follow()
                # another daemon was asked for the same at the same instant
                self.check(parameters)
                raise
            telemetry.logger().info("mapping_made", mapping=stored.uuid, source=parameters["EventSourceArn"])
            made = self._made[stored.uuid] = _Made(stored, change=creation(asyncio.get_running_loop().time()))
            return self._take(made)

    def _new_uuid(self, mapping: EventSourceMapping) -> str:
        """The same at every daemon within a day, so that a store takes one of two that are made at one instant."""
        named = *_reads(mapping), arn_of(mapping), str(self._wall() // 86400)
        uuids = (str(uuid5(NAMESPACE_URL, "\n".join((*named, str(number))))) for number in count())
        # that of a deleted one is not used again: what is stored of it is forgotten after a week
        return next(uuid for uuid in uuids if uuid not in self._made)

    async def change(self, stored: StoredMapping, parameters: Mapping[str, Any], *, resume: bool) -> Entry:
        """Give a mapping other parameters; `resume` lets a paused one run again.

        Raises what `check` does, and MappingChanged where it is another by now than `stored`.
        """
        async with self._changing:
            self.check(parameters, stored.uuid)
            paused = self._mappings.is_paused(stored.uuid)
            made = await self._next(replace(stored, parameters=parameters))
            if paused and resume:
                await self._mappings.forget_pause(stored.uuid)
            before = not paused and _is_enabled(stored)
            after = parameters.get("Enabled", True) and not (paused and not resume)
            made.change = update(before, after, asyncio.get_running_loop().time())
            telemetry.logger().info("made_mapping_changed", mapping=stored.uuid)
            return self._take(made)

    async def tag(self, stored: StoredMapping, tags: Mapping[str, str]) -> None:
        """Give a mapping other tags; it goes on. Raises MappingChanged."""
        async with self._changing:
            self._take(await self._next(replace(stored, parameters={**stored.parameters, "Tags": tags})))

    async def delete(self, stored: StoredMapping) -> Entry:
        """Stop a mapping softly. It and its position can be restored for a week. Raises MappingChanged."""
        async with self._changing:
            made = await self._next(replace(stored, deleted=True))
            telemetry.logger().info("made_mapping_deleted", mapping=stored.uuid, kept_days=KEPT_SECONDS / 86400)
            return self._take(made)

    async def _next(self, changed: StoredMapping) -> _Made:
        await self._follow()
        made = self._made.get(changed.uuid)
        if made is None or made.stored.revision != changed.revision:
            raise MappingChanged(f"the mapping {changed.uuid} was changed meanwhile")
        stored = replace(changed, revision=changed.revision + 1, modified=self._wall())
        await self._write(stored)
        made.stored = stored
        return made

    async def _write(self, stored: StoredMapping) -> None:
        if self._closed or not await self._store.write_mapping(stored):
            raise MappingChanged(f"the mapping {stored.uuid} was changed meanwhile, or the daemon stops")
        self._tell()

    def _take(self, made: _Made) -> Entry:
        """Run as it is stored now."""
        self._read(made)
        if not self._closed:
            self._run()
        return self._entry(made, self._mappings.statuses())

    def stop(self) -> None:
        """Change nothing any more."""
        self._closed = True


def _is_enabled(stored: StoredMapping) -> bool:
    return bool(stored.parameters.get("Enabled", True))


def _refuse_twin(mapping: EventSourceMapping, others: Sequence[EventSourceMapping]) -> None:
    """Raises MappingExists."""
    for other in others:
        same = _reads(other) == _reads(mapping) and other.function.same_target(mapping.function)
        if same or other.uuid == mapping.uuid:
            raise MappingExists(other.uuid)


def _reads(mapping: EventSourceMapping) -> tuple[str, ...]:
    """A cluster is as many sources as databases and collections are read of it."""
    documents = mapping.document_db
    if documents is None:
        return (mapping.event_source_arn,)
    return mapping.event_source_arn, documents.database_name, documents.collection_name or ""
