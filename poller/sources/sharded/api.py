"""What a service with shards must offer: the few calls and the plain functions on its items.

Kinesis and DynamoDB Streams each implement `ShardApi`; everything else about shards is the same code for both and
knows neither of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from poller.aws.port import Room
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
    """What a stream says of itself."""

    epoch: str
    """Changes when a stream of the same name is made anew: its creation time, or its label."""
    active: bool
    """False while it is disabled or being deleted."""
    date: float | None = None
    """The service's clock at the answer, epoch seconds."""
    retention: float | None = None
    """Seconds a record is kept."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where an iterator begins."""

    kind: PositionKind
    sequence_number: str | None = None
    timestamp: float | None = None
    """Epoch seconds."""


@dataclass(slots=True)
class ShardPage:
    """One answer of GetRecords, or what was pushed together."""

    records: list[Any]
    """Raw parsed items, untouched."""
    next_iterator: str | None
    """None: the service says that there is no more. It says so now and then of shards that are open, so whether the
    shard has ended is a question to the listing. Of a page that was pushed only that counts."""
    size: int
    """Bytes of the answer."""
    behind_seconds: float | None = None
    """How far the page is behind the tip, where the service says so."""
    continuation: str | None = None
    """Where a subscription goes on, behind all of this page; moves on without records, too."""
    children: tuple[Shard, ...] = ()
    """Where the service names them at shard end."""
    date: float | None = None
    """The service's clock at the answer (its Date header), epoch seconds."""
    begins: bool = False
    """Whether it is the first behind a position that was named: of an iterator or a subscription of its own."""


class Subscription(Protocol):
    """One shard's records while they are pushed."""

    date: float | None
    """The service's clock when it began, epoch seconds."""

    async def page(self, room: Room | None = None) -> ShardPage | None:
        """The next, when it comes; None once the service ended the subscription. Raises CallError; after NoRoom the
        same page can be asked for again.
        """
        ...

    async def close(self) -> None:
        """Nothing further is wanted."""
        ...


class Subscriptions(Protocol):
    """The subscriptions of one consumer."""

    async def open(self, shard_id: str, position: Position) -> Subscription:
        """A new one; the service ends an earlier one of the same shard. Raises CallError, ShardGone, StreamGone."""
        ...


class ShardApi(Protocol):
    """One stream's calls.

    Every call raises CallError when it brought no good answer. Beside it `iterator` and `page` raise IteratorExpired,
    PositionTrimmed, ShardGone; all raise StreamGone.
    """

    arn: str
    """Of what is read, where that is not what mappings name."""
    reads_per_second: float
    """The service's quota of GetRecords calls per shard."""
    bytes_per_second: float
    """Its quota of bytes read per shard; infinite where there is none."""
    most_records: int
    """Largest Limit of one read."""
    largest_page: int
    """Bytes of the largest answer to a read: the service's limit as JSON, with data as base64."""
    latest_is_instant: bool
    """Whether an iterator can begin AT_TIMESTAMP, so that LATEST can be kept as an instant before anything was read.
    Otherwise the shard is read from TRIM_HORIZON, and what is older than the instant is passed over."""
    record_overhead: int
    """Most bytes an event adds to one record beyond what the record takes in the answer of GetRecords."""

    async def facts(self) -> StreamFacts:
        """What the stream says of itself."""
        ...

    async def shards(self) -> list[Shard]:
        """Every shard still listed, from every page."""
        ...

    async def iterator(self, shard_id: str, position: Position) -> str:
        """A fresh shard iterator."""
        ...

    async def page(self, iterator: str, limit: int, room: Room | None = None) -> ShardPage:
        """One read. `limit` is at most `most_records`. With `room` it raises NoRoom as well."""
        ...

    def complete(self, items: Sequence[Any]) -> None:
        """Give raw items None for the members that are used and that their service left out. Raises UnreadableRecord
        where one has no sequence number, without which it has no place in its shard.
        """
        ...

    def bound(self, items: Sequence[Any]) -> int:
        """No selection of these raw items makes more than this many bytes of an event. Cheaper than making it."""
        ...

    def taken_apart(self, items: Sequence[Any]) -> Sequence[Any]:
        """Raw items with inner ones in the place of each aggregate, where these are to be taken apart; the very same
        sequence where there is nothing to take apart.
        """
        ...

    def sequence_number(self, item: Any) -> str:
        """Of a raw item; decimal text, to be compared as a number. Raises UnreadableRecord where it has none."""
        ...

    def position(self, item: Any) -> str:
        """Of a raw item or an inner one: its sequence number, or its place inside an aggregate."""
        ...

    def key(self, item: Any) -> str:
        """What order is kept by: partition key, or the item's key in one canonical text. Where a record has none it is
        the sequence number, so that such records are spread over the lanes.
        """
        ...

    def arrival(self, item: Any) -> float | None:
        """When the service took it, epoch seconds; None where it does not say."""
        ...

    def judge(self, criteria: Filter, shard_id: str) -> Callable[[Any], Verdict]:
        """Makes what says of a raw item whether it passes, decoding no more of it than the patterns look at."""
        ...

    def encoder(self, shard_id: str) -> Callable[[Sequence[Record]], bytes]:
        """What makes the function's event out of records of this shard."""
        ...

    def batch_info(self, shard_id: str, records: Sequence[Record]) -> tuple[str, dict[str, Any]]:
        """Name and value of the batch's member in an invocation record, e.g. `("KinesisBatchInfo", {...})`."""
        ...
