"""The client on each event loop that a machine may have: asyncio's or uvloop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest
import uvloop

from poller.http import HttpPool, tls_context
from tests.http.scripted import CERTIFICATES, Server
from tests.virtual_time import run


@dataclass(frozen=True)
class Client:
    loop_factory: Callable[[], asyncio.AbstractEventLoop]

    def run(self, main: Coroutine[Any, Any, Any]) -> None:
        run(main, loop_factory=self.loop_factory)

    @contextlib.asynccontextmanager
    async def pool(self, server: Server, **limits: Any) -> AsyncIterator[HttpPool]:
        """To `server`, trusting the tests' own authority; nothing may be left of it afterwards."""
        tls = tls_context(str(CERTIFICATES / "authority.pem")) if server.origin.scheme == "https" else None
        pool = HttpPool(server.origin, tls, **limits)
        try:
            yield pool
        finally:
            await pool.close()
            assert pool.connections == 0


@pytest.fixture(
    params=[
        pytest.param(asyncio.SelectorEventLoop, id="asyncio"),
        pytest.param(uvloop.new_event_loop, id="uvloop"),
    ]
)
def client(request: pytest.FixtureRequest) -> Client:
    return Client(request.param)
