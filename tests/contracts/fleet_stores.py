"""Every store of a fleet, for the contract suite: a row for each, which starts what it needs and says how to connect."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from poller.ports.fleet import FleetStore
from poller.state.memory.fleet import MemoryFleet, Rows

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


@pytest.fixture(params=[pytest.param(name, marks=marks) for name, (_, marks) in WORLDS.items()])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> AbstractAsyncContextManager[Connect]:
    """The store under test: `async with world as connect`."""
    return WORLDS[request.param][0](tmp_path)
