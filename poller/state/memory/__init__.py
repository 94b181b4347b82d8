"""A store that ends with the process: its row, and the store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from poller.state.kind import Contents, StoreKind, as_it_is

if TYPE_CHECKING:
    from poller.configuration.model.settings import Settings
    from poller.ports.store import StateStore

URL = "memory:"


@asynccontextmanager
async def _open(_settings: "Settings") -> AsyncIterator["StateStore"]:
    from poller.state.memory.store import MemoryStore  # noqa: PLC0415  (the configuration imports the row)

    yield MemoryStore()


async def _contents(_settings: "Settings") -> Contents:
    """Nothing outlives the process."""
    return Contents()


MEMORY_KIND = StoreKind(
    scheme="memory",
    forms=(URL,),
    pattern=URL,
    check=lambda url: url == URL,
    absolute=as_it_is,
    open=_open,
    contents=_contents,
    edit=_open,
)
