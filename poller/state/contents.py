"""What commands do with a store: read everything in it, give a position up, and bring a deleted mapping back."""

from dataclasses import replace

from poller.ports.fleet import FleetStore
from poller.ports.store import Positions
from poller.state.kind import Contents
from poller.state.presence import alive, may_run
from poller.values.errors import EnvironmentProblem, StateError
from poller.values.stored_mapping import StoredMapping


async def contents(store: Positions) -> Contents:
    """Read everything. Raises EnvironmentProblem."""
    try:
        found = {uuid: await store.load(uuid) for uuid in await store.stored()}
        paused, made = await store.paused(), await store.mappings()
    except StateError as error:
        raise EnvironmentProblem(str(error)) from error
    return Contents({uuid: progress for uuid, progress in found.items() if progress is not None}, paused, made)


async def unused(store: FleetStore, uuid: str) -> None:
    """See that no daemon has a mapping: it would go on from what it knows, and store that. Raises EnvironmentProblem
    where one does.
    """
    try:
        runs = await alive(store, lambda row: may_run(row, uuid))
    except StateError as error:
        raise EnvironmentProblem(str(error)) from error
    if runs is not None:
        raise EnvironmentProblem(
            f"{runs.facts.get('name') or runs.id}, a poller that is running, may have the mapping; stop every daemon "
            "that has it, or take it out of their configurations, and give it up then"
        )


async def forget(store: Positions, uuid: str) -> None:
    """Delete everything stored of a mapping. Raises EnvironmentProblem."""
    try:
        await store.forget(uuid)
        await store.resume(uuid)
    except StateError as error:
        raise EnvironmentProblem(str(error)) from error


async def restore(store: Positions, deleted: StoredMapping, now: float) -> None:
    """Let a deleted mapping run again, from the position it had. `now`: epoch seconds. Raises EnvironmentProblem."""
    back = replace(deleted, deleted=False, revision=deleted.revision + 1, modified=now)
    try:
        if not await store.write_mapping(back):
            raise EnvironmentProblem(f"the mapping {deleted.uuid} was changed meanwhile; look again")
    except StateError as error:
        raise EnvironmentProblem(str(error)) from error
