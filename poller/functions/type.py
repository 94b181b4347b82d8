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
    """Where a function is called from."""

    region: str
    """The mapping's."""
    function_arn: str
    """As `poller.functions.arns` derives it."""
    transports: "Borrowed | Transports"


class FunctionBuilder(Protocol):
    """Builds the functions of one type, and keeps what they share."""

    async def build(self, config: FunctionConfig, place: Place) -> "Function":
        """Call it inside the running loop. Raises EnvironmentProblem and ConfigurationError."""
        ...

    def close(self) -> None:
        """Every function has been closed."""
        ...


@dataclass(frozen=True, slots=True)
class FileKeys:
    """How files configure a type."""

    model: type[WrittenFunction]
    """Its keys as users write them."""
    read: Callable[[Entry], FunctionConfig | None]
    """From valid keys to the resolved function; None with every contradiction reported."""


def no_grants(_function: FunctionConfig, _region: str, _account: str) -> Iterator[Grant]:
    """For a function whose invocation needs no permission."""
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
    """None: only a program that embeds the engine can configure it."""
    builder: Callable[["Chance"], FunctionBuilder]
    concurrency: int | None = None
    """The default; None is without limit."""
    payload_limit: int = SYNCHRONOUS_PAYLOAD_BYTES
    """The default, in bytes of one event."""
    runs_here: bool = False
    """One function serves the mappings of all regions: its workers are on this machine."""
    takes_context: bool = False
    """Whether its functions are told the context of a client that calls them (`ServesClients`)."""
    extra: str | None = None
    """The extra of the package that some of its functions need."""

    grants: Callable[[FunctionConfig, str, str], Iterator[Grant]] = no_grants
    """The permissions to invoke it, given the region and the account of the mapping."""
    remarks: Callable[[FunctionConfig], Iterator[str]] = no_remarks
    """What is left to a person about these permissions."""
    reach: Callable[[FunctionConfig, str, "Borrowed | Transports", "Tries"], Awaitable[None]]
    """Try what runs nothing, given the region of the mapping; note the answers in the tries."""
    reach_is_proof: bool = True
    """Whether a function that was reached can be invoked; where not, only an invocation shows it."""
