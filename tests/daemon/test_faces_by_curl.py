"""HTTP faces called by curl: what its users see of each service's manner."""

import asyncio
import json
import shutil

import pytest

from tests.daemon.functions_served import python, served

CURL = shutil.which("curl")
pytestmark = [pytest.mark.real_time, pytest.mark.skipif(CURL is None, reason="needs curl: apt-get install curl")]
SERVICES = ("function_url", "api_gateway_v2", "api_gateway_v1", "alb")


async def curl(*arguments):
    """Status, headers and body of the answer."""
    assert CURL is not None
    show = ["--silent", "--show-error", "--include", "--max-time", "20", "--path-as-is"]
    called = await asyncio.create_subprocess_exec(CURL, *show, *arguments, stdout=asyncio.subprocess.PIPE)
    answer, _ = await called.communicate()
    assert called.returncode == 0
    head, _, body = answer.decode().partition("\r\n\r\n")
    while " 100 " in head.partition("\r\n")[0]:
        head, _, body = body.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    return int(first.split()[1]), {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in lines}, body


def functions(**face):
    return {
        service: python(
            handler="app.echo", http_face={"path": f"/{service}", "payload": service, "auth": "none", **face}
        )
        for service in SERVICES
    }


async def test_each_service_s_event_has_what_curl_sent(tmp_path):
    async with served(tmp_path, functions()) as world:
        for service in SERVICES:
            url = f"{world.url}/{service}/a%20b?x=1&x=2"
            status, headers, body = await curl("-H", "X-Two: 1", "--json", '{"é": 1}', url)
            assert (status, "x-amzn-requestid" in headers) == (200, True)
            seen = json.loads(body)["seen"]
            assert (seen["body"], seen["isBase64Encoded"]) == ('{"é": 1}', False)
            given = {name.lower(): value for name, value in seen["headers"].items()}
            assert (given["x-two"], given["content-type"], given["accept"]) == ("1", *["application/json"] * 2)
            assert given["user-agent"].startswith("curl/")
            method = seen.get("httpMethod") or seen["requestContext"]["http"]["method"]
            assert method == "POST"


async def test_a_binary_upload_arrives_in_base64_and_head_has_no_body(tmp_path):
    (tmp_path / "upload").write_bytes(bytes(range(256)) * 400)
    async with served(tmp_path, functions()) as world:
        for service in SERVICES:
            upload = ["--data-binary", f"@{tmp_path}/upload", "-H", "Content-Type: application/octet-stream"]
            _, _, body = await curl(*upload, f"{world.url}/{service}")
            seen = json.loads(body)["seen"]
            assert (seen["isBase64Encoded"], len(seen["body"])) == (True, 136_536)
            status, _, body = await curl("--head", f"{world.url}/{service}")
            assert (status, body) == (200, "")


async def test_a_preflight_is_answered_without_the_function(tmp_path):
    cors = {"allow_origins": ["https://a.example"], "allow_methods": ["PUT"], "max_age": 60}
    broken = {name: {**function, "handler": "app.nothing"} for name, function in functions(cors=cors).items()}
    async with served(tmp_path, broken) as world:
        asks = ["-X", "OPTIONS", "-H", "Access-Control-Request-Method: PUT"]
        for service in SERVICES:
            status, headers, body = await curl(*asks, "-H", "Origin: https://a.example", f"{world.url}/{service}/x")
            assert (status, body) == (200, "")
            assert headers["access-control-allow-origin"] == "https://a.example"
            assert (headers["access-control-allow-methods"], headers["access-control-max-age"]) == ("PUT", "60")
            status, headers, _ = await curl(*asks, "-H", "Origin: https://b.example", f"{world.url}/{service}/x")
            assert (status, [name for name in headers if name.startswith("access-control")]) == (200, [])


async def test_curl_signs_for_a_face_that_wants_it(tmp_path):
    async with served(tmp_path, functions(auth="aws_iam")) as world:
        signed = ["--aws-sigv4", "aws:amz:eu-west-1:lambda", "--user", "any:secret"]
        for service in SERVICES:
            assert (await curl(f"{world.url}/{service}"))[0] == 403
            assert (await curl(*signed, f"{world.url}/{service}/x"))[0] == 200
