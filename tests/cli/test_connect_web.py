"""`poller check --connect` for what is behind HTTP: functions, emulators, buckets and state machines."""

import json
from typing import Any

import pytest

from tests.cli.connecting import ACCOUNT, QUEUE, World, lines, web, web_server
from tests.http.scripted import CERTIFICATES
from tests.servers.process import free_port


@pytest.mark.real_time
async def test_a_service_is_connected_to_and_sent_nothing(tmp_path):
    asked: list[Any] = []
    with web_server(asked.append) as port:
        mapping = {"event_source_arn": QUEUE, "function_name": "web"}
        found = await World(tmp_path).reach(mapping, **web(f"http://127.0.0.1:{port}/"))
    assert found["web"].ok
    assert "not tried: a request" in lines(found["web"])
    assert asked == []


@pytest.mark.real_time
async def test_the_emulator_is_connected_to_and_sent_nothing_since_it_would_run_it(tmp_path):
    asked: list[Any] = []
    with web_server(asked.append) as port:
        emulated = {"type": "lambda", "function_name": "function", "endpoint_url": f"http://127.0.0.1:{port}"}
        mapping = {"event_source_arn": QUEUE, "function_name": "emulated"}
        found = await World(tmp_path).reach(mapping, functions={"emulated": emulated})
    assert found["emulated"].ok
    assert "the emulator would run it" in lines(found["emulated"])
    assert asked == []


@pytest.mark.real_time
async def test_a_service_that_is_not_there_or_not_to_be_trusted_is_told(tmp_path):
    world = World(tmp_path)
    mapping = {"event_source_arn": QUEUE, "function_name": "web"}
    found = await world.reach(mapping, **web(f"http://127.0.0.1:{free_port()}/"))
    assert found["web"].answer == "unreachable"
    with web_server(lambda _: None, certificate="valid") as port:
        found = await world.reach(mapping, **web(f"https://localhost:{port}/"))
    assert "certificate verify failed" in lines(found["web"])


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (403, "ok", "whether it is there (s3:ListBucket is not allowed, and need not be)"),
        (404, "missing", "s3:ListBucket: 404 (404)"),
        (200, "ok", "not tried: s3:PutObject"),
    ],
)
@pytest.mark.real_time
async def test_a_bucket_is_asked_for_as_far_as_that_is_allowed(tmp_path, credentials, status, answer, said):
    def answers(handler):
        handler.send_response(status)
        handler.send_header("content-length", "0")
        handler.end_headers()

    bucket = "arn:aws:s3:::failed"
    world = World(tmp_path)
    mapping = world.mappings()[1] | {"destination_config": {"on_failure": {"destination": bucket}}}
    with web_server(answers) as port:
        found = await world.reach(mapping, aws={"endpoint_url": f"http://127.0.0.1:{port}"})
    assert found[bucket].answer == answer
    assert said in lines(found[bucket])


@pytest.mark.real_time
async def test_a_service_of_a_private_authority_is_believed_by_its_own_bundle(tmp_path):
    mapping = {"event_source_arn": QUEUE, "function_name": "web"}
    with web_server(lambda _: None, certificate="valid") as port:
        function = {
            "type": "http",
            "url": f"https://localhost:{port}/",
            "ca_bundle": str(CERTIFICATES / "authority.pem"),
        }
        found = await World(tmp_path).reach(mapping, functions={"web": function})
    assert found["web"].ok
    with web_server(lambda _: None, certificate="wrong_name") as port:
        function["url"] = f"https://localhost:{port}/"
        found = await World(tmp_path).reach(mapping, functions={"web": function})
    assert "certificate verify failed" in lines(found["web"]), "a bundle of one's own turns nothing off"


@pytest.mark.parametrize(
    ("code", "answer", "said"),
    [
        (
            "AccessDeniedException",
            "ok",
            "whether it is there (states:DescribeStateMachine is not allowed, and need not be)",
        ),
        ("StateMachineDoesNotExist", "missing", "states:DescribeStateMachine: StateMachineDoesNotExist (400): no"),
    ],
)
@pytest.mark.real_time
async def test_a_state_machine_is_asked_for_as_far_as_that_is_allowed(tmp_path, credentials, code, answer, said):
    def answers(handler):
        body = json.dumps({"__type": code, "message": "no"}).encode()
        handler.send_response(400)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    arn = f"arn:aws:states:eu-west-1:{ACCOUNT}:stateMachine:flow"
    with web_server(answers) as port:
        flow = {"type": "step_functions", "state_machine_arn": arn, "endpoint_url": f"http://127.0.0.1:{port}"}
        mapping = {"event_source_arn": QUEUE, "function_name": "flow"}
        found = await World(tmp_path).reach(mapping, functions={"flow": flow})
    assert found["flow"].answer == answer
    assert said in lines(found["flow"])
    assert "not tried: states:StartSyncExecution" in lines(found["flow"])


async def test_a_function_that_runs_here_is_not_run_for_a_look(tmp_path):
    here = {"type": "runtime", "command": ["false"], "code": str(tmp_path)}
    mapping = {"event_source_arn": QUEUE, "function_name": "here"}
    found = await World(tmp_path).reach(mapping, functions={"here": here})
    assert found["here"].ok
    assert "it is started with the daemon" in lines(found["here"])
