"""Whom the client believes."""

import asyncio
from pathlib import Path

import pytest

from poller.http import HttpPool, tls_context
from poller.values.errors import AnswerLost, ConfigurationError, NotSent
from tests.http.conftest import Client
from tests.http.scripted import CERTIFICATES, OK, REQUEST, Peer, always_ok, serving

pytestmark = pytest.mark.real_time


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_for_the_name_or_address_is_accepted(client: Client, host: str) -> None:
    async def main() -> None:
        async with serving(always_ok, certificate="valid", scheme_host=host) as server, client.pool(server) as pool:
            for _ in range(3):
                assert (await pool.exchange(REQUEST, 10, 100)).body == b"ok"
            assert server.connections == 1

    client.run(main())


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [("expired", "expired"), ("wrong_name", "mismatch, certificate is not valid for 'localhost'")],
)
def test_a_certificate_that_is_not_good_means_not_sent(client: Client, certificate: str, reason: str) -> None:
    async def main() -> None:
        async with (
            serving(always_ok, certificate=certificate, scheme_host="localhost") as server,
            client.pool(server) as pool,
        ):
            with pytest.raises(NotSent, match=reason):
                await pool.exchange(REQUEST, 10, 100)

    client.run(main())


def test_a_certificate_of_an_unknown_authority_means_not_sent(client: Client) -> None:
    async def main() -> None:
        async with serving(always_ok, certificate="valid") as server:
            pool = HttpPool(server.origin, tls_context())
            with pytest.raises(NotSent, match=r"self-signed|unable to get local issuer"):
                await pool.exchange(REQUEST, 10, 100)
            await pool.close()

    client.run(main())


def test_a_server_that_does_not_speak_tls_means_not_sent(client: Client) -> None:
    async def main() -> None:
        async def plain(peer: Peer) -> None:
            await peer.send(OK)
            await peer.gone()

        async with serving(plain) as server:
            server.origin = server.origin._replace(scheme="https")
            async with client.pool(server) as pool:
                with pytest.raises(NotSent):
                    await pool.exchange(REQUEST, 10, 100)

    client.run(main())


def test_a_handshake_that_never_ends_is_cut_off_by_the_connect_timeout(client: Client) -> None:
    async def main() -> None:
        async def silent(peer: Peer) -> None:
            await peer.gone()

        async with serving(silent) as server:
            server.origin = server.origin._replace(scheme="https")
            async with client.pool(server, connect_timeout=0.1) as pool:
                with pytest.raises(NotSent, match="not within"):
                    await pool.exchange(REQUEST, 10, 100)

    client.run(main())


def test_an_answer_that_only_the_end_of_the_stream_ends_is_not_believed(client: Client) -> None:
    """Anyone on the way can end a stream."""

    async def main() -> None:
        async def unframed(peer: Peer) -> None:
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\n\r\nok")

        async with serving(unframed, certificate="valid") as server, client.pool(server) as pool:
            with pytest.raises(AnswerLost):
                await pool.exchange(REQUEST, 10, 100)

    client.run(main())


def test_cancelling_a_handshake_leaves_nothing(client: Client) -> None:
    async def main() -> None:
        async def silent(peer: Peer) -> None:
            await peer.gone()

        async with serving(silent) as server:
            server.origin = server.origin._replace(scheme="https")
            async with client.pool(server) as pool:
                task = asyncio.create_task(pool.exchange(REQUEST, 10, 100))
                await server.connected()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert (pool.connections, pool.free) == (0, 1000)

    client.run(main())


def test_an_authority_file_that_is_missing_or_empty_is_the_users_mistake(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for path in (tmp_path / "missing.pem", empty):
        with pytest.raises(ConfigurationError, match=r"CA bundle .*cannot be used"):
            tls_context(str(path))


def test_a_machine_without_authorities_trusts_those_that_came_with_the_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert tls_context().cert_store_stats()["x509_ca"] > 50


def test_an_authority_directory_is_accepted(tmp_path: Path) -> None:
    assert tls_context(str(tmp_path)).check_hostname
    assert tls_context(str(CERTIFICATES / "authority.pem")).cert_store_stats()["x509_ca"] == 1
