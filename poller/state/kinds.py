"""The table of store kinds. A new kind is one folder and one line here."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from poller.state.dynamodb import DYNAMODB_KIND
from poller.state.kind import StoreKind
from poller.state.memory import MEMORY_KIND
from poller.state.postgresql import POSTGRESQL_KIND
from poller.state.sqlite import SQLITE_KIND

if TYPE_CHECKING:
    from poller.configuration.model.settings import Settings

_ROWS = (SQLITE_KIND, POSTGRESQL_KIND, DYNAMODB_KIND, MEMORY_KIND)
KINDS: Mapping[str, StoreKind] = {kind.scheme: kind for kind in _ROWS}
"""By scheme."""

SERVICES = tuple(kind.service for kind in KINDS.values() if kind.service is not None)
"""The services of AWS that stores are in, by the SDK's names."""

PATTERN = f"^({'|'.join(kind.pattern for kind in KINDS.values())})$"
"""Every URL of a store, for the JSON Schema."""


def forms(quote: str = "") -> str:
    """How the URL of a store is written, for a sentence."""
    *first, last = (f"{quote}{form}{quote}" for kind in KINDS.values() for form in kind.forms)
    return f"{', '.join(first)} or {last}"


def kind_of(url: str) -> StoreKind:
    """The kind of a store that the configuration has checked."""
    return KINDS[url.partition(":")[0]]


def checkpoint_interval(settings: "Settings") -> float:
    """Seconds between two saves of a shard's position that can wait."""
    own = None if settings.fleet is None else settings.fleet.checkpoint_interval_seconds
    return kind_of(settings.state).checkpoint_interval if own is None else own


def checked(url: str) -> str:
    """The URL. Raises ValueError where it names no store."""
    kind = KINDS.get(url.partition(":")[0])
    if kind is None or not kind.check(url):
        raise ValueError(f"must be {forms()}")
    return url


def absolute(url: str, directory: Path) -> str:
    """The URL with a relative path resolved against `directory`; unchanged where it names no store."""
    try:
        return kind_of(checked(url)).absolute(url, directory)
    except ValueError:
        return url
