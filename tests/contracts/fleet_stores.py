"""Every store of a fleet, for the contract suite: a row for each, which starts what it needs and says how to connect."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from poller.ports.fleet import FleetStore
from poller.state.memory.fleet import MemoryFleet, Rows
from tests.servers.postgresql import in_schema

Connect = Callable[..., Awaitable[FleetStore]]
"""`await connect(fleet="orders")` is one more daemon's connection to the same rows. Closed with the world."""
World = Callable[[Path], AbstractAsyncContextManager[Connect]]


@asynccontextmanager
async def memory(_path: Path) -> AsyncIterator[Connect]:
    fleets: dict[str, Rows] = {}

    async def connect(fleet: str = "orders") -> FleetStore:
        return MemoryFleet(fleets.setdefault(fleet, Rows()))

    yield connect


WORLDS: dict[str, tuple[World, tuple[Any, ...]]] = {"memory": (memory, ())}
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


SERVED: dict[str, tuple[Callable[[str], AbstractAsyncContextManager[Connect]], str]] = {
    "postgresql": (postgresql, "postgresql_url")
}
"""Those that a server keeps, with the fixture that gives its URL."""


@pytest.fixture(
    params=[
        *(pytest.param(name, marks=marks) for name, (_, marks) in WORLDS.items()),
        *(pytest.param(name, marks=pytest.mark.real_time) for name in SERVED),
    ]
)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> AbstractAsyncContextManager[Connect]:
    """The store under test: `async with world as connect`."""
    if request.param in SERVED:
        make, server = SERVED[request.param]
        return make(request.getfixturevalue(server))
    return WORLDS[request.param][0](tmp_path)
