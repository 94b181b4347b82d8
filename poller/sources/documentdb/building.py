"""Builds change streams from their mappings, and reaches them for `poller check --connect`."""

from collections.abc import Callable
from functools import partial
from typing import Any

from poller import __version__
from poller.aws.transports import Borrowed, Transports
from poller.configuration.model.mapping import EventSourceMapping
from poller.policy.progress import LaneProgress, ShardProgress
from poller.policy.seeking import Target
from poller.ports.reach import Tries
from poller.sources.documentdb.api import SHARD, ChangesApi
from poller.sources.documentdb.change import Reading
from poller.sources.documentdb.changes import ChangeStreams, OnHistoryLost, Watched
from poller.sources.documentdb.cluster import Cluster, connection
from poller.sources.documentdb.driver import Driver, client_options
from poller.sources.documentdb.server import Server
from poller.sources.kind import Run, Shared
from poller.sources.sharded.api import Position, StreamFacts
from poller.sources.sharded.building import sharded_source, sought_in
from poller.sources.sharded.source import ShardedSource
from poller.values.errors import NotPossible

Connect = Callable[[EventSourceMapping], Server]
"""Makes the server of a mapping. Makes no call."""
BEHIND = (
    "a resume token is a place behind a change, so none delivers that change next: give an instant before it, by --at"
)


class ChangeStreamBuilder:
    """See `SourceBuilder`."""

    def __init__(self, shared: Shared, connect: Connect) -> None:
        self._shared = shared
        self._connect = connect

    async def source(self, mapping: EventSourceMapping, run: Run) -> ShardedSource:
        server = self._connect(mapping)
        run.resources.push_async_callback(server.close)
        api, streams = _parts(mapping, server, run.log.each)
        # as Lambda does
        return sharded_source(
            self._shared, mapping, run, api, polled=None, subscriptions=streams, discard_oversized=True
        )

    async def reach(self, mapping: EventSourceMapping, transports: Borrowed | Transports, tries: Tries) -> None:  # noqa: ARG002
        """Open the change stream at its tip, and read from it once."""
        server = self._connect(mapping)
        try:
            api, streams = _parts(mapping, server, _unheard)
            if await tries.attempt("hello", api.facts) is None:
                tries.untried.append("changeStream (the server is not reached)")
                return
            stream = await tries.attempt("changeStream", lambda: streams.open(SHARD, Position("LATEST")))
            if stream is not None:
                await stream.close()
        finally:
            await server.close()

    async def seek(
        self,
        mapping: EventSourceMapping,
        transports: Borrowed | Transports,  # noqa: ARG002 - the driver has connections of its own
        target: Target,
        epoch: str,
    ) -> dict[str, ShardProgress]:
        """See `Seeks`. The server is asked whether its log has the instant; the tip is its last write."""
        if target.sequence_number is not None:
            raise NotPossible(BEHIND)
        server = self._connect(mapping)
        api, _ = _parts(mapping, server, _unheard)
        streams = _streams(mapping, server, _unheard, "stop")

        async def look(found: dict[str, ShardProgress], facts: StreamFacts) -> dict[str, ShardProgress]:
            if target.where == "LATEST" and facts.tip is not None:
                return {shard: ShardProgress((LaneProgress(facts.tip),)) for shard in found}
            if target.where == "AT_TIMESTAMP":
                stream = await streams.open(SHARD, Position("AT_TIMESTAMP", timestamp=target.timestamp))
                await stream.close()
            return found

        try:
            return await sought_in(api, target, epoch, look)
        finally:
            await server.close()

    def forget(self, uuid: str) -> None:
        """Nothing is kept here: positions are in the store."""


def _unheard(*_: object, **__: object) -> None:
    """Nobody listens to what would be logged."""


def _parts(mapping: EventSourceMapping, server: Server, log: Callable[..., None]) -> tuple[ChangesApi, ChangeStreams]:
    api = ChangesApi(server, _watched(mapping), mapping.event_source_arn, mapping.change_log_retention_seconds)
    return api, _streams(mapping, server, log, mapping.on_history_lost)


def _streams(
    mapping: EventSourceMapping, server: Server, log: Callable[..., None], on_history_lost: OnHistoryLost
) -> ChangeStreams:
    return ChangeStreams(server, _watched(mapping), Reading(mapping.extended_json), on_history_lost, log)


def _watched(mapping: EventSourceMapping) -> Watched:
    config = mapping.document_db
    assert config is not None, "checked when the configuration is read"
    return Watched(config.database_name, config.collection_name, config.full_document)


def builder(shared: Shared) -> ChangeStreamBuilder:
    return ChangeStreamBuilder(shared, _driver)


def _driver(mapping: EventSourceMapping) -> Driver:
    uri, secret = mapping.mongodb_uri, mapping.source_secret
    cluster = Cluster(
        mapping.source.name,
        None if uri is None else uri.read,
        None if secret is None else secret.read,
        None if mapping.tls_ca_file is None else str(mapping.tls_ca_file),
    )

    async def call(service: str, method: str, **arguments: Any) -> dict[str, Any]:
        from poller.aws.sdk_calls import SdkCalls  # noqa: PLC0415  (a connection string needs no AWS)

        return await SdkCalls(mapping.aws, mapping.source.region).call(service, method, **arguments)

    return Driver(partial(connection, cluster, call), client_options(f"poller {__version__}"))
