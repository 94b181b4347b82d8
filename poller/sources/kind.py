"""SourceKind: everything the program asks about a kind of source. Each kind's folder gives one row of it.

A new kind is a folder with its row, and a line in `poller.sources.kinds`. The configuration imports the rows, so the
module of a row imports values and policy only; its functions import the modules that call a service.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from poller.policy.filtering import Members
from poller.values.arns import Arn, EventSource
from poller.values.permissions import Grant

if TYPE_CHECKING:
    from poller.aws.transports import Borrowed, Transports
    from poller.configuration.model.aws import AwsSettings
    from poller.configuration.model.mapping import EventSourceMapping
    from poller.configuration.model.mapping_keys import WrittenMapping
    from poller.policy.backoff import Chance
    from poller.policy.beside import Amount, From, Which
    from poller.policy.progress import ShardProgress, StreamProgress
    from poller.policy.seeking import Target
    from poller.ports.destination import Destination
    from poller.ports.holdings import Holdings
    from poller.ports.reach import Tries
    from poller.ports.source import Admission, Source
    from poller.ports.status import MappingStatus
    from poller.ports.store import Positions
    from poller.sources.sharded.limits import ReadLimits
    from poller.support.rate_limited_log import RateLimitedLog
    from poller.values.record import Record

Call = Callable[..., Awaitable[dict[str, Any]]]
"""`call(service, method, **arguments)` of the SDK. Raises CallError."""
Finding = tuple[tuple[str | int, ...], str]
"""The path of a key below the mapping, and what is wrong with its value."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What the sources of all mappings of this process share."""

    store: "Positions"
    mappings: Collection[str]
    """The uuids of all configured mappings, enabled or not."""
    limits: "ReadLimits"


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a mapping gives its source."""

    transports: "Borrowed | Transports"
    admission: "Admission"
    status: "MappingStatus"
    chance: "Chance"
    log: "RateLimitedLog"
    wall: Callable[[], float]
    """Seconds since the epoch."""
    function_arn: str
    holdings: "Holdings"
    """The shards of the source that this daemon reads, where it has shards."""
    destination: "Destination | None"
    """The on-failure destination."""
    resources: AsyncExitStack
    """Closes, after the run, what the source opens."""


Given = Mapping[str, Any]
"""The parameters of CreateEventSourceMapping by their own names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaWords:
    """How Lambda's API speaks of mappings of one kind."""

    reason: str
    """`StateTransitionReason` of what a caller asked for."""
    rests_at_once: bool
    """Whether a mapping is `Disabled` at once where it is created disabled, or changed while it is."""
    refusals: Callable[[Given, EventSource], Iterator[str]]
    """What Lambda refuses of valid parameters that this kind takes, in Lambda's words and order."""
    exists: str
    """The source has a mapping for the function already: `{source}`, `{function}`, `{uuid}`."""
    missing: str
    """There is no such source: `{source}`."""
    denied: str
    """It may not be read: `{source}`, and `{action}` for the call that was refused."""


class SourceBuilder(Protocol):
    """Builds and reaches the sources of one kind; keeps what they share from one run of a mapping to the next."""

    async def source(self, mapping: "EventSourceMapping", run: Run) -> "Source":
        """The source of one mapping. Makes no call."""
        ...

    async def reach(self, mapping: "EventSourceMapping", transports: "Borrowed | Transports", tries: "Tries") -> None:
        """Try every call that changes nothing and that reading the source needs; note the answers in `tries`."""
        ...

    def forget(self, uuid: str) -> None:
        """The mapping was removed, and has ended."""
        ...


@runtime_checkable
class Seeks(Protocol):
    """A builder of sources whose mappings have a position that can be moved."""

    async def seek(
        self, mapping: "EventSourceMapping", transports: "Borrowed | Transports", target: "Target", epoch: str
    ) -> "dict[str, ShardProgress]":
        """The progress of the shards that a seek would move, by what the service says now. `epoch` is that of the
        stored progress. Raises NotPossible.
        """
        ...


class Seen(Protocol):
    """Records that were read together beside their mapping."""

    partition: str
    records: "Sequence[Record]"
    encode: "Callable[[Sequence[Record]], bytes]"
    """The event that the mapping's function would get."""
    key: str | None
    """What the records are in order within; None where they have no order."""
    ordered: bool
    """Whether a record may only be delivered behind those before it."""
    gone: int
    """Records that should be here, and which the source no longer has."""
    why: str
    """Of records that were given up: why, and by whom; empty for others."""

    def passes(self, record: "Record") -> bool:
        """Whether the mapping's filter lets it pass."""
        ...

    def arrived(self, record: "Record") -> float | None:
        """When the service accepted it, epoch seconds; None where it does not say."""
        ...

    async def done(self, records: "Sequence[Record]") -> None:
        """These were delivered: a queue forgets them. Raises CallError."""
        ...

    async def give_back(self, records: "Sequence[Record]") -> None:
        """These were not delivered: a queue shows them to everybody again. Raises CallError."""
        ...


class Beside(Protocol):
    """Reads a source beside its mapping. Each call may raise CallError and NotPossible."""

    receives: bool
    """Whether reading hides the records from others until they are done or given back."""

    async def partitions(self) -> list[str]:
        """What there is to be read."""
        ...

    async def amount(self) -> "Amount | None":
        """How much there is before anything is read; None where nobody counts it."""
        ...

    def seen(self, partition: str, begin: "From", most: int) -> "AsyncGenerator[Seen, None]":
        """The records up to the present end, at most `most` together."""
        ...


@runtime_checkable
class ReadsBeside(Protocol):
    """A builder of sources that can be read beside their mappings."""

    async def beside(
        self, mapping: "EventSourceMapping", transports: "Borrowed | Transports", which: "Which", visibility: int
    ) -> Beside:
        """What reads the mapping's source, or its dead letters. Messages stay invisible for `visibility` seconds.
        Raises NotPossible where there is no such thing.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKind:
    """One kind of source."""

    name: str
    title: str
    """For sentences: `an SQS queue`."""
    plural: str
    """For sentences: `SQS queues`."""
    column: str
    """In tables: `SQS`."""

    arn_service: str
    """The service part of its ARNs."""
    service: str
    """The SDK's name of the service that is called."""
    read_arn: Callable[[Arn], EventSource]
    """Raises ValueError with the reason, which follows the key of the ARN in a sentence."""

    reached_by: tuple[str, str] | None = None
    """A key of a mapping and one in it, which say where a source without an ARN is; `stand_in` makes one for it."""
    stand_in: Callable[[str, str], str] | None = None
    """The ARN that such a source has in events and in the store, by the mapping's name and a region."""
    takes: frozenset[str]
    """Parameters of CreateEventSourceMapping for this kind, beside those for every kind."""
    own: frozenset[str]
    """Our own parameters for this kind, beside those for every kind."""
    instead: Mapping[str, str]
    """Advice for each parameter of CreateEventSourceMapping that Lambda does not take for this kind."""
    batch_size: int
    """The default."""
    batching_window: float = 0
    """Seconds that a batch gathers where no window is configured."""
    cross_check: Callable[["WrittenMapping", EventSource], Iterator[Finding]]
    """Parameters of one mapping that cannot stand together."""
    cross_check_aws: Callable[[EventSource, "AwsSettings"], Iterator[Finding]]
    """What the source needs of the way AWS is reached."""

    lambda_words: LambdaWords

    members: Members
    """The members of a record that a filter may name."""
    sign: str
    """The member that tells a record of this kind from all others."""
    split: Callable[[dict[str, Any]], tuple[dict[str, Any], str | bytes]]
    """A record of an event as a filter takes it: the members beside the payload, and the payload. Raises ValueError."""

    lanes: Callable[["EventSourceMapping"], tuple[int, int]]
    """`(start, most)`: concurrent batches; for a sharded source, per shard."""
    steady: bool
    """Whether the number of lanes stays the same, instead of growing from the start to the most."""
    shortest_receive: float
    """Seconds of an open window below which the batch closes without another receive; 0 for none."""
    competing: bool
    """Whether mappings of one source compete for its records, so that each record reaches only one of them."""

    grants: Callable[["EventSourceMapping"], Iterator[Grant]]
    """The permissions that reading needs."""
    dead_letters: Callable[["EventSourceMapping"], Grant] | None = None
    """What looking at dead letters and delivering them once more needs; None for a kind that has none."""
    builder: Callable[[Shared], SourceBuilder]
    messaging_system: str
    """`messaging.system` of traces, in the words of OpenTelemetry's semantic conventions as far as they have one."""
    beginning_at: Callable[["EventSourceMapping", "Transports", float], Awaitable["StreamProgress"]] | None = None
    """The progress of a mapping that begins at an instant, epoch seconds, in every shard that there is. Raises
    CallError and StreamGone. None for a kind without positions by time.
    """
    left_by_kcl: Callable[["EventSourceMapping", "Transports", str], Awaitable["StreamProgress"]] | None = None
    """What a lease table of the Kinesis Client Library, by its name, says of the mapping's source. Raises
    EnvironmentProblem. None for a kind that KCL does not read.
    """
    development: Callable[[], "Development"] | None = None
    """For the tools of developers; None for a kind that cannot be had without an account."""


class Development(Protocol):
    """What a person needs of a kind of source before there is an account: events to look at, something to read."""

    @property
    def example(self) -> str:
        """The ARN of a source that there could be."""
        ...

    @property
    def named_by(self) -> str:
        """The item identifier of `record` in a handler's code, in Python."""
        ...

    def event(self, source: EventSource, payloads: Sequence[str]) -> bytes:
        """The event of a batch with these payloads, as a function gets it."""
        ...

    def identifier(self, record: Mapping[str, Any]) -> str:
        """The item identifier of one record of an event, by which a function reports it. Raises KeyError."""
        ...

    async def create(self, source: EventSource, call: Call) -> str:
        """Create the source unless it is there; returns its ARN. Raises CallError."""
        ...

    async def send(self, source: EventSource, payload: str, call: Call) -> str:
        """Write one record, and return what names it. Raises CallError, and ValueError for an unfit payload."""
        ...


def no_findings(_source: EventSource, _aws: "AwsSettings") -> Iterator[Finding]:
    """For kinds that work with every way of reaching AWS."""
    yield from ()
