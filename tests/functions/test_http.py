"""Functions behind HTTP, over real sockets: what each end of an exchange means for a batch."""

import asyncio
import contextlib
import socket
from typing import Any

import pytest

from poller.policy.response import Failed, NotInvoked, Succeeded, TooLarge
from poller.values.errors import ConfigurationError
from tests.functions.building import plain
from tests.http.scripted import OK, answering, serving

pytestmark = pytest.mark.real_time
EVENT = b'{"Records":[]}'


@contextlib.asynccontextmanager
async def function_at(origin, *, headers=dict, timeout=5.0, path="/"):  # noqa: ASYNC109 - the function's own
    function = plain(f"{origin}{path}", headers=headers, timeout=timeout)
    try:
        yield function
    finally:
        await function.close()


async def outcome(*scripts, **options):
    async with serving(*scripts) as server, function_at(server.origin, **options) as function:
        return await function.invoke(EVENT)


def response(status, body=b"", *headers):
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize("status", [200, 201, 202, 299])
async def test_any_complete_answer_of_2xx_is_a_success(status):
    assert await outcome(answering(response(status, b"done"))) == Succeeded(b"done")


async def test_204_is_a_success_and_what_the_answer_calls_itself_is_kept():
    answer = b"HTTP/1.1 204 No Content\r\nX-Amzn-RequestId: r-1\r\n\r\n"
    assert await outcome(answering(answer)) == Succeeded(b"", "r-1")


@pytest.mark.parametrize(
    ("status", "headers", "means", "retry_after"),
    [
        (429, [], "throttled", None),
        (429, ["Retry-After: 17"], "throttled", 17),
        (503, [], "unavailable", None),
        (503, ["Retry-After: 0"], "unavailable", 0),
        (503, ["Retry-After: Fri, 31 Dec 1999 23:59:59 GMT"], "unavailable", None),
        (503, ["Retry-After: soon"], "unavailable", None),
        (503, ["Retry-After: -3"], "unavailable", None),
    ],
)
async def test_429_and_503_did_not_invoke(status, headers, means, retry_after):
    found = await outcome(answering(response(status, b"busy", *headers)))
    assert found == NotInvoked(means, "busy", retry_after)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 415, 418, 500, 501, 502, 504])
async def test_every_other_status_has_failed_redirects_included(status):
    found = await outcome(answering(response(status, b"no", "Location: http://127.0.0.1:9/")))
    assert found == Failed(f"http_{status}", "no", status=status)


async def test_413_is_too_large():
    assert await outcome(answering(response(413, b"limit is 1 MB"))) == TooLarge("limit is 1 MB")


async def test_where_nobody_listens_was_not_invoked():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        async with function_at(f"http://127.0.0.1:{bound.getsockname()[1]}") as function:
            found = await function.invoke(EVENT)
    assert isinstance(found, NotInvoked)
    assert found.code == "unreachable"


async def test_a_name_that_does_not_resolve_was_not_invoked():
    async with function_at("http://no-such-host.invalid") as function:
        found = await function.invoke(EVENT)
    assert isinstance(found, NotInvoked)
    assert found.code == "unreachable"


def cut_after(sent, *, reset):
    async def script(peer):
        await peer.request()
        await peer.send(sent)
        peer.reset() if reset else await peer.close()

    return script


CUTS = {
    "before any byte": b"",
    "within the status line": b"HTTP/1.1 20",
    "within the headers": b"HTTP/1.1 200 OK\r\nContent-Le",
    "before the body": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
    "within the body": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345",
    "within the chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
}


@pytest.mark.parametrize("reset", [False, True], ids=["end of stream", "reset"])
@pytest.mark.parametrize("sent", [pytest.param(sent, id=name) for name, sent in CUTS.items()])
async def test_a_connection_that_is_cut_has_failed_and_is_not_tried_again(sent, reset):
    async with serving(cut_after(sent, reset=reset)) as server, function_at(server.origin) as function:
        found = await function.invoke(EVENT)
        assert isinstance(found, Failed)
        assert found.error == "answer_lost"
        assert server.connections == 1


async def test_a_server_that_closes_without_reading_has_failed():
    async def script(peer):
        await peer.close()

    assert isinstance(await outcome(script), (Failed, NotInvoked))


async def test_an_answer_over_6_mb_has_failed_whether_its_length_was_told_or_not():
    async def flood(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        await peer.flood(b"x" * 65536)

    for script in (flood, answering(response(200, b"x" * 6_300_000))):
        found = await outcome(script)
        assert isinstance(found, Failed)
        assert found.error == "answer_lost"


async def test_an_answer_of_6_mb_is_read():
    body = b"x" * 6_291_456
    assert await outcome(answering(response(200, body))) == Succeeded(body)


async def test_a_function_that_hangs_has_failed_within_its_timeout():
    async def hang(peer):
        await peer.request()
        await peer.gone()

    found = await outcome(hang, timeout=0.05)
    assert isinstance(found, Failed)
    assert found.error == "answer_lost"


async def test_a_drip_does_not_prolong_the_timeout():
    async def drip(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(10_000):
            await peer.send(b"x")
            await asyncio.sleep(0.005)

    found = await outcome(drip, timeout=0.05)
    assert isinstance(found, Failed)


async def test_garbage_has_failed():
    assert isinstance(await outcome(answering(b"SSH-2.0-OpenSSH_9.6\r\n")), Failed)


def recorder(seen, *answers):
    left = list(answers)

    async def script(peer):
        while request := await peer.request():
            seen.append(request)
            await peer.send(left.pop(0) if left else OK)

    return script


async def test_the_event_is_posted_with_the_configured_headers():
    seen: list[Any] = []
    headers = {"X-Env": "prod", "Content-Type": "application/cloudevents+json"}
    async with (
        serving(recorder(seen)) as server,
        function_at(server.origin, headers=lambda: headers, path="/hook?a=b") as function,
    ):
        assert await function.invoke(EVENT) == Succeeded(b"ok")
        assert await function.invoke(EVENT) == Succeeded(b"ok")
        assert server.connections == 1, "the connection is kept"
    head, _, body = seen[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /hook?a=b HTTP/1.1"
    assert body == EVENT
    fields = dict(line.split(": ", 1) for line in lines[1:])
    assert fields["x-env"] == "prod"
    assert fields["content-type"] == "application/cloudevents+json"
    assert fields["content-length"] == str(len(EVENT))


@pytest.mark.parametrize("status", [401, 403])
async def test_secrets_are_read_again_after_the_target_refused_them(status):
    seen: list[Any]
    secrets, seen = ["old", "new"], []
    async with (
        serving(recorder(seen, OK, response(status))) as server,
        function_at(server.origin, headers=lambda: {"Authorization": secrets[0]}) as function,
    ):
        await function.invoke(EVENT)
        secrets.pop(0)
        assert isinstance(await function.invoke(EVENT), Failed)
        await function.invoke(EVENT)
    assert [b"authorization: new" in request for request in seen] == [False, False, True]


async def test_a_secret_that_cannot_be_read_any_more_holds_the_batch():
    def headers():
        if not readable:
            raise ConfigurationError(["the file /run/token cannot be read (No such file or directory)"])
        return {"Authorization": "x"}

    readable = [True]
    async with serving(answering(response(401), OK)) as server, function_at(server.origin, headers=headers) as function:
        await function.invoke(EVENT)
        readable.clear()
        found = await function.invoke(EVENT)
        assert isinstance(found, NotInvoked)
        assert (found.code, "/run/token" in found.detail) == ("configuration", True)
        readable.append(True)
        assert await function.invoke(EVENT) == Succeeded(b"ok")


@pytest.mark.parametrize("headers", [{"X": "a\r\nY: b"}, {"X": "a\nb"}, {"X\r\n": "a"}, {"": "a"}, {"a:b": "c"}])
async def test_a_header_that_would_end_its_line_is_refused_at_the_start(headers):
    with pytest.raises(ConfigurationError):
        plain("http://127.0.0.1:9/", headers=lambda: headers)


async def test_an_invocation_that_is_cancelled_closes_its_connection():
    gone = asyncio.Event()

    async def hang(peer):
        await peer.request()
        started.set()
        await peer.gone()
        gone.set()

    started = asyncio.Event()
    async with serving(hang) as server, function_at(server.origin) as function:
        invocation = asyncio.create_task(function.invoke(EVENT))
        await started.wait()
        invocation.cancel()
        with pytest.raises(asyncio.CancelledError):
            await invocation
        await gone.wait()
