"""What commands do with a store: read everything in it, give a position up, and bring a deleted mapping back."""

from dataclasses import replace

from poller.ports.store import Positions
from poller.state.kind import Contents
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


async def forget(store: Positions, uuid: str) -> None:
    """Delete everything stored of a mapping. What a daemon saves of it from now on is refused. Raises
    EnvironmentProblem.
    """
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
