"""What clients of several workers reach at their one address: as if one process answered."""

import asyncio
import json
import signal

import aiohttp
import pytest

from tests.live.lambda_client import lambda_client
from tests.live.stream_daemon import put
from tests.live.workers import memory_of, stream_of, two_workers

pytestmark = [pytest.mark.live, pytest.mark.heavy]

TCP = {"listen": "127.0.0.1:0"}
HTML = {"Accept": "text/html"}


async def test_on_one_connection_a_client_may_ask_what_one_worker_knows_and_what_all_do(tmp_path):
    async with two_workers(tmp_path, stream_of(4), api=TCP) as daemon:
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(daemon.api, connector=connector) as session:
            for _ in range(2):
                for path in ("/", "/status", "/actions", "/mappings/s", "/redrives", "/healthz"):
                    async with session.get(path) as answer:
                        assert answer.status == 200, path
                        found = await answer.json()
                        if path == "/status":
                            assert [worker["state"] for worker in found["workers"]] == ["ready", "ready"]
                        if path in ("/status", "/mappings/s"):
                            (mapping,) = found.get("mappings", [found])
                            assert len(mapping["partitions"]) == 4
            async with session.get("/nothing") as answer:
                assert (answer.status, await answer.json()) == (404, {"error": "Not Found"})
            async with session.post("/mappings/s/pause", json={}) as answer:
                assert (await answer.json())["name"] == "s"
            await daemon.until(lambda: len(daemon.logged("mapping_paused", mapping="s")) == 2, "both to pause")


async def test_mappings_are_made_and_changed_by_lambdas_api_through_any_worker(tmp_path):
    async with two_workers(tmp_path, stream_of(), api=TCP) as daemon:
        other_of = {"EventSourceArn": daemon.aws.stream("o").arn, "StartingPosition": "LATEST"}
        stream = daemon.aws.stream("clicks", shards=2)
        daemon.aws.function("fn")
        clients = [lambda_client(daemon.api) for _ in range(3)]
        made = await clients[0].call("create_event_source_mapping", FunctionName="fn", **other_of)
        of_stream = {"EventSourceArn": stream.arn, "FunctionName": "fn", "StartingPosition": "TRIM_HORIZON"}
        other = await clients[1].call("create_event_source_mapping", **of_stream)
        for name in (made["UUID"], other["UUID"]):
            await daemon.until(lambda name=name: daemon.logged("made_mapping_followed", mapping=name), "the other")
        for client in clients:
            listed = await client.call("list_event_source_mappings")
            assert {one["UUID"] for one in listed["EventSourceMappings"]} >= {made["UUID"], other["UUID"]}
            found = await client.call("get_event_source_mapping", UUID=made["UUID"])
            assert found["EventSourceArn"] == other_of["EventSourceArn"]
        for number in range(20):
            stream.put(f"key {number}", f"value {number}")
        await daemon.watched.until(lambda: not daemon.aws.streams.ledger.lost(), daemon)
        _, status = await daemon.ask("/status")
        assert {one["uuid"] for one in status["mappings"]} > {made["UUID"], other["UUID"]}
        for client in clients:
            client.close()


async def test_calls_are_signed_by_the_credentials_of_the_configuration(tmp_path):
    credentials = [{"access_key_id": "KEY", "secret_access_key": "a-secret-of-length", "scopes": ["read"]}]
    async with two_workers(tmp_path, stream_of(), api=TCP | {"credentials": credentials}) as daemon:
        known = lambda_client(daemon.api, "KEY", "a-secret-of-length")
        wrong = lambda_client(daemon.api, "KEY", "another-secret-of-it")
        for _ in range(3):
            assert len((await known.call("list_event_source_mappings"))["EventSourceMappings"]) == 1
            assert await wrong.refused("list_event_source_mappings") == "InvalidSignatureException"
        known.close()
        wrong.close()


async def test_a_browser_signs_in_at_one_worker_and_is_known_to_all(tmp_path):
    async with two_workers(tmp_path, stream_of(), api=TCP | {"token": "a-token-of-length"}) as daemon:
        async with aiohttp.ClientSession(daemon.api, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            async with session.post("/login", data={"token": "a-token-of-length", "onward": "/"}) as answer:
                assert (answer.status, answer.url.path) == (200, "/")
            for path in ("/", "/mappings/s", "/failures", "/actions", "/status", "/metrics") * 2:
                # which is a connection of its own
                async with session.get(path, headers=HTML | {"Connection": "close"}) as answer:
                    assert answer.status == 200, path
        async with aiohttp.ClientSession(daemon.api) as stranger, stranger.get("/redrives") as answer:
            assert answer.status == 401


FUNCTION = """
import json, os, time
def handler(event, context):
    if "Records" in event or "kept" in event:
        with open(os.environ["SEEN"], "a") as seen:
            seen.write("kept\\n")
        return {}
    time.sleep(event.get("seconds", 0))
    source = event.get("requestContext", {}).get("http", {}).get("sourceIp")
    return {"statusCode": 200, "body": json.dumps({"pid": os.getpid(), "source": source, "bytes": len(str(event))})}
"""


def function(folder, concurrency, **keys):
    """One that tells its process, of which there are so many in total."""
    (folder / "app.py").write_text(FUNCTION)
    environment = {"SEEN": str(folder / "seen")}
    local = {"type": "runtime", "handler": "app.handler", "code": str(folder), "environment": environment}
    return {"local": local | {"concurrency": concurrency} | keys}


async def test_a_function_is_invoked_through_any_worker_in_as_many_processes_as_configured(tmp_path):
    face = {"path": "/shop", "payload": "function_url", "auth": "none"}
    functions = function(tmp_path, 1, http_face=face)
    async with two_workers(tmp_path, stream_of(), api=TCP, functions=functions) as daemon:
        pids = set()
        for _ in range(2):
            client = lambda_client(daemon.api)
            described = await client.call("get_function", FunctionName="local")
            assert described["Concurrency"] == {"ReservedConcurrentExecutions": 1}
            payload = json.dumps({"large": "x" * 3_000_000})
            answer = await client.call("invoke", FunctionName="local", Payload=payload)
            body = json.loads(json.loads(answer["Payload"])["body"])
            assert (answer["StatusCode"], body["bytes"] > 3_000_000) == (200, True)
            pids.add(body["pid"])
            assert await client.refused("invoke", FunctionName="other") == "ResourceNotFoundException"
            client.close()
            async with aiohttp.ClientSession(daemon.api) as session, session.post("/shop/x", data="{}") as answer:
                body = await answer.json(content_type=None)
                assert (answer.status, body["source"]) == (200, "127.0.0.1")
                pids.add(body["pid"])
        assert len(pids) == 1


async def test_an_event_of_a_caller_that_does_not_wait_is_kept_and_invoked_once(tmp_path):
    def with_queue(aws, url):
        aws.queue("events").url = f"{url}/123456789012/events"
        return stream_of()(aws, url)

    kept = {"queue": "arn:aws:sqs:eu-west-1:123456789012:events"}
    functions = function(tmp_path, 1, asynchronous=kept)
    async with two_workers(tmp_path, with_queue, api=TCP, functions=functions) as daemon:
        for _ in range(4):
            client = lambda_client(daemon.api)
            answer = await client.call("invoke", FunctionName="local", Payload=b'{"kept": 1}', InvocationType="Event")
            assert answer["StatusCode"] == 202
            client.close()
        seen = tmp_path / "seen"
        await daemon.until(lambda: seen.exists() and len(seen.read_text().split()) == 4, "four events")
        await daemon.watched.until(lambda: not daemon.aws.queue("events").messages, daemon)
        daemon.process.send_signal(signal.SIGTERM)


async def test_the_page_shows_what_all_workers_have_and_goes_on_showing_it(tmp_path):
    async with two_workers(tmp_path, stream_of(4), api=TCP) as daemon:
        daemon.aws.function("fn")
        stream, ledger = daemon.aws.streams.streams["s"], daemon.aws.streams.ledger
        put(stream, 40)
        await daemon.watched.until(lambda: not ledger.lost(), daemon)
        shards = list(stream.shards)
        for _ in range(2):
            async with aiohttp.ClientSession(daemon.api) as session:
                async with session.get("/mappings/s", headers=HTML) as answer:
                    text = await answer.text()
                    assert [shard for shard in shards if f'id="p-{shard}"' not in text] == []
                    assert "polled 40" in text
                    assert "another worker" not in text
                async with session.get("/nothing/s", headers=HTML) as answer:
                    assert answer.status == 404
                async with session.get("/mappings/other", headers=HTML) as answer:
                    assert (answer.status, await answer.json()) == (404, {"error": "there is no mapping other"})
                async with session.get("/page/live/mappings/s") as answer:
                    line = await answer.content.readline()
                    parts = json.loads(line.removeprefix(b"data: "))["lists"]["partitions"]["order"]
                    assert sorted(parts) == [f"p-{shard}" for shard in sorted(shards)]


async def test_two_hundred_clients_at_once_are_all_answered_and_the_parent_stays_small(tmp_path):
    async with two_workers(tmp_path, stream_of(4), api=TCP) as daemon:

        async def load(number):
            path = ("/", "/mappings/s", "/failures", "/status", "/mappings/s/pause")[number % 5]
            async with aiohttp.ClientSession(daemon.api) as session:
                request = session.post(path, json={}) if path.endswith("pause") else session.get(path, headers=HTML)
                async with request as answer:
                    return answer.status, len(await answer.read()) > 0

        assert set(await asyncio.gather(*(load(number) for number in range(200)))) == {(200, True)}
        assert memory_of(daemon.process.pid) <= 25
        assert "Traceback" not in daemon.log.read_text()
