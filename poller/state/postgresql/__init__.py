"""A PostgreSQL database as the store: its row, and how its URLs are written."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from poller.state.kind import ANSWER_PART, Contents, StoreKind, as_it_is
from poller.state.postgresql.url import FORM, SCHEME, check, shown

if TYPE_CHECKING:
    from poller.configuration.model.settings import Settings
    from poller.ports.fleet import FleetStore
    from poller.ports.store import StateStore

FLEET = "poller"
"""The fleet whose rows a daemon uses that is in none: what is stored stays there for a fleet of the default name."""


def _fleet_of(settings: "Settings") -> str:
    return FLEET if settings.fleet is None else settings.fleet.name


@asynccontextmanager
async def _open(settings: "Settings") -> AsyncIterator["StateStore"]:
    # the configuration imports the row, and the driver is an extra
    from poller.state.postgresql.opening import opened  # noqa: PLC0415
    from poller.state.sole import Sole, alone, new_member  # noqa: PLC0415

    async with opened(settings.state, _fleet_of(settings)) as store:
        if settings.fleet is not None:
            # for commands, which store where nothing is stored
            yield Sole(store, new_member())
        else:
            async with alone(store, shown(settings.state)) as sole:
                yield sole


@asynccontextmanager
async def _join(settings: "Settings") -> AsyncIterator["FleetStore"]:
    from poller.state.postgresql.opening import opened  # noqa: PLC0415  (as above)
    from poller.state.presence import refuse_beside_one_alone  # noqa: PLC0415

    assert settings.fleet is not None
    seconds = ANSWER_PART * settings.fleet.lease_seconds
    async with opened(settings.state, settings.fleet.name, seconds) as store:
        await refuse_beside_one_alone(store, shown(settings.state), settings.fleet.name)
        yield store


async def _contents(settings: "Settings") -> Contents:
    from poller.state.postgresql.opening import contents  # noqa: PLC0415  (as above)

    return await contents(settings.state, _fleet_of(settings))


@asynccontextmanager
async def _edit(settings: "Settings") -> AsyncIterator["FleetStore"]:
    from poller.state.postgresql.opening import opened  # noqa: PLC0415  (as above)

    async with opened(settings.state, _fleet_of(settings)) as store:
        yield store


async def _unused(settings: "Settings", uuid: str) -> None:
    from poller.state.contents import unused  # noqa: PLC0415  (as above)

    async with _edit(settings) as store:
        await unused(store, uuid)


async def _prepare(settings: "Settings") -> str:
    from poller.state.postgresql.opening import opened  # noqa: PLC0415  (as above)

    async with opened(settings.state, _fleet_of(settings)):
        return f"the tables are in {shown(settings.state)}"


def _script(url: str) -> str:
    from poller.state.postgresql.schema import script  # noqa: PLC0415  (as above)

    return script(url)


POSTGRESQL_KIND = StoreKind(
    scheme=SCHEME,
    forms=(FORM,),
    pattern=f"{SCHEME}://.+",
    check=check,
    absolute=as_it_is,
    open=_open,
    contents=_contents,
    edit=_edit,
    unused=_unused,
    cost="one commit of the database for all batches that end together; without batches, one every five seconds",
    prepare=_prepare,
    script=_script,
    join=_join,
)
