"""StoreKind: everything the program asks about a kind of store. Each kind's folder gives one row of it.

A new kind is a folder with its row, and a line in `poller.state.kinds`. The configuration imports the rows, so the
module of a row imports values only; its functions import the modules that open a store.
"""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poller.values.permissions import Grant

if TYPE_CHECKING:
    from poller.configuration.model.settings import Settings
    from poller.policy.progress import Paused, StreamProgress
    from poller.ports.fleet import FleetStore
    from poller.ports.store import Positions, StateStore
    from poller.values.stored_mapping import StoredMapping


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything in a store, for commands."""

    progress: Mapping[str, "StreamProgress"] = field(default_factory=dict)
    """By uuid of the mapping."""
    paused: Mapping[str, "Paused"] = field(default_factory=dict)
    """The paused mappings by uuid, those without a position included."""
    made: Mapping[str, "StoredMapping"] = field(default_factory=dict)
    """The mappings made through Lambda's API by uuid, those that were deleted included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreKind:
    """One kind of store."""

    scheme: str
    """The URLs of the kind begin with it and a colon."""
    forms: tuple[str, ...]
    """How its URLs are written, for messages and for the reference."""
    pattern: str
    """Its URLs, for the JSON Schema: a regular expression without anchors."""
    check: Callable[[str], bool]
    """Whether a URL of this scheme is one of `forms`. Raises ValueError for a more precise reason, which follows the
    key in a sentence.
    """
    absolute: Callable[[str, Path], str]
    """The URL with a path that is relative to a directory made absolute."""
    open: Callable[["Settings"], AbstractAsyncContextManager["StateStore"]]
    """Opens the store for a daemon's life. Raises EnvironmentProblem where that is not possible."""
    contents: Callable[["Settings"], Coroutine[Any, Any, Contents]]
    """Reads everything, also while daemons use the store. Raises EnvironmentProblem."""
    edit: Callable[["Settings"], AbstractAsyncContextManager["Positions"]]
    """Opens the store for a command that changes something in it. Raises EnvironmentProblem where that is not possible,
    or a daemon would not know of the change.
    """
    unused: Callable[["Settings", str], Coroutine[Any, Any, None]] | None = None
    """Raises EnvironmentProblem where a daemon has a mapping, by uuid. None for a kind whose `edit` does so."""
    cost: str | None = None
    """What keeping positions costs a month, for a person; None for a kind that is on a machine that is there anyway."""
    checkpoint_interval: float = 0.0
    """Seconds between two saves of a shard's position that can wait, where `fleet` does not say."""
    service: str | None = None
    """The service of AWS that it is in, by the SDK's name."""
    grants: Callable[["Settings", str], Iterable[Grant]] = field(default=lambda _settings, _account: ())
    """What a daemon is to be allowed, by the account of the mappings."""
    prepare: Callable[["Settings"], Coroutine[Any, Any, str]] | None = None
    """Makes what the store needs before the first daemon, its tables, and says what it is. Raises EnvironmentProblem.
    None for a kind that needs nothing.
    """
    script: Callable[[str], str] | None = None
    """What `prepare` does, for somebody else to do: the text of it, by the URL."""
    join: Callable[["Settings"], AbstractAsyncContextManager["FleetStore"]] | None = None
    """Opens the store for one daemon of a fleet; None for a kind that is one daemon's. A kind that is always shared
    gives it, and an `open` that is never called.
    """


ANSWER_PART = 0.4
"""Part of the lease that one call to a shared store may take: less than half of it."""


def as_it_is(url: str, _directory: Path) -> str:
    """For kinds whose URLs hold no path of a file."""
    return url
