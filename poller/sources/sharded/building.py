"""Builds the source of a stream from its mapping, and reaches streams for `poller check --connect`.

A kind of stream gives its own `Api`: how its calls and subscriptions are built, and which actions IAM knows them by.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from poller.aws.port import Transport
from poller.aws.transports import Borrowed, Transports
from poller.configuration.model.mapping import EventSourceMapping
from poller.policy.beside import Which
from poller.policy.filtering import Filter
from poller.policy.progress import ShardProgress
from poller.policy.seeking import Listed, Target, Unreachable, sought
from poller.policy.stream_delivery import StreamPolicy
from poller.ports.reach import Tries
from poller.sources.kind import Run, Shared
from poller.sources.sharded.api import PolledApi, Position, ShardApi, StreamFacts, Subscriptions
from poller.sources.sharded.beside import ShardsBeside
from poller.sources.sharded.notifying import notifier
from poller.sources.sharded.source import ShardedSource
from poller.sources.sharded.stream import Stream, StreamOptions
from poller.support import codec
from poller.values.errors import CallError, NotPossible, PositionTrimmed, ShardGone, StreamGone

SEEK_SECONDS = 20.0
"""For the calls before a seek."""


@dataclass(frozen=True, slots=True)
class Actions:
    """IAM's names of the calls to a stream."""

    describe: str
    list_shards: str
    get_iterator: str
    get_records: str


class MakeApi(Protocol):
    """How the calls of one kind of stream are built. Makes none."""

    def __call__(self, mapping: EventSourceMapping, transport: Transport) -> tuple[PolledApi, Subscriptions | None]: ...


class StreamBuilder:
    """Builds streams of one kind."""

    def __init__(self, shared: Shared, make: MakeApi, actions: Actions, push_action: str = "") -> None:
        """`push_action` is IAM's name of the subscription to pushed records, which trying would disturb."""
        self._shared = shared
        self._make = make
        self._actions = actions
        self._push_action = push_action

    async def source(self, mapping: EventSourceMapping, run: Run) -> ShardedSource:
        """The source of one mapping. Makes no call."""
        api, subscriptions = self._make(mapping, await run.transports.get(mapping.aws, mapping.region))
        return sharded_source(self._shared, mapping, run, api, polled=api, subscriptions=subscriptions)

    async def reach(self, mapping: EventSourceMapping, transports: Borrowed | Transports, tries: Tries) -> None:
        """Every call that reading needs, at the end of an open shard."""
        api, subscriptions = self._make(mapping, await transports.get(mapping.aws, mapping.region))
        await self._reach(api, tries)
        if subscriptions is not None:
            tries.untried.append(f"{self._push_action} (it would end the subscription of a daemon that runs)")

    async def _reach(self, api: PolledApi, tries: Tries) -> None:
        actions = self._actions
        facts = await tries.attempt(actions.describe, api.facts)
        if facts is not None and not facts.active:
            tries.blocked("error", "the stream is disabled or being deleted")
        shards = await tries.attempt(actions.list_shards, api.shards)
        # LATEST is no place in a closed shard, for services that look closely
        shard = next((shard for shard in shards or () if not shard.closed), None)
        if shard is None:
            tries.untried.append(f"{actions.get_iterator}, {actions.get_records} (no open shard is known)")
            return
        iterator = await tries.attempt(actions.get_iterator, lambda: api.iterator(shard.id, Position("LATEST")))
        if iterator is None:
            tries.untried.append(f"{actions.get_records} (it needs an iterator)")
            return
        await tries.attempt(actions.get_records, lambda: api.page(iterator, 1))

    async def seek(
        self, mapping: EventSourceMapping, transports: Borrowed | Transports, target: Target, epoch: str
    ) -> dict[str, ShardProgress]:
        """See `Seeks`."""
        api, _ = self._make(mapping, await transports.get(mapping.aws, mapping.region))

        async def look(found: dict[str, ShardProgress], _: StreamFacts) -> dict[str, ShardProgress]:
            if target.sequence_number is not None and target.shard is not None:
                # the service says whether it knows the number
                await api.iterator(target.shard, Position("AT_SEQUENCE_NUMBER", target.sequence_number))
            return found

        return await sought_in(api, target, epoch, look)

    async def beside(
        self,
        mapping: EventSourceMapping,
        transports: Borrowed | Transports,
        which: Which,
        visibility: int,  # noqa: ARG002 - a stream hides nothing
    ) -> ShardsBeside:
        """See `ReadsBeside`."""
        if which != "source":
            raise NotPossible("a stream has no dead-letter queue; what was given up is in its on-failure destination")
        api, _ = self._make(mapping, await transports.get(mapping.aws, mapping.region))
        return ShardsBeside(api, self._shared.limits, _criteria(mapping))

    def forget(self, uuid: str) -> None:
        """Nothing is kept here: positions are in the store."""


async def sought_in(
    api: ShardApi,
    target: Target,
    epoch: str,
    look: Callable[[dict[str, ShardProgress], StreamFacts], Awaitable[dict[str, ShardProgress]]],
) -> dict[str, ShardProgress]:
    """See `Seeks`. `look` asks the service whether it has the target, and may place it more precisely."""
    try:
        async with asyncio.timeout(SEEK_SECONDS):
            facts, shards = await api.facts(), await api.shards()
            if facts.epoch != epoch:
                raise NotPossible("the stream was made anew, so the stored position is one in another stream")
            now = time.time() if facts.date is None else facts.date
            return await look(sought(target, [Listed(shard.id, shard.closed) for shard in shards], now), facts)
    except Unreachable as error:
        raise NotPossible(str(error)) from error
    except TimeoutError as error:
        raise NotPossible(f"the stream did not answer within {SEEK_SECONDS:.0f} s; nothing has moved") from error
    except (CallError, StreamGone, ShardGone, PositionTrimmed) as error:
        raise NotPossible(f"the stream refuses: {error}") from error


def sharded_source(
    shared: Shared,
    mapping: EventSourceMapping,
    run: Run,
    api: ShardApi,
    *,
    polled: PolledApi | None,
    subscriptions: Subscriptions | None,
    discard_oversized: bool = False,
) -> ShardedSource:
    """The source of one mapping, read through `subscriptions` where they are given, else by polling."""
    notify = None
    if run.destination is not None:
        notify = notifier(
            api, run.destination, function_arn=run.function_arn, event_source_arn=mapping.event_source_arn
        )
    stream = Stream(
        uuid=mapping.uuid,
        name=mapping.name,
        arn=mapping.event_source_arn,
        api=api,
        polled=polled,
        subscriptions=subscriptions,
        options=_options(mapping),
        policy=StreamPolicy(
            mapping.maximum_retry_attempts,
            mapping.maximum_record_age_in_seconds,
            mapping.bisect_batch_on_function_error,
            mapping.report_batch_item_failures,
            discard_oversized,
        ),
        store=shared.store,
        holdings=run.holdings,
        admission=run.admission,
        status=run.status,
        limits=shared.limits,
        notify=notify,
        chance=run.chance,
        log=run.log,
        wall=run.wall,
        criteria=_criteria(mapping),
    )
    run.status.last_result = "No records processed"
    return ShardedSource(stream, shared.mappings)


def _criteria(mapping: EventSourceMapping) -> Filter | None:
    return mapping.criteria(codec.fast_loads) if mapping.filter_criteria else None


def _options(mapping: EventSourceMapping) -> StreamOptions:
    return StreamOptions(
        mapping.starting_position,
        mapping.starting_position_timestamp,
        mapping.parallelization_factor,
        mapping.tumbling_window_in_seconds,
        mapping.poll_interval_seconds,
        mapping.idle_poll_interval_seconds,
        mapping.on_stream_recreated,
        mapping.max_bytes_in_flight,
    )
