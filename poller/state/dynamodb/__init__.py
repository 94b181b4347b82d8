"""A DynamoDB table as the store: its row, and how its URLs are written."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from poller.state.kind import ANSWER_PART, Contents, StoreKind, as_it_is
from poller.values.partitions import partition_of
from poller.values.permissions import Grant

if TYPE_CHECKING:
    from poller.configuration.model.settings import Settings
    from poller.ports.fleet import FleetStore
    from poller.ports.store import StateStore

SCHEME = "dynamodb"
FORM = "dynamodb://TABLE?region=REGION"
PATTERN = rf"{SCHEME}://[A-Za-z0-9_.-]{{3,255}}\?region=[a-z0-9-]+"
ACTIONS = tuple(f"dynamodb:{verb}Item" for verb in ("BatchWrite", "Delete", "Get", "Put", "Update"))
ACTIONS += ("dynamodb:DescribeTable", "dynamodb:Query", "dynamodb:Scan")
"""What a daemon does with the table. A transaction is allowed by what is in it."""
USD_A_MILLION_WRITES = 0.625
"""AWS's price in us-east-1 of write units on demand. A stored position is one while it is smaller than 1 KB."""
MONTHLY_USD = USD_A_MILLION_WRITES * 30 * 24 * 3600 / 1e6
FLEET = "poller"
"""The fleet whose rows a daemon uses that is in none: what is stored stays there for a fleet of the default name."""


def place_of(url: str) -> tuple[str, str]:
    """Table and region of a URL that was checked."""
    table, _, query = url.removeprefix(f"{SCHEME}://").partition("?")
    return table, dict(parse_qsl(query))["region"]


def _fleet_of(settings: "Settings") -> str:
    return FLEET if settings.fleet is None else settings.fleet.name


@asynccontextmanager
async def _open(settings: "Settings") -> AsyncIterator["StateStore"]:
    # the configuration imports the row, and not every process opens a table
    from poller.state.dynamodb.opening import opened  # noqa: PLC0415
    from poller.state.sole import Sole, alone, new_member  # noqa: PLC0415

    async with opened(settings.aws, *place_of(settings.state), _fleet_of(settings)) as store:
        if settings.fleet is not None:
            # for commands, which store where nothing is stored
            yield Sole(store, new_member())
        else:
            async with alone(store, settings.state) as sole:
                yield sole


@asynccontextmanager
async def _join(settings: "Settings") -> AsyncIterator["FleetStore"]:
    from poller.state.dynamodb.opening import opened  # noqa: PLC0415  (as above)
    from poller.state.presence import refuse_beside_one_alone  # noqa: PLC0415

    assert settings.fleet is not None
    seconds = ANSWER_PART * settings.fleet.lease_seconds
    async with opened(settings.aws, *place_of(settings.state), settings.fleet.name, seconds) as store:
        await refuse_beside_one_alone(store, settings.state, settings.fleet.name)
        yield store


@asynccontextmanager
async def _edit(settings: "Settings") -> AsyncIterator["FleetStore"]:
    from poller.state.dynamodb.opening import opened  # noqa: PLC0415  (as above)

    async with opened(settings.aws, *place_of(settings.state), _fleet_of(settings)) as store:
        yield store


async def _contents(settings: "Settings") -> Contents:
    from poller.state.contents import contents  # noqa: PLC0415  (as above)

    async with _edit(settings) as store:
        return await contents(store)


async def _unused(settings: "Settings", uuid: str) -> None:
    from poller.state.contents import unused  # noqa: PLC0415  (as above)

    async with _edit(settings) as store:
        await unused(store, uuid)


async def _prepare(settings: "Settings") -> str:
    from poller.state.dynamodb.opening import made  # noqa: PLC0415  (as above)

    return await made(settings.aws, *place_of(settings.state))


def _script(url: str) -> str:
    from poller.state.dynamodb.table import template  # noqa: PLC0415  (as above)

    return template(place_of(url)[0])


def _grants(settings: "Settings", account: str) -> Iterator[Grant]:
    table, region = place_of(settings.state)
    yield Grant("StateTable", ACTIONS, f"arn:{partition_of(region)}:dynamodb:{region}:{account}:table/{table}")


DYNAMODB_KIND = StoreKind(
    scheme=SCHEME,
    forms=(FORM,),
    pattern=PATTERN,
    check=lambda url: re.fullmatch(PATTERN, url) is not None,
    absolute=as_it_is,
    open=_open,
    contents=_contents,
    edit=_edit,
    unused=_unused,
    join=_join,
    cost=(
        f"{MONTHLY_USD:.2f} USD a month for each write a second, by on-demand capacity: at most one of each shard in "
        f"each interval, and {MONTHLY_USD / 5:.2f} USD for each daemon in any case"
    ),
    checkpoint_interval=1.0,
    service="dynamodb",
    grants=_grants,
    prepare=_prepare,
    script=_script,
)
