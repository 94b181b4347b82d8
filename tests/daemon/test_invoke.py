"""Functions listed and invoked by an unpatched SDK: answer, error, log, throttle, timeout, limits, names."""

import asyncio
import base64
import json
import shutil

import pytest
from botocore.exceptions import ClientError

from tests.daemon.functions_served import python, served

pytestmark = pytest.mark.real_time


def payload(**event):
    return json.dumps(event).encode()


async def refused(world, method, **parameters):
    with pytest.raises(ClientError) as caught:
        await world.call(method, **parameters)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]


async def test_a_python_handler_is_invoked_as_at_lambda(tmp_path):
    async with served(tmp_path, {"orders": python(timeout_seconds=5)}) as world:
        answer = await world.call("invoke", FunctionName="orders", Payload=payload(a=1), LogType="Tail")
        assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
        assert json.loads(answer["Payload"]) == {"seen": {"a": 1}}
        assert "FunctionError" not in answer
        log = base64.b64decode(answer["LogResult"]).decode()
        request_id = answer["ResponseMetadata"]["RequestId"]
        assert log.startswith(f"START RequestId: {request_id} Version: $LATEST\n")
        assert 'seen {"a": 1}' in log
        assert f"REPORT RequestId: {request_id}\tDuration: " in log

        answer = await world.call("invoke", FunctionName="orders", Payload=payload(do="fail"))
        assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
        error = json.loads(answer["Payload"])
        assert (error["errorType"], error["errorMessage"]) == ("ValueError", "no such order")
        assert error["stackTrace"]
        assert "LogResult" not in answer

        answer = await world.call("invoke", FunctionName="orders")
        assert json.loads(answer["Payload"]) == {"seen": {}}

        answer = await world.call("invoke", FunctionName="orders", Payload=payload(do="large"))
        error = json.loads(answer["Payload"])
        assert error["errorType"] == "Function.ResponseSizeTooLarge"
        answer = await world.call("invoke", FunctionName="orders", Payload=payload(do="exit"))
        error = json.loads(answer["Payload"])
        assert error["errorType"] == "Runtime.ExitError"
        assert error["errorMessage"].endswith("Error: Runtime exited with error: exit status 3")


async def test_the_client_s_context_and_the_caller_s_request_id_reach_the_handler(tmp_path):
    context = base64.b64encode(json.dumps({"custom": {"k": "é"}, "env": {"e": "1"}}).encode()).decode()
    async with served(tmp_path, {"orders": python()}) as world:
        answer = await world.call("invoke", FunctionName="orders", Payload=payload(do="context"), ClientContext=context)
        seen = json.loads(answer["Payload"])
        assert (seen["custom"], seen["env"]) == ({"k": "é"}, {"e": "1"})
        assert seen["id"] == answer["ResponseMetadata"]["RequestId"]
        assert seen["arn"].endswith(":function:orders")
        for wrong in ("not base64!", base64.b64encode(b"[1]").decode(), base64.b64encode(b"x").decode(), "A" * 3584):
            code, status, _ = await refused(world, "invoke", FunctionName="orders", ClientContext=wrong)
            assert (code, status) == ("InvalidRequestContentException", 400)


async def test_a_time_that_is_over_is_an_error_of_the_function_and_one_too_many_is_throttled(tmp_path):
    async with served(tmp_path, {"orders": python(timeout_seconds=1.5)}) as world:
        slow = {"FunctionName": "orders", "Payload": payload(do="sleep", seconds=9)}
        both = await asyncio.gather(*(world.call("invoke", **slow) for _ in range(2)), return_exceptions=True)
        [answer] = [one for one in both if isinstance(one, dict)]
        [response] = [one.response for one in both if isinstance(one, ClientError)]
        assert (response["Error"]["Code"], response["Reason"]) == (
            "TooManyRequestsException",
            "ReservedFunctionConcurrentInvocationLimitExceeded",
        )
        assert (response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]) == (429, "Rate Exceeded.")
        assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
        error = json.loads(answer["Payload"])
        assert error["errorType"] == "Sandbox.Timedout"
        assert error["errorMessage"].endswith("Error: Task timed out after 1.50 seconds")


async def test_code_that_cannot_start_is_an_error_of_the_function(tmp_path):
    async with served(tmp_path, {"orders": python() | {"handler": "nowhere.handler"}}) as world:
        for _ in range(3):
            answer = await world.call("invoke", FunctionName="orders", Payload=b"{}")
            assert answer["FunctionError"] == "Unhandled"
            assert json.loads(answer["Payload"])["errorType"] == "Runtime.ImportModuleError"


async def test_a_node_runtime_is_invoked_the_same(tmp_path):
    if shutil.which("node") is None:
        pytest.skip("node is not installed: install Node.js for the tests of its runtimes")
    command = [shutil.which("node"), "runtime.mjs"]
    async with served(tmp_path, {"orders": {"type": "runtime", "command": command, "code": "."}}) as world:
        answer = await world.call("invoke", FunctionName="orders", Payload=payload(a=1), LogType="Tail")
        assert json.loads(json.loads(answer["Payload"])["body"]) == {"seen": {"a": 1}}
        assert "seen by node" in base64.b64decode(answer["LogResult"]).decode()
        answer = await world.call("invoke", FunctionName="orders", Payload=payload(do="fail"))
        assert answer["FunctionError"] == "Unhandled"
        assert json.loads(answer["Payload"]) == {"errorType": "TypeError", "errorMessage": "no such order", "trace": []}


async def test_a_function_is_found_by_each_form_of_its_name_and_by_no_other(tmp_path):
    async with served(tmp_path, {"orders": python()}) as world:
        arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
        for name in ("orders", "orders:$LATEST", "123456789012:function:orders", arn, f"{arn}:$LATEST"):
            answer = await world.call("invoke", FunctionName=name, InvocationType="DryRun")
            assert answer["StatusCode"] == 204
        await world.call("invoke", FunctionName="orders", Qualifier="$LATEST", InvocationType="DryRun")
        for name, more in (("other", {}), ("orders:live", {}), ("orders", {"Qualifier": "1"})):
            code, status, text = await refused(world, "invoke", FunctionName=name, **more)
            assert (code, status) == ("ResourceNotFoundException", 404)
            assert text.startswith("Function not found: arn:aws:lambda:")
        code, status, text = await refused(world, "invoke", FunctionName="orders:$LATEST", Qualifier="live")
        assert (code, status) == ("InvalidParameterValueException", 400)


async def test_what_cannot_be_invoked_is_refused_in_lambda_s_form(tmp_path):
    async with served(tmp_path, {"orders": python()}) as world:
        for expected, more in (
            (("InvalidRequestContentException", 400), {"Payload": b"{"}),
            (("InvalidRequestContentException", 400), {"Payload": b"[" * 100_000}),
            (("RequestTooLargeException", 413), {"Payload": b'"' + b"x" * 6_291_455 + b'"'}),
            (("ValidationException", 400), {"InvocationType": "Sometimes"}),
            (("InvalidParameterValueException", 400), {"InvocationType": "Event"}),
        ):
            assert (await refused(world, "invoke", FunctionName="orders", **more))[:2] == expected


async def test_functions_are_listed_and_described(tmp_path):
    functions = {f"f{number:03d}": {"type": "http", "url": "http://127.0.0.1:9/"} for number in range(120)}
    async with served(tmp_path, functions | {"orders": python(concurrency=3)}) as world:
        names: list[str] = []
        marker: dict[str, str | None] = {}
        for _ in range(3):
            page = await world.call("list_functions", **marker)
            names += [one["FunctionName"] for one in page["Functions"]]
            marker = {"Marker": page.get("NextMarker")}
        assert names == [*functions, "orders"]
        assert marker == {"Marker": None}
        assert len((await world.call("list_functions", MaxItems=7))["Functions"]) == 7
        found = await world.call("get_function", FunctionName="orders")
        assert found["Concurrency"] == {"ReservedConcurrentExecutions": 3}
        configuration = await world.call("get_function_configuration", FunctionName="orders", Qualifier="$LATEST")
        assert (configuration["State"], configuration["LastUpdateStatus"]) == ("Active", "Successful")
        assert configuration["FunctionArn"] == found["Configuration"]["FunctionArn"] + ":$LATEST"
        assert "Environment" not in configuration
        for method in ("get_policy", "get_function"):
            name = "orders" if method == "get_policy" else "nobody"
            assert (await refused(world, method, FunctionName=name))[:2] == ("ResourceNotFoundException", 404)
        assert (await refused(world, "list_functions", Marker="é?"))[:2] == ("InvalidParameterValueException", 400)


async def test_a_service_that_is_not_there_was_not_invoked(tmp_path):
    async with served(tmp_path, {"web": {"type": "http", "url": "http://127.0.0.1:9/"}}) as world:
        code, status, text = await refused(world, "invoke", FunctionName="web", Payload=b"{}")
        assert (code, status) == ("ServiceException", 503)
        assert "unreachable" in text


async def test_a_function_that_the_configuration_changes_is_called_as_it_is_now(tmp_path):
    async with served(tmp_path, {"orders": python(concurrency=2), "gone": python()}) as world:
        first = await world.call("invoke", FunctionName="orders", Payload=payload(do="context"))
        assert (await world.call("invoke", FunctionName="gone"))["StatusCode"] == 200
        slow = asyncio.create_task(world.call("invoke", FunctionName="orders", Payload=payload(do="sleep", seconds=1)))
        await world.invokes()
        arn = "arn:aws:lambda:eu-west-1:123456789012:function:renamed"
        world.apply({"orders": python(function_arn=arn, concurrency=2)})
        second = await world.call("invoke", FunctionName="orders", Payload=payload(do="context"))
        assert json.loads(first["Payload"])["arn"].endswith(":orders")
        assert json.loads(second["Payload"])["arn"] == arn
        assert "FunctionError" not in await slow
        assert (await refused(world, "invoke", FunctionName="gone"))[:2] == ("ResourceNotFoundException", 404)


async def test_a_stop_lets_an_invocation_finish_and_begins_no_other(tmp_path):
    async with served(tmp_path, {"orders": python(), "other": python()}) as world:
        await world.call("invoke", FunctionName="orders")
        slow = asyncio.create_task(world.call("invoke", FunctionName="orders", Payload=payload(do="sleep", seconds=1)))
        await world.invokes()
        stopping = asyncio.create_task(world.running.stop())
        code, status, text = await refused(world, "invoke", FunctionName="other")
        assert (code, status) == ("ServiceException", 503)
        assert "the daemon stops" in text
        answer = await slow
        assert json.loads(answer["Payload"])["seen"]["seconds"] == 1
        await stopping
