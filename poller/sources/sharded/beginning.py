"""The progress of a mapping that begins at an instant."""

from poller.policy.progress import ShardProgress, StreamProgress
from poller.sources.sharded.api import ShardApi


async def beginning_at(api: ShardApi, name: str, arn: str, instant: float) -> StreamProgress:
    """Every shard that is listed begins there, closed ones too: they may hold younger records. Raises CallError and
    StreamGone.
    """
    facts = await api.facts()
    shards = {shard.id: ShardProgress(initial=True) for shard in await api.shards()}
    return StreamProgress(name, arn, facts.epoch, instant, shards)
