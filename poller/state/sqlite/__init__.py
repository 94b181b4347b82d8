"""An SQLite file as the store of one daemon: its row, and all that only it knows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING

from poller.state.kind import Contents, StoreKind

if TYPE_CHECKING:
    from poller.configuration.model.settings import Settings
    from poller.ports.fleet import FleetStore
    from poller.ports.store import StateStore

PREFIX = "sqlite:///"


def path_of(settings: "Settings") -> Path:
    """The path of the file."""
    return Path(settings.state.removeprefix(PREFIX))


@asynccontextmanager
async def _open(settings: "Settings") -> AsyncIterator["StateStore"]:
    # the configuration imports the row, and not every process opens a file
    from poller.state.sqlite.store import SqliteState  # noqa: PLC0415

    with closing(await SqliteState.opened(path_of(settings))) as state:
        yield state


@asynccontextmanager
async def _join(settings: "Settings") -> AsyncIterator["FleetStore"]:
    from poller.state.sqlite.fleet import SqliteFleet  # noqa: PLC0415  (as above)

    assert settings.fleet is not None
    fleet = settings.fleet
    with closing(await SqliteFleet.joined(path_of(settings), fleet.name, fleet.lease_seconds)) as state:
        yield state


async def _contents(settings: "Settings") -> Contents:
    from poller.state.sqlite.contents import contents  # noqa: PLC0415  (as above)

    return contents(path_of(settings))


SQLITE_KIND = StoreKind(
    scheme="sqlite",
    forms=("sqlite:////absolute/path", "sqlite:///relative/path"),
    pattern=f"{PREFIX}.+",
    check=lambda url: url.startswith(PREFIX) and url.rstrip("/") != "sqlite:",
    absolute=lambda url, directory: PREFIX + str(directory / url.removeprefix(PREFIX)),
    open=_open,
    contents=_contents,
    edit=_open,
    join=_join,
)
