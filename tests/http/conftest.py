"""The client in each form it can take on a machine: own or C parser, asyncio's loop or uvloop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import httptools
import pytest
import uvloop

from poller.http import HttpPool, tls_context
from poller.http.connection import NewParser
from poller.http.parser import ResponseParser
from tests.http.scripted import CERTIFICATES, Server
from tests.virtual_time import run


@dataclass(frozen=True)
class Client:
    parser: NewParser
    loop_factory: Callable[[], asyncio.AbstractEventLoop]

    def run(self, main: Coroutine[Any, Any, Any]) -> None:
        run(main, loop_factory=self.loop_factory)

    @contextlib.asynccontextmanager
    async def pool(self, server: Server, **limits: Any) -> AsyncIterator[HttpPool]:
        """To `server`, trusting the tests' own authority; nothing may be left of it afterwards."""
        tls = tls_context(str(CERTIFICATES / "authority.pem")) if server.origin.scheme == "https" else None
        pool = HttpPool(server.origin, tls, parser=self.parser, **limits)
        try:
            yield pool
        finally:
            await pool.close()
            assert pool.connections == 0


PARSERS: dict[str, Any] = {"own": ResponseParser, "httptools": httptools.HttpResponseParser}


@pytest.fixture(
    params=[
        pytest.param((ResponseParser, asyncio.SelectorEventLoop), id="own-asyncio"),
        pytest.param((httptools.HttpResponseParser, asyncio.SelectorEventLoop), id="httptools-asyncio"),
        pytest.param((httptools.HttpResponseParser, uvloop.new_event_loop), id="httptools-uvloop"),
    ]
)
def client(request: pytest.FixtureRequest) -> Client:
    return Client(*request.param)


@pytest.fixture(params=["own", "httptools"])
def parser(request: pytest.FixtureRequest) -> Any:
    return PARSERS[request.param]
