"""Every store of a fleet, for the contract suite: a row for each, which starts what it needs and says how to connect."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from poller.ports.fleet import FleetStore
from poller.state.memory.fleet import MemoryFleet, Rows
from poller.state.sqlite.fleet import SqliteFleet
from tests.servers.postgresql import in_schema

LEASE_SECONDS = 15.0
"""The default; deadlines of calls follow from it."""
Connect = Callable[..., Awaitable[FleetStore]]
"""`await connect(fleet="orders")` is one more daemon's connection to the same rows. Closed with the world."""
World = Callable[[Path], AbstractAsyncContextManager[Connect]]


@asynccontextmanager
async def memory(_path: Path) -> AsyncIterator[Connect]:
    fleets: dict[str, Rows] = {}

    async def connect(fleet: str = "orders") -> FleetStore:
        return MemoryFleet(fleets.setdefault(fleet, Rows()))

    yield connect


@asynccontextmanager
async def sqlite(path: Path) -> AsyncIterator[Connect]:
    """A file for each fleet, because a file is one fleet's."""
    opened: list[SqliteFleet] = []

    async def connect(fleet: str = "orders") -> FleetStore:
        opened.append(await SqliteFleet.joined(path / f"{fleet}.db", fleet, LEASE_SECONDS))
        return opened[-1]

    try:
        yield connect
    finally:
        for store in opened:
            store.close()


WORLDS: dict[str, tuple[World, tuple[Any, ...]]] = {"memory": (memory, ()), "sqlite": (sqlite, ())}
"""With its marks: `pytest.mark.real_time` for one that is reached by sockets, a skip that says what to install."""


@asynccontextmanager
async def postgresql(url: str) -> AsyncIterator[Connect]:
    """A schema of its own, which the first daemon fills."""
    from poller.state.postgresql.opening import opened

    mine = in_schema(url, f"world-{uuid4()}")
    async with AsyncExitStack() as stack:

        async def connect(fleet: str = "orders") -> FleetStore:
            return await stack.enter_async_context(opened(mine, fleet))

        yield connect


@asynccontextmanager
async def dynamodb(url: str) -> AsyncIterator[Connect]:
    """A table of its own."""
    from poller.configuration.model.aws import AwsSettings
    from poller.state.dynamodb.opening import made, opened

    name, aws = f"world-{uuid4()}", AwsSettings(endpoint_url=url, region="eu-west-1")
    await made(aws, name, "eu-west-1")
    async with AsyncExitStack() as stack:

        async def connect(fleet: str = "orders") -> FleetStore:
            return await stack.enter_async_context(opened(aws, name, "eu-west-1", fleet))

        yield connect


SERVED: dict[str, tuple[Callable[[str], AbstractAsyncContextManager[Connect]], str]] = {
    "postgresql": (postgresql, "postgresql_url"),
    "dynamodb": (dynamodb, "ministack_url"),
}
"""Those that a server keeps, with the fixture that gives its URL. moto is none: it judges conditions without a lock, and
of two claims at the same time one sees an item that is not written yet."""


@pytest.fixture(
    params=[
        *(pytest.param(name, marks=marks) for name, (_, marks) in WORLDS.items()),
        *(pytest.param(name, marks=pytest.mark.real_time) for name in SERVED),
    ]
)
def world(request: pytest.FixtureRequest, tmp_path: Path, credentials: None) -> AbstractAsyncContextManager[Connect]:
    """The store under test: `async with world as connect`."""
    if request.param in SERVED:
        make, server = SERVED[request.param]
        return make(request.getfixturevalue(server))
    return WORLDS[request.param][0](tmp_path)
