"""How connections are shared, bounded, waited for and given up."""

import asyncio

import pytest

from poller.values.errors import AnswerLost, NotSent
from tests.http.conftest import Client
from tests.http.scripted import OK, REQUEST, Peer, Script, always_ok, answering, serving, until

pytestmark = pytest.mark.real_time
MOST = 1_000_000


def test_as_many_connections_as_exchanges_at_once_and_no_more_than_allowed(client: Client) -> None:
    async def main() -> None:
        busy, most = 0, 0

        async def counts(peer: Peer) -> None:
            nonlocal busy, most
            while await peer.request():
                busy += 1
                most = max(most, busy)
                await asyncio.sleep(0.001)
                busy -= 1
                await peer.send(OK)

        async with serving(counts) as server, client.pool(server, max_connections=3) as pool:
            replies = await asyncio.gather(*(pool.exchange(REQUEST, 10, MOST) for _ in range(30)))
            assert [reply.body for reply in replies] == [b"ok"] * 30
            assert most == server.connections == 3

    client.run(main())


def test_waiting_exchanges_are_served_in_order(client: Client) -> None:
    async def main() -> None:
        asked: list[bytes] = []

        async def notes(peer: Peer) -> None:
            while request := await peer.request():
                asked.append(request[-1:])
                await peer.send(OK)

        async with serving(notes) as server, client.pool(server, max_connections=1) as pool:
            requests = [b"POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\n%d" % number for number in range(10)]
            await asyncio.gather(*(pool.exchange(request, 10, MOST) for request in requests))
            assert asked == [b"%d" % number for number in range(10)]

    client.run(main())


def test_waiting_longer_than_allowed_for_a_free_connection_means_not_sent(client: Client) -> None:
    async def main() -> None:
        async with (
            serving(answering(b"")) as server,
            client.pool(server, max_connections=1, connect_timeout=0.05) as pool,
        ):
            first = asyncio.create_task(pool.exchange(REQUEST, 10, MOST))
            await until(lambda: pool.connections > 0)
            with pytest.raises(NotSent, match="no free connection"):
                await pool.exchange(REQUEST, 10, MOST)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first

    client.run(main())


def test_an_exchange_waits_on_when_the_connection_it_waited_for_breaks(client: Client) -> None:
    async def main() -> None:
        async def breaks(peer: Peer) -> None:
            await peer.request()

        async with serving(breaks, always_ok) as server, client.pool(server, max_connections=1) as pool:
            first, second = await asyncio.gather(
                pool.exchange(REQUEST, 10, MOST), pool.exchange(REQUEST, 10, MOST), return_exceptions=True
            )
            assert isinstance(first, AnswerLost)
            assert getattr(second, "body", None) == b"ok"

    client.run(main())


def test_cancelling_closes_the_connection_and_frees_its_place(client: Client) -> None:
    async def main() -> None:
        closed = asyncio.Event()

        async def silent(peer: Peer) -> None:
            await peer.request()
            await peer.gone()
            closed.set()

        async with serving(silent, always_ok) as server, client.pool(server, max_connections=1) as pool:
            task = asyncio.create_task(pool.exchange(REQUEST, 10, MOST))
            await server.connected()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await closed.wait()
            assert (await pool.exchange(REQUEST, 10, MOST)).body == b"ok"

    client.run(main())


async def answers_and_closes(peer: Peer) -> None:
    await peer.request()
    await peer.send(OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"))


@pytest.mark.parametrize("turns", range(12))
@pytest.mark.parametrize("script", [always_ok, answers_and_closes])
def test_cancelling_at_any_point_leaves_the_pool_whole(client: Client, script: Script, turns: int) -> None:
    async def main() -> None:
        async with serving(script) as server, client.pool(server, max_connections=2) as pool:
            for _ in range(3):
                tasks = [asyncio.create_task(pool.exchange(REQUEST, 10, MOST)) for _ in range(5)]
                for _ in range(turns):
                    await asyncio.sleep(0)
                for task in tasks[::2]:
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
                assert [getattr(result, "body", None) for result in results[1::2]] == [b"ok", b"ok"]
            assert (await pool.exchange(REQUEST, 10, MOST)).body == b"ok"
            assert pool.free == 2 - len([connection for connection in pool.open if connection.usable])

    client.run(main())


def test_idle_connections_are_closed_after_a_while(client: Client) -> None:
    async def main() -> None:
        closed = asyncio.Event()

        async def notes_the_end(peer: Peer) -> None:
            await always_ok(peer)
            closed.set()

        async with serving(notes_the_end) as server, client.pool(server, idle_seconds=0.02) as pool:
            await pool.exchange(REQUEST, 10, MOST)
            await closed.wait()
            assert (await pool.exchange(REQUEST, 10, MOST)).body == b"ok"

    client.run(main())


def test_a_timeout_shorter_than_the_others_is_kept(client: Client) -> None:
    async def main() -> None:
        async with serving(answering(b"")) as server, client.pool(server) as pool:
            patient = asyncio.create_task(pool.exchange(REQUEST, 100, MOST))
            await until(lambda: pool.connections > 0)
            with pytest.raises(AnswerLost, match="in time"):
                await pool.exchange(REQUEST, 0.02, MOST)
            assert not patient.done()
            patient.cancel()
            await asyncio.gather(patient, return_exceptions=True)

    client.run(main())


def test_close_ends_what_runs_and_what_waits_and_what_comes(client: Client) -> None:
    async def main() -> None:
        async with serving(answering(b"")) as server, client.pool(server, max_connections=1) as pool:
            runs = asyncio.create_task(pool.exchange(REQUEST, 10, MOST))
            await until(lambda: server.connections > 0 < pool.connections)
            waits = asyncio.create_task(pool.exchange(REQUEST, 10, MOST))
            await asyncio.sleep(0)
            await pool.close()
            results = await asyncio.gather(runs, waits, return_exceptions=True)
            assert [type(result) for result in results] == [AnswerLost, NotSent]
            with pytest.raises(NotSent):
                await pool.exchange(REQUEST, 10, MOST)

    client.run(main())


def test_close_while_connecting_leaves_nothing(client: Client) -> None:
    async def main() -> None:
        async with serving(always_ok) as server, client.pool(server) as pool:
            connecting = asyncio.create_task(pool.exchange(REQUEST, 10, MOST))
            await asyncio.sleep(0)
            await pool.close()
            with pytest.raises(NotSent):
                await connecting
            assert pool.connections == 0

    client.run(main())
