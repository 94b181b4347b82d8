"""An ordinary Lambda handler in Python, run by Lambda's own client of the Runtime API."""

import importlib.util
import json
import sys

import pytest

from poller.functions.runtime_api.process import interpreter_command
from poller.policy.response import Failed, NotInvoked, Succeeded
from tests.functions.runtime.workers import ARN, PATIENCE, Log, function
from tests.present import present

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(
        importlib.util.find_spec("awslambdaric") is None, reason="pip install 'poller[runtime]' (or awslambdaric)"
    ),
]

HANDLER = """
import logging, os, sys

class OutOfStock(Exception):
    pass

def handler(event, context):
    print("got", event)
    logging.getLogger().warning("thinking")
    if event.get("raise"):
        raise OutOfStock("none left")
    if event.get("exit"):
        sys.exit(3)
    return {
        "remaining": context.get_remaining_time_in_millis(),
        "request_id": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "name": context.function_name,
        "memory": context.memory_limit_in_mb,
        "trace": os.environ["_X_AMZN_TRACE_ID"],
        "text": "ümlaut",
        "runtime": os.environ["AWS_EXECUTION_ENV"],
    }
"""


def python(tmp_path, code=HANDLER, handler="app.handler", **changed):
    (tmp_path / "app.py").write_text(code)
    return function(
        changed.pop("log", Log()), command=interpreter_command(handler), handler=handler, code=tmp_path, **changed
    )


async def test_a_handler_finds_its_context_and_its_answer_is_the_outcome(tmp_path):
    log = Log()
    async with python(tmp_path, log=log) as running:
        outcome = await running.invoke(b'{"number": 1}', "Root=1-a-b")
    assert isinstance(outcome, Succeeded)
    answer = json.loads(outcome.body)
    assert 0 < answer.pop("remaining") <= PATIENCE * 1000
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert answer.pop("runtime") == f"AWS_Lambda_python{version}"
    assert answer == {
        "request_id": outcome.request_id,
        "arn": ARN,
        "name": "f",
        "memory": "128",
        "trace": "Root=1-a-b",
        "text": "ümlaut",
    }
    first, second = log.lines(request_id=outcome.request_id)
    assert first == "got {'number': 1}"
    assert second.endswith("thinking")


async def test_an_exception_has_failed_with_its_type_and_message_and_log(tmp_path):
    async with python(tmp_path) as running:
        outcome = await running.invoke(b'{"raise": true}')
        assert isinstance(await running.invoke(b"{}"), Succeeded)
    assert isinstance(outcome, Failed)
    assert outcome.detail == "OutOfStock: none left"
    assert "Traceback" in present(outcome.logs)


async def test_a_handler_that_exits_has_failed_and_is_replaced(tmp_path):
    async with python(tmp_path) as running:
        outcome = await running.invoke(b'{"exit": true}')
        assert isinstance(await running.invoke(b"{}"), Succeeded)
    assert isinstance(outcome, Failed)
    assert outcome.detail.endswith("Error: Runtime exited with error: exit status 3")


@pytest.mark.parametrize(
    ("code", "handler", "why"),
    [
        ("import nothing_of_this_name", "app.handler", "Runtime.ImportModuleError: Unable to import module 'app'"),
        ("", "app.handler", "Runtime.HandlerNotFound: Handler 'handler' missing on module 'app'"),
        ("(", "app.handler", "Runtime.UserCodeSyntaxError: Syntax error in module 'app'"),
        ("1 / 0", "app.handler", "ZeroDivisionError: division by zero"),
    ],
)
async def test_code_that_cannot_be_loaded_was_not_invoked_and_says_why(tmp_path, code, handler, why):
    async with python(tmp_path, code, handler) as running:
        outcome = await running.invoke(b"{}")
    assert isinstance(outcome, NotInvoked)
    assert outcome.code == "init_failed"
    assert outcome.detail.startswith(why)


async def test_a_response_over_the_limit_has_failed_and_the_handler_stays(tmp_path):
    code = "import os\ndef handler(event, context):\n    return [os.getpid(), 'x' * event['size']]\n"
    async with python(tmp_path, code) as running:
        [before, _] = json.loads((await running.invoke(b'{"size": 1}')).body)
        outcome = await running.invoke(b'{"size": 7000000}')
        after = await running.invoke(b'{"size": 6000000}')
    assert isinstance(outcome, Failed)
    assert outcome.detail.startswith("Function.ResponseSizeTooLarge")
    assert isinstance(after, Succeeded)
    assert isinstance(before, int)


async def test_code_may_have_modules_named_like_any_of_the_standard_library(tmp_path):
    """Those the client needs are the standard library's, as on Lambda; and the function's own are still its own."""
    for name in sys.stdlib_module_names - set(sys.builtin_module_names):
        (tmp_path / f"{name}.py").write_text("1 / 0\n")
    (tmp_path / "this.py").write_text("WORD = 'mine'\n")
    code = "import this\ndef handler(event, context):\n    if event:\n        1 / 0\n    return this.WORD\n"
    library = tmp_path / "library"
    library.mkdir()
    for name in ("token", "json", "queue", "logging"):
        (library / f"{name}.py").write_text("1 / 0\n")
    async with python(tmp_path, code, environment={"PYTHONPATH": "library"}) as running:
        outcome = await running.invoke(b"{}")
        failed = await running.invoke(b'{"fail": true}')
        again = await running.invoke(b"{}")
    assert isinstance(outcome, Succeeded), outcome
    assert outcome.body == again.body == b'"mine"'
    assert failed.detail == "ZeroDivisionError: division by zero"


async def test_a_traceback_is_logged_line_by_line(tmp_path):
    log = Log()
    async with python(tmp_path, log=log) as running:
        outcome = await running.invoke(b'{"raise": true}')
    lines = log.lines(request_id=outcome.request_id)
    assert "[ERROR] OutOfStock: none left" in lines
    assert "Traceback (most recent call last):" in lines
    assert not any("\r" in line for line in lines)


async def test_an_error_of_the_start_is_logged_without_the_clients_paragraph_about_lambdas_updates(tmp_path):
    log = Log()
    async with python(tmp_path, "raise RuntimeError('no DB_URL')", log=log) as running:
        await running.invoke(b"{}")
    assert "[ERROR] RuntimeError: no DB_URL" in log.lines()
    assert not [line for line in log.lines() if "LAMBDA_WARNING" in line or "runtime-update" in line]
