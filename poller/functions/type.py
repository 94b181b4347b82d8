"""FunctionType: everything the program asks about a type of function. Each type's folder gives one row of it.

A new type is a folder with its row, and a line in `poller.functions.types`. The configuration imports the rows, so a
row's module imports no data plane; modules that call a service are imported by the functions that need them.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from poller.configuration.model.functions import FunctionConfig
from poller.functions.keys import Entry, WrittenFunction
from poller.values.limits import SYNCHRONOUS_PAYLOAD_BYTES
from poller.values.permissions import Grant

if TYPE_CHECKING:
    from poller.aws.transports import Borrowed, Transports
    from poller.policy.backoff import Chance
    from poller.ports.function import Function
    from poller.ports.reach import Tries


@dataclass(frozen=True, slots=True)
class Place:
    """The place from which a function is called."""

    region: str
    """The mapping's region."""
    function_arn: str
    """The function's ARN, as `poller.functions.arns` derives it."""
    transports: "Borrowed | Transports"


class FunctionBuilder(Protocol):
    """Builds the functions of one type, and keeps what they share."""

    async def build(self, config: FunctionConfig, place: Place) -> "Function":
        """Call it inside the running loop. Raises EnvironmentProblem and ConfigurationError."""
        ...

    def close(self) -> None:
        """Close what functions share, after every function was closed."""
        ...


@dataclass(frozen=True, slots=True)
class FileKeys:
    """How files configure a type."""

    model: type[WrittenFunction]
    """The keys as users write them."""
    read: Callable[[Entry], FunctionConfig | None]
    """Turns valid keys into the resolved function; None, with every contradiction reported, where they contradict."""


def no_grants(_function: FunctionConfig, _region: str, _account: str) -> Iterator[Grant]:
    """The grants of a function whose invocation needs no permission."""
    yield from ()


def no_remarks(_function: FunctionConfig) -> Iterator[str]:
    """For a type whose permissions follow from the configuration."""
    yield from ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionType:
    """One type of function."""

    name: str
    """As `type` in an entry of `functions`."""
    title: str
    """For sentences: `an Express workflow of Step Functions`."""
    keys: FileKeys | None
    """None for a type that only a program that embeds the engine can configure."""
    builder: Callable[["Chance"], FunctionBuilder]
    concurrency: int | None = None
    """The default; None is without limit."""
    payload_limit: int = SYNCHRONOUS_PAYLOAD_BYTES
    """Bytes of one event, by default."""
    runs_here: bool = False
    """Whether one function serves the mappings of all regions, because its workers are on this machine."""
    takes_context: bool = False
    """Whether its functions get the context of a client that calls them (`ServesClients`)."""
    extra: str | None = None
    """The extra of the package that some of its functions need."""

    grants: Callable[[FunctionConfig, str, str], Iterator[Grant]] = no_grants
    """The permissions to invoke it, from the region and the account of the mapping."""
    remarks: Callable[[FunctionConfig], Iterator[str]] = no_remarks
    """Remarks about these permissions, for a person to decide."""
    reach: Callable[[FunctionConfig, str, "Borrowed | Transports", "Tries"], Awaitable[None]]
    """Makes the calls that run nothing, in the region of the mapping, and notes their answers."""
    reach_is_proof: bool = True
    """Whether reaching a function shows that it can be invoked. Otherwise only an invocation shows it."""
