"""Copies everything from one store into another."""

from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from poller.policy.progress import Paused, StreamProgress
from poller.ports.store import StateStore
from poller.values.errors import EnvironmentProblem, StateError
from poller.values.stored_mapping import StoredMapping
from poller.values.texts import counted

Opening = AbstractAsyncContextManager[StateStore]


async def copied(before: Opening, after: Opening) -> str:
    """Copy everything, and say how much it was. Raises EnvironmentProblem: where a store cannot be used, where a daemon
    uses one of which that shows, and where the target holds anything else; then nothing was written.
    """
    try:
        async with before as source, after as target:
            return await _copied(source, target)
    except StateError as error:
        raise EnvironmentProblem(f"{error}. The copy can be made again") from error


async def _copied(source: StateStore, target: StateStore) -> str:
    found: dict[str, StreamProgress] = {}
    for uuid in await source.stored():
        progress = await source.load(uuid)
        if progress is not None:
            found[uuid] = progress
    paused = await source.paused()
    # their revisions begin anew, as those of every mapping in a store do
    made = {uuid: replace(mapping, revision=1) for uuid, mapping in (await source.mappings()).items()}
    await _see_that_it_is_empty(target, found, paused, made)
    for uuid, progress in found.items():
        await target.open(uuid, progress)
    for uuid, pause in paused.items():
        await target.pause(uuid, pause)
    for mapping in made.values():
        await target.write_mapping(mapping)
    actions = await source.actions()
    for action in reversed(actions):
        await target.note(action)
    shards = sum(len(progress.shards) for progress in found.values())
    return (
        f"the positions of {counted(len(found), 'mapping')} with {counted(shards, 'shard')}, "
        f"{counted(len(paused), 'pause')}, {counted(len(made), 'mapping')} made through the API, "
        f"{counted(len(actions), 'action')}"
    )


async def _see_that_it_is_empty(
    target: StateStore,
    found: dict[str, StreamProgress],
    paused: dict[str, Paused],
    made: dict[str, StoredMapping],
) -> None:
    """But for what an earlier copy has written, which is the same. Raises EnvironmentProblem."""
    for uuid, (name, _) in (await target.stored()).items():
        if uuid not in found or await target.load(uuid) != found[uuid]:
            raise EnvironmentProblem(
                f"the store to copy into holds the position of {name} ({uuid}) already; nothing was copied. Copy into "
                "another, or give that one up by poller state forget"
            )
    for uuid, pause in (await target.paused()).items():
        if paused.get(uuid) != pause:
            raise EnvironmentProblem(
                f"the store to copy into holds the pause of {pause.name or uuid} already; nothing was copied"
            )
    for uuid, mapping in (await target.mappings()).items():
        if made.get(uuid) != mapping:
            raise EnvironmentProblem(
                f"the store to copy into holds the mapping {uuid} already, made through the API; nothing was copied"
            )
