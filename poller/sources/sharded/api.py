"""The interface to a service with shards: its calls, and plain functions on its items.

Kinesis and DynamoDB Streams each implement `ShardApi`. All other code about shards serves both and knows neither.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from poller.aws.port import ReservedBytes
from poller.policy.filtering import Filter, Verdict
from poller.values.record import Record

PositionKind = Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"]


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard as listed."""

    id: str
    parents: tuple[str, ...] = ()
    """One parent, or two after a merge; they may have been trimmed and not be listed themselves."""
    closed: bool = False
    """It has an ending sequence number. Says nothing about being finished: unread records may be in it."""
    hash_range: tuple[int, int] | None = None
    """First and last hash key, both included. Kinesis only."""


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """The properties of a stream, by the service's description."""

    epoch: str
    """Its creation time or its label: it changes when a stream of the same name is created again."""
    active: bool
    """False while it is disabled or being deleted."""
    date: float | None = None
    """The service's time of the answer, epoch seconds."""
    retention: float | None = None
    """Seconds a record is kept."""
    tip: str | None = None
    """The position at which everything so far is passed, where the service can name it: what LATEST is then."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where an iterator begins."""

    kind: PositionKind
    sequence_number: str | None = None
    timestamp: float | None = None
    """Epoch seconds."""


@dataclass(slots=True)
class ShardPage:
    """One answer of GetRecords, or one event of a subscription."""

    records: list[Any]
    """Raw parsed items, untouched."""
    next_iterator: str | None
    """None: the service says that there is no more. It may say so of open shards too, so only the listing tells whether
    the shard has ended. For a pushed page only None or not None matters."""
    size: int
    """Bytes of the answer."""
    behind_seconds: float | None = None
    """Seconds that the page is behind the tip of the shard; None where the service does not say."""
    continuation: str | None = None
    """The position after this page, at which a subscription continues; it advances without records, too."""
    passed: bool = False
    """Whether progress may be stored at `continuation`, so that a shard without records does not lose its place."""
    children: tuple[Shard, ...] = ()
    """The child shards, if the service names them at the shard's end."""
    date: float | None = None
    """The service's time of the answer (its Date header), epoch seconds."""
    begins: bool = False
    """Whether it is the first page of a new iterator or subscription."""
    counted: int = 0
    """Bytes that the read takes of the quota, where there is one: as the service counts them, not as they are sent."""


class Subscription(Protocol):
    """One shard's records while they are pushed."""

    date: float | None
    """The service's time at its start, epoch seconds."""

    async def page(self, room: ReservedBytes | None = None) -> ShardPage | None:
        """Wait for the next page; None once the service has ended the subscription. Raises CallError; after NoRoom
        the same page can be requested again.
        """
        ...

    async def close(self) -> None:
        """Nothing further is wanted."""
        ...


class Subscriptions(Protocol):
    """The subscriptions of one consumer."""

    call: str
    """The name of the operation, for messages."""
    between: float
    """Seconds after a subscription began within which the service refuses another to the same shard."""
    buffered: bool
    """Whether pages come unasked, and may have waited in our buffers."""

    async def open(self, shard_id: str, position: Position) -> Subscription:
        """Subscribe; the service ends an earlier subscription to the shard. Raises CallError, ShardGone, StreamGone."""
        ...


class ShardApi(Protocol):
    """The calls to one stream, however its records are read. Every call may raise CallError and StreamGone."""

    arn: str
    """The ARN of the stream, which may differ from the event source that a mapping names."""
    largest_page: int
    """Bytes of the largest answer to a read: the service's limit as JSON, with data as base64."""
    latest_is_instant: bool
    """Whether an iterator can begin AT_TIMESTAMP, so that LATEST can be kept as an instant before anything was read.
    Otherwise the shard is read from TRIM_HORIZON, and records older than the instant are skipped."""
    record_overhead: int
    """Most bytes an event adds to one record beyond what the record takes in the answer of GetRecords."""

    async def facts(self) -> StreamFacts: ...

    async def shards(self) -> list[Shard]:
        """Every listed shard, of all pages of the listing."""
        ...

    def complete(self, items: Sequence[Any]) -> None:
        """Set members that the service left out to None, for those that are used. Raises UnreadableRecord for an item
        without sequence number: it has no place in its shard.
        """
        ...

    def bound(self, items: Sequence[Any]) -> int:
        """The most bytes of an event that any of these raw items can make. Cheaper than encoding them."""
        ...

    def taken_apart(self, items: Sequence[Any]) -> Sequence[Any]:
        """The raw items, with the inner records in place of each aggregate; the same sequence object if there are no
        aggregates, or if they are not to be taken apart.
        """
        ...

    def sequence_number(self, item: Any) -> str:
        """The sequence number of a raw item, as decimal text. Raises UnreadableRecord where it has none."""
        ...

    def positions(self, items: Sequence[Any]) -> list[str]:
        """The position of each raw item or inner record: its sequence number, or its place in an aggregate. Raises
        UnreadableRecord for an item without sequence number. Of all at once: a call for each costs a tenth of a page.
        """
        ...

    def key(self, item: Any) -> str:
        """The ordering key: the partition key, or the table item's key in a canonical form. For a record without key it
        is the sequence number, so that such records spread over the lanes.
        """
        ...

    def arrival(self, item: Any) -> float | None:
        """When the service accepted it, epoch seconds; None where the service does not say."""
        ...

    def judge(self, criteria: Filter, shard_id: str) -> Callable[[Any], Verdict]:
        """Makes the function that matches raw items. It decodes only the parts that the patterns need."""
        ...

    def encoder(self, shard_id: str) -> Callable[[Sequence[Record]], bytes]:
        """Makes the function that encodes records of this shard into an event."""
        ...

    def batch_info(self, shard_id: str, records: Sequence[Record]) -> tuple[str, dict[str, Any]]:
        """Name and value of the batch's member in an invocation record, e.g. `("KinesisBatchInfo", {...})`."""
        ...


class PolledApi(ShardApi, Protocol):
    """The calls to a stream whose shards can be polled. `iterator` and `page` may also raise IteratorExpired,
    PositionTrimmed and ShardGone.
    """

    reads_per_second: float
    """The service's quota of GetRecords calls per shard."""
    bytes_per_second: float
    """Its quota of bytes read per shard; infinite where there is none."""
    most_records: int
    """Largest Limit of one read."""

    async def iterator(self, shard_id: str, position: Position) -> str:
        """A new shard iterator."""
        ...

    async def page(self, iterator: str, limit: int, room: ReservedBytes | None = None) -> ShardPage:
        """One read. `limit` is at most `most_records`. With `room` it raises NoRoom as well."""
        ...
