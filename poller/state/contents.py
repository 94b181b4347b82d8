"""What commands do with a store that daemons share: read everything in it, and give a position up."""

from poller.ports.store import Positions
from poller.state.kind import Contents
from poller.values.errors import EnvironmentProblem, StateError


async def contents(store: Positions) -> Contents:
    """Read everything. Raises EnvironmentProblem."""
    try:
        found = {uuid: await store.load(uuid) for uuid in await store.stored()}
        paused = await store.paused()
    except StateError as error:
        raise EnvironmentProblem(str(error)) from error
    return Contents({uuid: progress for uuid, progress in found.items() if progress is not None}, paused)


async def forget(store: Positions, uuid: str) -> None:
    """Delete everything stored of a mapping. What a daemon saves of it from now on is refused. Raises
    EnvironmentProblem.
    """
    try:
        await store.forget(uuid)
        await store.resume(uuid)
    except StateError as error:
        raise EnvironmentProblem(str(error)) from error
