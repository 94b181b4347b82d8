"""The Runtime API as a runtime meets it: every call, every refusal, and what each means for the invocation."""

import asyncio
import json
import socket
from typing import Any

import pytest

from poller.functions.runtime_api import shared as module
from poller.functions.runtime_api.shared import SharedRuntimeFunction
from poller.policy.response import Failed, NotInvoked, Succeeded
from poller.ports.status import ReasonCode
from poller.values.errors import EnvironmentProblem
from tests.functions.runtime.clients import BASE, shared
from tests.functions.runtime.workers import ARN, PATIENCE, Log, settings

pytestmark = pytest.mark.real_time
EVENT = b'{"Records":[]}'


async def test_who_asks_is_given_the_event_with_what_belongs_to_it():
    async with shared() as serving:
        outcome, client = serving.invoke(EVENT, "Root=1-a-b"), await serving.client()
        given = await client.next()
        assert (given.status, given.body) == (200, EVENT)
        assert given.headers["content-type"] == "application/json"
        assert given.headers["lambda-runtime-invoked-function-arn"] == ARN
        assert given.headers["lambda-runtime-trace-id"] == "Root=1-a-b"
        accepted = await client.respond(given.headers["lambda-runtime-aws-request-id"], b'{"batchItemFailures":[]}')
        assert (accepted.status, json.loads(accepted.body)) == (202, {"status": "OK"})
        found = await outcome
    assert found == Succeeded(b'{"batchItemFailures":[]}', given.headers["lambda-runtime-aws-request-id"])


async def test_a_runtime_may_ask_long_before_there_is_anything():
    async with shared() as serving:
        client = await serving.client()
        asking = asyncio.create_task(client.next())
        await serving.asked(1)
        assert not asking.done()
        outcome = serving.invoke(EVENT)
        given = await asking
        await client.respond(given.headers["lambda-runtime-aws-request-id"])
        assert isinstance(await outcome, Succeeded)


async def test_who_asks_first_is_served_first_and_any_number_may_ask():
    async with shared() as serving:
        clients = [await serving.client() for _ in range(5)]
        asking = []
        for count, client in enumerate(clients, 1):
            asking.append(asyncio.create_task(client.next()))
            await serving.asked(count)
        outcomes = [serving.invoke(str(number).encode()) for number in range(5)]
        given = await asyncio.gather(*asking)
        assert [one.body for one in given] == [b"0", b"1", b"2", b"3", b"4"]
        for client, one in zip(reversed(clients), reversed(given), strict=True):
            await client.respond(one.headers["lambda-runtime-aws-request-id"], one.body)
        assert [(await outcome).body for outcome in outcomes] == [b"0", b"1", b"2", b"3", b"4"]


async def test_who_has_gone_is_given_nothing():
    async with shared() as serving:
        gone = await serving.client()
        await gone.send("GET", f"{BASE}/invocation/next")
        await serving.asked(1)
        await gone.close()
        outcome, client, request_id = await serving.invoked(EVENT)
        await client.respond(request_id)
        assert isinstance(await outcome, Succeeded)


async def test_a_thousand_invocations_by_four_runtimes_each_get_their_own_answer():
    async def serve(client):
        while True:
            given = await client.next()
            await client.respond(given.headers["lambda-runtime-aws-request-id"], given.body)

    async with shared() as serving:
        serving.function.patience = PATIENCE
        serving_tasks = [asyncio.create_task(serve(await serving.client())) for _ in range(4)]
        events = [str(number).encode() for number in range(1000)]
        outcomes = await asyncio.gather(*(serving.function.invoke(event) for event in events))
        for task in serving_tasks:
            task.cancel()
        await asyncio.gather(*serving_tasks, return_exceptions=True)
    assert [outcome.body for outcome in outcomes] == events


@pytest.mark.parametrize(
    ("body", "headers", "detail"),
    [
        (b'{"errorType":"KeyError","errorMessage":"\'a\'"}', {}, "KeyError: 'a'"),
        (b'{"errorMessage":"no type"}', {"Lambda_Runtime_Function_Error_Type": "Runtime.Odd"}, "Runtime.Odd: no type"),
        (b"", {"Lambda_Runtime_Function_Error_Type": "Runtime.Empty"}, "Runtime.Empty"),
        (b"no JSON", {}, "Runtime.Unknown: no JSON"),
        (b"[1]", {}, "Runtime.Unknown: [1]"),
    ],
)
async def test_a_posted_error_is_told_by_its_type_and_message(body, headers, detail):
    async with shared() as serving:
        outcome, client, request_id = await serving.invoked()
        assert (await client.post_error(request_id, body, **headers)).status == 202
        found = await outcome
    assert found == Failed("function_error", detail, request_id, "$LATEST", 200, "Unhandled")


async def test_an_answer_for_an_invocation_that_is_not_there_is_refused():
    async with shared() as serving:
        outcome, client, request_id = await serving.invoked()
        refused = await client.respond("7b1ff4d6-0000-0000-0000-000000000000")
        assert (refused.status, refused.error) == (400, "InvalidRequestID")
        await client.respond(request_id)
        again = await client.respond(request_id)
        assert (again.status, again.error) == (400, "InvalidRequestID")
        assert isinstance(await outcome, Succeeded)


async def test_a_response_over_the_limit_is_refused_and_has_failed_and_the_runtime_may_go_on():
    async with shared() as serving:
        outcome, client, request_id = await serving.invoked()
        refused = await client.respond(request_id, b"x" * 6_291_557)
        assert (refused.status, refused.error) == (413, "RequestEntityTooLarge")
        assert (await outcome).detail.startswith("Function.ResponseSizeTooLarge: Response payload size exceeded")
        again = serving.invoke()
        assert (await client.next()).status == 200
        again.cancel()


async def test_the_largest_response_is_taken():
    async with shared() as serving:
        outcome, client, request_id = await serving.invoked()
        assert (await client.respond(request_id, b"x" * 6_291_556)).status == 202
        assert len((await outcome).body) == 6_291_556


async def test_a_client_that_waits_to_be_told_to_go_on_is_told():
    async with shared() as serving:
        outcome, client, request_id = await serving.invoked()
        await client.raw(
            f"POST {BASE}/invocation/{request_id}/response HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
            "Expect: 100-continue\r\n\r\n".encode()
        )
        assert (await client.answer()).status == 100
        await client.raw(b"null")
        assert (await client.answer()).status == 202
        assert isinstance(await outcome, Succeeded)


async def test_a_streamed_response_counts_when_it_is_complete():
    async with shared() as serving:
        outcome, client, request_id = await serving.invoked()
        await client.raw(
            f"POST {BASE}/invocation/{request_id}/response HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
            "Lambda-Runtime-Function-Response-Mode: streaming\r\n\r\n2\r\n{}\r\n".encode()
        )
        # what another client is answered comes after what was sent before it
        assert (await (await serving.client()).respond("7b1ff4d6-0000-0000-0000-000000000000")).status == 400
        assert not outcome.done()
        await client.raw(b"0\r\n\r\n")
        assert (await client.answer()).status == 202
        assert (await outcome).body == b"{}"


async def test_a_streamed_response_that_ends_in_an_error_has_failed():
    async with shared() as serving:
        outcome, client, request_id = await serving.invoked()
        await client.raw(
            f"POST {BASE}/invocation/{request_id}/response HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
            "Lambda-Runtime-Function-Response-Mode: streaming\r\nTrailer: Lambda-Runtime-Function-Error-Type\r\n\r\n"
            "2\r\n{}\r\n0\r\nLambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n\r\n".encode()
        )
        assert (await client.answer()).status == 202
        found = await outcome
    assert isinstance(found, Failed)
    assert found.detail.startswith("Runtime.StreamError")


async def test_another_response_mode_is_refused_and_has_failed():
    async with shared() as serving:
        outcome, client, request_id = await serving.invoked()
        refused = await client.respond(request_id, Lambda_Runtime_Function_Response_Mode="buffered-ish")
        assert (refused.status, refused.error) == (400, "InvalidFunctionResponseMode")
        assert (await outcome).detail.startswith("Runtime.InvalidResponseModeHeader")


async def test_a_response_that_is_cut_has_failed():
    async with shared() as serving:
        outcome, client, request_id = await serving.invoked()
        await client.raw(
            f"POST {BASE}/invocation/{request_id}/response HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{{}}".encode()
        )
        await client.close()
        found = await outcome
    assert isinstance(found, Failed)
    assert found.detail.startswith("Runtime.TruncatedResponse")


async def test_out_of_time_has_failed_and_a_late_answer_is_refused():
    async with shared(timeout=0.05) as serving:
        outcome, client, request_id = await serving.invoked()
        found = await outcome
        assert (await client.respond(request_id)).status == 400
    assert isinstance(found, Failed)
    assert found.error == "timeout"
    assert "Task timed out after 0.05 seconds" in found.detail


async def test_where_nobody_asks_was_not_invoked_and_the_last_init_error_is_told(monkeypatch):
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.05)
    async with shared() as serving:
        first = await serving.function.invoke(EVENT)
        client = await serving.client()
        accepted = await client.request("POST", f"{BASE}/init/error", b'{"errorType":"A.B","errorMessage":"no module"}')
        second = await serving.function.invoke(EVENT)
    assert isinstance(first, NotInvoked)
    assert first.code == "no_worker"
    assert serving.function.address in first.detail
    assert accepted.status == 202
    assert "A.B: no module" in second.detail


async def test_where_all_are_busy_that_is_what_is_said():
    async with shared() as serving:
        outcome, client, request_id = await serving.invoked()
        serving.function.patience = 0.05
        refused = await serving.function.invoke(EVENT)
        await client.respond(request_id)
        assert isinstance(await outcome, Succeeded)
    assert isinstance(refused, NotInvoked)
    assert refused.detail.startswith("no runtime was free in time, with 1 at work")


async def test_a_cancelled_invocation_leaves_the_runtime_to_others():
    async with shared() as serving:
        outcome, client, request_id = await serving.invoked()
        outcome.cancel()
        await asyncio.gather(outcome, return_exceptions=True)
        assert (await client.respond(request_id)).status == 400
        waiting = serving.invoke()
        await asyncio.sleep(0)
        waiting.cancel()
        again = serving.invoke()
        given = await client.next()
        await client.respond(given.headers["lambda-runtime-aws-request-id"])
        assert isinstance(await again, Succeeded)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("POST", f"{BASE}/invocation/next"),
        ("GET", f"{BASE}/invocation/x/response"),
        ("POST", f"{BASE}/invocation/x/nothing"),
        ("POST", "/2020-01-01/extension/register"),
        ("GET", f"{BASE}/restore/next"),
    ],
)
async def test_what_is_no_part_of_the_api_is_not_found(method, path):
    async with shared() as serving:
        client = await serving.client()
        answer = await client.request(method, path)
        assert (answer.status, answer.error) == (404, "NotFound")
        assert (await client.request("GET", "/2018-06-01/ping")).body == b"pong"


@pytest.mark.parametrize("header", ["Origin", "Sec_Fetch_Site"])
async def test_a_browser_cannot_take_an_event(header):
    async with shared() as serving:
        client = await serving.client()
        refused = await client.request("GET", f"{BASE}/invocation/next", **{header: "http://evil.example"})
        assert (refused.status, refused.error) == (403, "Forbidden")


async def test_a_taken_port_is_said():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        log: Any = Log()
        function = SharedRuntimeFunction(settings(command=()), log)
        with pytest.raises(EnvironmentProblem, match=r"cannot listen on 127\.0\.0\.1:"):
            await function.open("127.0.0.1", taken.getsockname()[1])


async def test_that_no_runtime_asks_is_shown_though_there_is_nothing_to_do(monkeypatch):
    async with shared() as serving:
        assert serving.function.problem() is None, "it has just begun to listen"
        monkeypatch.setattr(module, "MISSING_SECONDS", 0.0)
        problem = serving.function.problem()
        assert problem.code is ReasonCode.FUNCTION_NOT_STARTED
        assert problem.text.startswith(f"function f cannot start: no runtime asks {serving.function.address} for")
        client = await serving.client()
        asking = asyncio.create_task(client.next())
        await serving.asked(1)
        assert serving.function.problem() is None
        outcome = serving.invoke(EVENT)
        request_id = (await asking).headers["lambda-runtime-aws-request-id"]
        assert serving.function.problem() is None, "it is at work"
        monkeypatch.undo()
        await client.respond(request_id)
        await outcome
        assert serving.function.problem() is None, "it asks again in a moment"
