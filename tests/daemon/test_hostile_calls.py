"""Calls of Lambda's API that no client of AWS makes, on the wire: refused, nothing changed, and bounded in memory."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from poller.daemon.api.lambda_api import front
from tests.daemon.functions_served import python, served

pytestmark = pytest.mark.real_time
MAPPINGS = "/2015-03-31/event-source-mappings/"
INVOKE = "/2015-03-31/functions/f/invocations"
UNSIGNED = "AWS4-HMAC-SHA256 Credential=any/20200101/eu-west-1/lambda/aws4_request, SignedHeaders=host, Signature=0"
MEBIBYTE = 1024 * 1024
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
AMBIGUOUS = [
    "Content-Length: 2\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 2",
    "Content-Length: 2\r\nContent-Length: 3",
    "Content-Length: 2, 2",
    "Content-Length: +2",
    "Content-Length: -2",
    "Content-Length: 0x2",
    "Content-Length : 2",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding:\x0bchunked",
    "Content-Length: 2\r\n folded",
    "Content-Length: 2\r\nX-A: \x00",
    "Content-Length: 2\r\nno colon",
    "Content-Length: 2\r\nX-A: " + "x" * 100_000,
]
"""Lines of a head that two programs could read differently."""
NOT_OURS: list[tuple[str, str, dict[str, str | None], int, str | None]] = [
    ("POST", MAPPINGS, {"Content-Type": "text/plain"}, 415, "UnsupportedMediaTypeException"),
    ("POST", MAPPINGS, {"Content-Type": "application/x-www-form-urlencoded"}, 415, "UnsupportedMediaTypeException"),
    ("POST", MAPPINGS, {"Content-Type": "application/json\x0b"}, 400, None),
    ("PATCH", MAPPINGS, {}, 501, "NotImplementedException"),
    ("POST", "/2015-03-31/event-source-mapping", {}, 501, "NotImplementedException"),
    ("POST", "/2014-11-13/event-source-mappings/", {}, 501, "NotImplementedException"),
    ("POST", "/2015-03-31/functions/f/code", {}, 501, "NotImplementedException"),
    ("GET", "/2015-03-31/functions/f/../../event-source-mappings/x", {}, 501, "NotImplementedException"),
    ("GET", "/2015-03-31/event-source-mappings/..%2f..%2fstatus", {}, 404, "ResourceNotFoundException"),
    ("GET", "/2015-03-31/event-source-mappings/%00", {}, 404, "ResourceNotFoundException"),
    ("GET", "/2015-03-31/event-source-mappings/%ff", {}, 404, "ResourceNotFoundException"),
    ("POST", "/2015-03-31/functions/%00/invocations", {}, 404, "ResourceNotFoundException"),
    ("POST", MAPPINGS, {"Host": "evil.example"}, 403, "AccessDeniedException"),
    ("POST", INVOKE, {"Host": "evil.example"}, 403, "AccessDeniedException"),
    ("POST", INVOKE, {"Origin": "https://evil.example"}, 403, "AccessDeniedException"),
    ("POST", INVOKE, {"Authorization": None}, 403, "MissingAuthenticationTokenException"),
    ("POST", INVOKE, {"Authorization": "AWS4-HMAC-SHA256 " + "a" * 7000}, 403, "IncompleteSignatureException"),
]
"""Method, path, headers that differ, and status and error of the answer."""


class Attacked:
    """A daemon with a function, by the raw bytes of its listener."""

    def __init__(self, world):
        self._world = world
        self._port = int(world.url.rpartition(":")[2])

    async def open(self):
        return await asyncio.open_connection("127.0.0.1", self._port)

    async def send(self, head, body=b""):
        """Status, headers and body of the answer; the connection's end is the answer's."""
        reader, writer = await self.open()
        try:
            writer.write(head.encode("latin-1") + body)
            answer = await reader.read()
        finally:
            writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body

    async def call(self, method, path, body=b"", **headers):
        """A call that is whole, but for what the headers say."""
        given = {"Host": "127.0.0.1", "Authorization": UNSIGNED, "Content-Length": len(body), **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value is not None)
        return await self.send(f"{method} {path} HTTP/1.1\r\nConnection: close\r\n{lines}\r\n", body)

    async def unchanged(self):
        """Nothing was made, and nothing invoked; and the next call is answered."""
        status, _, body = await self.call("GET", MAPPINGS)
        assert (status, json.loads(body)) == (200, {"EventSourceMappings": []})
        assert self._world.running.invoker.running == 0
        assert not self._world.running.status.died


@asynccontextmanager
async def attacked(tmp_path):
    async with asyncio.timeout(60), served(tmp_path, {"f": python(handler="app.never")}) as world:
        attack = Attacked(world)
        yield attack
        await attack.unchanged()


def chunked(size, piece=MEBIBYTE // 8):
    """A body of so many bytes without its length, and without its end."""
    whole, rest = divmod(size, piece)
    return b"".join(b"%x\r\n%s\r\n" % (length, b" " * length) for length in [piece] * whole + [rest] * bool(rest))


@pytest.mark.parametrize("path", [MAPPINGS, INVOKE])
async def test_seven_megabytes_are_refused_with_a_length_and_without(tmp_path, path):
    async with attacked(tmp_path) as attack:
        body = b" " * (7 * MEBIBYTE)
        for whole, framing in ((body, {}), (chunked(7 * MEBIBYTE), {"Transfer-Encoding": "chunked"})):
            length = {"Content-Length": None} if framing else {}
            status, headers, said = await attack.call("POST", path, whole, **framing, **length)
            assert (status, headers["x-amzn-ErrorType"]) == (413, "RequestTooLargeException")
            assert headers["x-amzn-RequestId"]
            assert "Request must be smaller than" in json.loads(said)["message"]


async def test_a_head_that_two_programs_could_read_differently_is_refused(tmp_path):
    async with attacked(tmp_path) as attack:
        for path in (MAPPINGS, INVOKE):
            for lines in AMBIGUOUS:
                head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {UNSIGNED}\r\n{lines}\r\n\r\n"
                smuggled = f"{{}}GET {MAPPINGS} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {UNSIGNED}\r\n\r\n"
                status, _, _ = await attack.send(head, smuggled.encode())
                assert status == 400, lines[:50]


async def test_a_head_without_end_is_cut_off(tmp_path):
    async with attacked(tmp_path) as attack:
        endless = "".join(f"X-{number}: {number}\r\n" for number in range(50_000))
        head = f"POST {INVOKE} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {UNSIGNED}\r\n{endless}"
        try:
            status, _, _ = await attack.send(head)
        except ConnectionResetError:
            # it was closed with bytes of the head unread
            return
        assert status == 400


async def test_json_that_is_nested_without_end_is_refused(tmp_path):
    async with attacked(tmp_path) as attack:
        for opening in (b"[", b'{"a":', b'{"FilterCriteria":{"Filters":['):
            body = opening * (900_000 // len(opening))
            for path in (MAPPINGS, INVOKE):
                status, headers, said = await attack.call("POST", path, body)
                assert (status, headers["x-amzn-ErrorType"]) == (400, "InvalidRequestContentException")
                assert len(said) < 1000


async def test_a_filter_s_pattern_that_is_nested_as_deep_as_it_may_be_long_is_refused(tmp_path):
    async with attacked(tmp_path) as attack:
        for opening, inner, closing in (('{"a":', "1", "}"), ("[", "", "]"), ('{"$or":[', '{"a":["x"]}', "]}")):
            depth = (4096 - len(inner)) // len(opening + closing)
            pattern = opening * depth + inner + closing * depth
            given = {
                "EventSourceArn": QUEUE,
                "FunctionName": "f",
                "FilterCriteria": {"Filters": [{"Pattern": pattern}]},
            }
            status, headers, _ = await attack.call("POST", MAPPINGS, json.dumps(given).encode())
            assert (status, headers["x-amzn-ErrorType"]) == (400, "InvalidParameterValueException")


async def test_what_is_not_for_this_daemon_is_refused_in_aws_s_form(tmp_path):
    async with attacked(tmp_path) as attack:
        for method, path, headers, status, error in NOT_OURS:
            code, answered, said = await attack.call(method, path, b"{}", **headers)
            assert (code, answered.get("x-amzn-ErrorType")) == (status, error), (method, path, headers)
            if error is not None:
                assert answered["x-amzn-RequestId"]
                body = json.loads(said)
                assert body.get("message") or body.get("Message")


async def test_many_bodies_at_once_are_held_up_to_a_bound_and_the_rest_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(front, "MOST_BODY_BYTES", 8 * MEBIBYTE)
    async with attacked(tmp_path) as attack:
        head = (
            f"POST {INVOKE} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {UNSIGNED}\r\n"
            "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        ).encode()
        unfinished = chunked(MEBIBYTE)

        async def flood():
            reader, writer = await attack.open()
            writer.write(head + unfinished)
            try:
                return await reader.read()
            finally:
                writer.close()

        floods = [asyncio.ensure_future(flood()) for _ in range(20)]
        refused: set[asyncio.Future[bytes]] = set()
        while len(refused) < 12:
            done, _ = await asyncio.wait({*floods} - refused, return_when=asyncio.FIRST_COMPLETED)
            refused |= done
        assert all(b" 429 " in one.result() for one in refused)
        # those that are held hold no more than the bound, and go with their clients
        for one in floods:
            one.cancel()
        await asyncio.wait(floods)
