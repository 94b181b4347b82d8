"""HTTP faces by a real client, over the wire: what the function gets, what the client gets, and the services' statuses."""

import asyncio
import io
import json
import shutil
from base64 import b64encode
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.daemon.functions_served import python, served

pytestmark = pytest.mark.real_time
SERVICES = ("function_url", "api_gateway_v2", "api_gateway_v1", "alb")


def faced(payload, **face):
    return python(http_face={"path": "/shop", "payload": payload, "auth": "none", **face})


@asynccontextmanager
async def asking(tmp_path, function):
    async with served(tmp_path, {"shop": function}) as world, aiohttp.ClientSession() as session:

        async def ask(target="/shop", method="GET", data=None, headers=()):
            async with session.request(
                method,
                URL(world.url + target, encoded=True),
                data=data,
                headers=[*headers],
                skip_auto_headers=["Content-Type"],
            ) as answer:
                return answer.status, answer.headers, await answer.read()

        yield ask


async def event_of(ask, *args, **more):
    """What the function saw; it answers with it."""
    status, _, body = await ask(*args, **more)
    assert status == 200
    return json.loads(body)["seen"]


async def answered(ask, answer):
    """What comes of an answer of the function, which is given as the body of a POST."""
    return await ask("/shop", "POST", json.dumps({"do": "answer", "answer": answer}), [("Content-Type", "text/plain")])


async def test_payload_2_0_has_one_value_for_each_name_and_cookies_apart(tmp_path):
    async with asking(tmp_path, faced("function_url")) as ask:
        headers = [("X-Two", "1"), ("X-Two", "2"), ("Cookie", "a=1; b=2"), ("User-Agent", "test")]
        event = await event_of(ask, "/shop/a%20b/%C3%BC?x=1&x=2&y=%C3%BC&z", headers=headers)
        assert event["version"] == "2.0"
        assert event["rawPath"] == "/a%20b/%C3%BC"
        assert event["rawQueryString"] == "x=1&x=2&y=%C3%BC&z"
        assert event["queryStringParameters"] == {"x": "1,2", "y": "ü", "z": ""}
        assert event["cookies"] == ["a=1", "b=2"]
        assert event["headers"]["x-two"] == "1,2"
        assert "cookie" not in event["headers"]
        assert event["headers"]["x-forwarded-for"] == "127.0.0.1"
        context = event["requestContext"]
        assert context["http"] | {"path": ""} == {
            "method": "GET",
            "path": "",
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": "test",
        }
        assert (context["accountId"], context["routeKey"], context["stage"]) == ("anonymous", "$default", "$default")
        assert event["isBase64Encoded"] is False
        assert "body" not in event
        assert (await event_of(ask, "/shop"))["rawPath"] == "/"


@pytest.mark.parametrize("service", SERVICES)
async def test_a_body_is_text_where_its_type_says_so_and_base64_elsewhere(tmp_path, service):
    async with asking(tmp_path, faced(service) | {"handler": "app.echo"}) as ask:
        for kind, data, text in (
            ("application/json", b'{"a": "\xc3\xbc"}', '{"a": "ü"}'),
            ("text/html; charset=utf-8", b"<p>", "<p>"),
            ("image/png", b"\x89PNG\x00", None),
            ("text/plain", b"\xff\xfe", None),
        ):
            event = await event_of(ask, "/shop/x", "POST", data, [("Content-Type", kind)])
            expected = (b64encode(data).decode(), True) if text is None else (text, False)
            assert (event["body"], event["isBase64Encoded"]) == expected


async def test_payload_1_0_keeps_the_case_of_names_and_all_values(tmp_path):
    async with asking(tmp_path, faced("api_gateway_v1") | {"handler": "app.echo"}) as ask:
        event = await event_of(ask, "/shop/a/b%20c?x=1&x=2", headers=[("X-Two", "1"), ("X-Two", "2")])
        assert (event["resource"], event["path"]) == ("/{proxy+}", "/a/b%20c")
        assert event["pathParameters"] == {"proxy": "a/b c"}
        assert event["queryStringParameters"] == {"x": "2"}
        assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"]}
        assert (event["headers"]["X-Two"], event["multiValueHeaders"]["X-Two"]) == ("2", ["1", "2"])
        assert event["body"] is None
        assert event["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"
        root = await event_of(ask, "/shop")
        assert (root["resource"], root["pathParameters"], root["queryStringParameters"]) == ("/", None, None)


@pytest.mark.parametrize("multi", [False, True])
async def test_a_load_balancer_s_event_has_single_values_or_lists(tmp_path, multi):
    (tmp_path / "alb.py").write_text(
        "import json\n"
        "def handler(event, context):\n"
        "    headers = {'multiValueHeaders': {'Content-Type': ['application/json'], 'X-A': ['1', '2']}}\n"
        f"    single = {{'headers': {{'Content-Type': 'application/json', 'X-A': '1'}}}}\n"
        f"    return {{'statusCode': 201, 'statusDescription': '201 Created', 'body': json.dumps(event), **({'headers' if multi else 'single'})}}\n"
    )
    function = faced("alb", multi_value_headers=multi) | {"handler": "alb.handler"}
    async with asking(tmp_path, function) as ask:
        status, headers, body = await ask("/shop/a%20b?x=%201&x=2", headers=[("X-Two", "1"), ("X-Two", "2")])
        event = json.loads(body)
        assert status == 201
        assert headers.getall("X-A") == (["1", "2"] if multi else ["1"])
        assert event["path"] == "/a%20b"
        assert event["requestContext"]["elb"]["targetGroupArn"].startswith("arn:aws:elasticloadbalancing:")
        if multi:
            assert event["multiValueQueryStringParameters"] == {"x": ["%201", "2"]}
            assert event["multiValueHeaders"]["x-two"] == ["1", "2"]
            assert "headers" not in event
        else:
            assert event["queryStringParameters"] == {"x": "2"}
            assert event["headers"]["x-two"] == "2"
        assert (event["body"], event["isBase64Encoded"]) == ("", False)


async def test_an_answer_s_status_headers_cookies_and_binary_body_come_back(tmp_path):
    function = faced("function_url") | {"handler": "answers.handler"}
    (tmp_path / "answers.py").write_text(
        "import json\ndef handler(event, context):\n    return json.loads(event['body'])['answer']\n"
    )
    async with asking(tmp_path, function) as ask:
        answer = {"statusCode": 404, "headers": {"X-A": 5, "content-type": "image/png", "Content-Length": "1"}}
        answer |= {"cookies": ["a=1; Secure", "b=2"], "body": b64encode(b"\x00\xff").decode(), "isBase64Encoded": True}
        status, headers, body = await answered(ask, answer)
        assert (status, body, headers["X-A"], headers["Content-Type"]) == (404, b"\x00\xff", "5", "image/png")
        assert headers.getall("Set-Cookie") == ["a=1; Secure", "b=2"]
        for plain, expected in (("text", b"text"), ({"a": 1}, b'{"a":1}'), (None, b"null"), ([1], b"[1]")):
            status, headers, body = await answered(ask, plain)
            assert (status, body, headers["Content-Type"]) == (200, expected, "application/json")


MALFORMED = [
    {"statusCode": "x"},
    {"statusCode": 99},
    {"statusCode": True},
    {"statusCode": 200, "headers": {"X-A": "a\r\nX-B: c"}},
    {"statusCode": 200, "headers": {"X A": "a"}},
    {"statusCode": 200, "headers": ["a"]},
    {"statusCode": 200, "headers": {"X-A": {}}},
    {"statusCode": 200, "body": {"a": 1}},
    {"statusCode": 200, "body": "!", "isBase64Encoded": True},
]


@pytest.mark.parametrize(
    ("service", "failed", "timed_out", "throttled"),
    [
        ("function_url", 502, 504, 429),
        ("api_gateway_v2", 500, 503, 500),
        ("api_gateway_v1", 502, 504, 500),
        ("alb", 502, 502, 503),
    ],
)
async def test_failures_have_the_service_s_own_statuses(tmp_path, service, failed, timed_out, throttled):
    (tmp_path / "failing.py").write_text(
        "import json, time, base64\n"
        "def handler(event, context):\n"
        "    given = json.loads(event['body'])\n"
        "    if given['do'] == 'fail':\n        raise ValueError('a secret detail')\n"
        "    if given['do'] == 'sleep':\n        time.sleep(9)\n"
        "    return given['answer']\n"
    )
    function = faced(service) | {"handler": "failing.handler", "timeout_seconds": 1.5}
    async with asking(tmp_path, function) as ask:
        text = [("Content-Type", "application/json")]
        status, _, body = await ask("/shop", "POST", json.dumps({"do": "fail"}), text)
        assert status == failed
        assert b"secret" not in body
        for answer in MALFORMED:
            assert (await answered(ask, answer))[0] == failed, answer
        sleep = json.dumps({"do": "sleep"})
        both = await asyncio.gather(*(ask("/shop", "POST", sleep, text) for _ in range(2)))
        assert sorted(status for status, _, _ in both) == sorted([timed_out, throttled])


@pytest.mark.parametrize(("service", "most"), [("alb", 1024 * 1024), ("function_url", 6 * 1024 * 1024)])
async def test_a_body_that_is_too_large_is_refused(tmp_path, service, most):
    async with asking(tmp_path, faced(service)) as ask:
        assert (await ask("/shop", "POST", io.BytesIO(b"x" * (most + 1))))[0] == 413


async def test_pages_of_allowed_origins_may_ask_and_read_and_others_may_not(tmp_path):
    cors: dict[str, Any] = {"allow_origins": ["https://a.example"], "allow_methods": ["PUT"], "allow_headers": ["x-a"]}
    cors |= {"expose_headers": ["x-b"], "allow_credentials": True, "max_age": 60}
    async with asking(tmp_path, faced("function_url", cors=cors)) as ask:
        asks = [("Access-Control-Request-Method", "PUT")]
        status, headers, body = await ask("/shop/x", "OPTIONS", headers=[("Origin", "https://a.example"), *asks])
        assert (status, body) == (200, b"")
        assert {name: value for name, value in headers.items() if name.startswith("Access-Control")} == {
            "Access-Control-Allow-Origin": "https://a.example",
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Allow-Methods": "PUT",
            "Access-Control-Allow-Headers": "x-a",
            "Access-Control-Max-Age": "60",
        }
        _, headers, _ = await ask("/shop/x", headers=[("Origin", "https://a.example")])
        assert headers["Access-Control-Allow-Origin"] == "https://a.example"
        assert headers["Access-Control-Expose-Headers"] == "x-b"
        for method in ("OPTIONS", "GET"):
            _, headers, _ = await ask("/shop/x", method, headers=[("Origin", "https://b.example"), *asks])
            assert not [name for name in headers if name.startswith("Access-Control")]
        event = await event_of(ask, "/shop/x", "OPTIONS")
        assert event["requestContext"]["http"]["method"] == "OPTIONS"


async def test_a_signed_face_takes_nobody_else_and_paths_beside_a_face_are_not_its(tmp_path):
    async with asking(tmp_path, faced("function_url", auth="aws_iam")) as ask:
        assert (await ask("/shop"))[0] == 403
        for path in ("/shopping", "/sho", "/other"):
            assert (await ask(path))[0] == 404
        assert (await ask("/healthz"))[0] in (200, 503)


async def test_a_node_runtime_answers_behind_a_face(tmp_path):
    if shutil.which("node") is None:
        pytest.skip("node is not installed: install Node.js for the tests of its runtimes")
    function = faced("function_url") | {"command": [shutil.which("node"), "runtime.mjs"]}
    del function["handler"]
    async with asking(tmp_path, function) as ask:
        status, headers, body = await ask("/shop/n")
        assert (status, headers["x-of"], json.loads(body)["seen"]["rawPath"]) == (201, "node", "/n")
