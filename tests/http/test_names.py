"""Names that do not answer delay no other, are asked for once at a time, and leave no thread of the shared pool busy."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from poller.http import HttpPool, Origin
from poller.http.names import KEPT_SECONDS, MOST_AT_ONCE, SLOW_SECONDS, Names, Resolver
from poller.http.proxied import ProxiedPool
from poller.values.errors import NotSent
from tests.http.scripted import always_ok, serving, until

pytestmark = pytest.mark.real_time

REQUEST = b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n"
HERE = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 0))]


class NameServer:
    """Knows every name in `.test`; says nothing of one in `.dead` until it is let go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.silent = threading.Event()

    def look_up(self, host: str, port: int, *_: Any, **options: Any) -> Any:
        if options.get("flags", 0) & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        self.asked.append(host)
        if host.endswith(".dead"):
            self.silent.wait()
        if not host.endswith(".test"):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(*HERE[0][:4], ("127.0.0.1", port))]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    server = NameServer()
    monkeypatch.setattr(socket, "getaddrinfo", server.look_up)
    yield server
    server.silent.set()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("proxied", [False, True])
async def test_a_healthy_host_is_reached_while_dozens_of_names_do_not_answer(
    server: NameServer, monkeypatch: pytest.MonkeyPatch, *, proxied: bool
) -> None:
    async with serving(always_ok) as service:
        # a getaddrinfo of the test's own server would be the fake one
        port = service.origin.port
        dead = [HttpPool(Origin("http", f"{number}.dead", port)) for number in range(40)]
        asking = [asyncio.create_task(pool.exchange(REQUEST, 10.0, 1000)) for pool in dead]
        await until(lambda: len(server.asked) == len(dead))
        healthy: HttpPool | ProxiedPool
        if proxied:
            healthy = ProxiedPool(Origin("http", "far.example", 80), f"http://healthy.test:{port}")
        else:
            healthy = HttpPool(Origin("http", "healthy.test", port))
        assert (await healthy.exchange(REQUEST, 10.0, 1000)).status == 200
        assert not any(task.done() for task in asking), "they still wait"
        await asyncio.to_thread(lambda: None)  # the shared pool is free as well
        server.silent.set()
        for task in asking:
            with pytest.raises(NotSent, match="Temporary failure"):
                await task
        for pool in (*dead, healthy):
            await pool.close()


async def test_a_name_is_looked_up_once_for_all_who_ask_and_its_answer_serves_for_a_moment(server: NameServer) -> None:
    clock = Clock()
    names = Names(clock)
    for _ in range(3):
        found = await asyncio.gather(*(names.addresses("one.test", 80) for _ in range(50)))
        assert {address[4] for addresses in found for address in addresses} == {("127.0.0.1", 80)}
    assert server.asked == ["one.test"]
    clock.now += KEPT_SECONDS
    await names.addresses("one.test", 80)
    assert server.asked == ["one.test"] * 2


async def test_a_name_that_is_not_known_is_asked_for_again_only_after_a_moment(server: NameServer) -> None:
    clock = Clock()
    names = Names(clock)
    for _ in range(5):
        with pytest.raises(socket.gaierror, match="Temporary failure"):
            await names.addresses("nobody.example", 80)
    assert server.asked == ["nobody.example"]
    clock.now += KEPT_SECONDS
    with pytest.raises(socket.gaierror):
        await names.addresses("nobody.example", 80)
    assert server.asked == ["nobody.example"] * 2


async def test_a_caller_who_gives_up_leaves_the_one_lookup_to_the_next(server: NameServer) -> None:
    names = Names()
    for _ in range(20):
        asking = asyncio.create_task(names.addresses("hangs.dead", 80))
        await asyncio.sleep(0)
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
    last = asyncio.create_task(names.addresses("hangs.dead", 80))
    server.silent.set()
    with pytest.raises(socket.gaierror):
        await last
    assert server.asked == ["hangs.dead"]


async def test_names_known_for_not_answering_have_threads_of_their_own_number(server: NameServer) -> None:
    clock = Clock()
    names = Names(clock)
    many = 2 * MOST_AT_ONCE
    server.silent.set()
    for number in range(many):
        with pytest.raises(socket.gaierror):
            await names.addresses(f"{number}.dead", 80)
    clock.now += KEPT_SECONDS
    server.silent.clear()
    server.asked.clear()
    asking = [asyncio.create_task(names.addresses(f"{number}.dead", 80)) for number in range(many)]
    await until(lambda: len(server.asked) == MOST_AT_ONCE)
    assert await names.addresses("healthy.test", 80)
    assert len(server.asked) == MOST_AT_ONCE + 1
    server.silent.set()
    assert all(isinstance(error, socket.gaierror) for error in await asyncio.gather(*asking, return_exceptions=True))
    assert len(server.asked) == many + 1, "each has its turn"


async def test_more_new_names_than_threads_that_do_not_answer_hold_a_healthy_one_up_for_moments_only(
    server: NameServer,
) -> None:
    clock = Clock()
    names = Names(clock)
    asking = [asyncio.create_task(names.addresses(f"{number}.dead", 80)) for number in range(MOST_AT_ONCE)]
    await until(lambda: len(server.asked) == MOST_AT_ONCE)
    healthy = asyncio.create_task(names.addresses("healthy.test", 80))
    await asyncio.sleep(0)
    assert "healthy.test" not in server.asked
    clock.now += SLOW_SECONDS
    await names.addresses("another.test", 80)
    assert await healthy
    server.silent.set()
    await asyncio.gather(*asking, return_exceptions=True)


async def test_the_resolver_of_aiohttp_gives_the_family_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [*HERE, (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("fe80::1", 0, 0, 2))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    for family, hosts in (
        (socket.AF_INET, ["127.0.0.1"]),
        (socket.AF_INET6, ["fe80::1%2"]),
        (socket.AF_UNSPEC, ["127.0.0.1", "fe80::1%2"]),
    ):
        found = await Resolver().resolve(f"of-family-{family}.test", 443, family)
        assert [one["host"] for one in found] == hosts
        assert {one["port"] for one in found} == {443}
