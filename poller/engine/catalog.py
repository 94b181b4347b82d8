"""The catalog of all mappings: those of the configuration, and those made through Lambda's API, which a store keeps.

The configuration wins: a made mapping that it contradicts does not run, and says why. What a call asks for is stored
before it is so. A mapping that is deleted runs no more at once; its position goes once it has ended, then itself.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from poller.configuration import Configuration, EventSourceMapping
from poller.configuration.made import read_made, shown_arn
from poller.engine.mappings import Mappings
from poller.functions.arns import arn_of
from poller.policy.mapping_states import ApiState, Change, api_state, creation, update
from poller.ports.daemon_status import Changes
from poller.ports.status import MappingStatus
from poller.ports.store import Positions
from poller.sources.kinds import KINDS
from poller.support import telemetry
from poller.values.errors import ConfigurationError, MappingChanged, MappingExists, StateError, UnknownFunction
from poller.values.stored_mapping import StoredMapping

FORGET_AGAIN_SECONDS = 5.0
"""Between two tries to delete from a store that fails."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A mapping of the catalog, as it is now."""

    uuid: str
    mapping: EventSourceMapping | None
    """As it runs, or would; None where it cannot."""
    status: MappingStatus | None
    """None where it does not run."""
    function_arn: str
    state: ApiState
    stored: StoredMapping | None
    """None for one of the configuration."""
    place: str = ""
    """Where it stands in the configuration's files."""
    problem: str = ""
    """Why a made mapping does not run."""


@dataclass(slots=True)
class _Made:
    """A made mapping, read for the present configuration."""

    stored: StoredMapping
    mapping: EventSourceMapping | None = None
    problem: str = ""
    change: Change | None = None


class Catalog:
    """Used within one running loop. Calls that change something raise StateError where nothing could be stored."""

    def __init__(self, mappings: Mappings, store: Positions, wall: Callable[[], float]) -> None:
        self._mappings = mappings
        self._store = store
        self._wall = wall
        self._made: dict[str, _Made] = {}
        self._going: dict[str, asyncio.Task[None]] = {}
        """The ends of deleted mappings, by uuid."""
        self._changing = asyncio.Lock()
        self._closed = False

    async def load(self, configuration: Configuration) -> None:
        """Know all mappings, and which are paused; nothing runs yet. Raises StateError."""
        self._configuration = configuration
        self._made = {uuid: _Made(stored) for uuid, stored in (await self._store.mappings()).items()}
        for made in self._made.values():
            self._read(made)
        await self._mappings.load(self._joined(), self._deleted())
        for made in self._made.values():
            if made.stored.deleted:
                self._finish(made)

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
        return [*found, *(self._entry(made, statuses) for made in self._made.values())]

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
        made = [one.mapping for one in self._made.values() if one.mapping is not None and one.stored.uuid != uuid]
        _refuse_twin(mapping, [*self._configuration.mappings, *made])
        return mapping

    async def create(self, parameters: Mapping[str, Any]) -> Entry:
        """Raises what `check` does, and MappingChanged at the daemon's stop."""
        async with self._changing:
            stored = StoredMapping(str(uuid4()), parameters, 1, self._wall())
            self.check(parameters)
            await self._write(stored)
            telemetry.logger().info("mapping_made", mapping=stored.uuid, source=parameters["EventSourceArn"])
            made = self._made[stored.uuid] = _Made(stored, change=creation(asyncio.get_running_loop().time()))
            return self._take(made)

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
            before = not paused and stored.parameters.get("Enabled", True)
            after = parameters.get("Enabled", True) and not (paused and not resume)
            made.change = update(before, after, asyncio.get_running_loop().time())
            telemetry.logger().info("made_mapping_changed", mapping=stored.uuid)
            return self._take(made)

    async def tag(self, stored: StoredMapping, tags: Mapping[str, str]) -> None:
        """Give a mapping other tags; it goes on. Raises MappingChanged."""
        async with self._changing:
            self._take(await self._next(replace(stored, parameters={**stored.parameters, "Tags": tags})))

    async def delete(self, stored: StoredMapping) -> Entry:
        """Stop a mapping softly, and forget it and its position. Raises MappingChanged."""
        async with self._changing:
            made = await self._next(replace(stored, deleted=True))
            telemetry.logger().info("made_mapping_deleted", mapping=stored.uuid)
            entry = self._take(made)
            self._finish(made)
            return entry

    async def _next(self, changed: StoredMapping) -> _Made:
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

    def _take(self, made: _Made) -> Entry:
        """Run as it is stored now."""
        self._read(made)
        if not self._closed:
            self._run()
        return self._entry(made, self._mappings.statuses())

    def _finish(self, made: _Made) -> None:
        uuid = made.stored.uuid
        self._going[uuid] = asyncio.get_running_loop().create_task(self._forget(uuid), name=f"forget {uuid}")

    async def _forget(self, uuid: str) -> None:
        await self._mappings.ended(uuid)
        while True:
            try:
                await self._store.forget(uuid)
                await self._mappings.forget_pause(uuid)
                await self._store.remove_mapping(uuid)
            except StateError as error:
                telemetry.logger().warning("made_mapping_not_forgotten", mapping=uuid, text=str(error))
                await asyncio.sleep(FORGET_AGAIN_SECONDS)
            else:
                break
        del self._made[uuid], self._going[uuid]
        if not self._closed:
            self._run()

    def stop(self) -> None:
        """Change nothing any more. What was not forgotten yet is at the next start."""
        self._closed = True

    async def close(self) -> None:
        """Call it before the store is closed."""
        self.stop()
        for task in list(self._going.values()):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def _refuse_twin(mapping: EventSourceMapping, others: Sequence[EventSourceMapping]) -> None:
    """Raises MappingExists."""
    for other in others:
        same = other.event_source_arn == mapping.event_source_arn and other.function.same_target(mapping.function)
        if same or other.uuid == mapping.uuid:
            raise MappingExists(other.uuid)
