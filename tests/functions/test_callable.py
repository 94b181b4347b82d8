"""Functions that are Python callables: their context, their errors, their answers and their deadlines."""

import asyncio
import decimal
import functools
import json
import sys
import threading
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from poller.configuration.model.functions import FunctionConfig
from poller.functions.callable import Callable, CallableFunction
from poller.functions.function_errors import RESPONSE_LIMIT
from poller.policy.response import Failed, NotInvoked, Succeeded
from poller.support import telemetry
from tests.engine.house import House, living
from tests.present import present

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live"
EVENT = b'{"Records": []}'
PATIENCE = 30
"""Seconds after which a thread of a test gives up."""


def function(handler, **settings):
    return CallableFunction(
        "key", Callable(handler, **settings), function_arn=ARN, log=telemetry.logger(function="key")
    )


def both(plain):
    """The handler as it is, and as a coroutine function."""

    @functools.wraps(plain)
    async def coroutine(event, context):
        return plain(event, context)

    return plain, coroutine


async def outcomes(plain, **settings):
    """Of one invocation in a thread, and one on the loop."""
    found = []
    for handler in both(plain):
        called = function(handler, **settings)
        found.append(await called.invoke(EVENT))
        await called.close()
    return found


@pytest.mark.real_time
async def test_a_handler_has_lambdas_context():
    seen = []

    def handler(event, context):
        seen.append((event, context))

    for outcome in await outcomes(handler, timeout_seconds=30, memory_size=256):
        assert (type(outcome), outcome.body) == (Succeeded, b"null")
        event, context = seen.pop(0)
        assert event == {"Records": []}
        assert context.aws_request_id == outcome.request_id
        assert (context.function_name, context.invoked_function_arn) == ("orders", ARN)
        assert (context.function_version, context.memory_limit_in_mb) == ("$LATEST", "256")
        assert context.log_group_name == "/aws/lambda/orders"
        assert (context.client_context, context.identity) == (None, None)


async def test_the_remaining_time_falls_to_zero_and_not_below():
    left, kept = [], []

    async def handler(_event, context):
        kept.append(context)
        for _ in range(2):
            left.append(context.get_remaining_time_in_millis())
            await asyncio.sleep(10)
        left.append(context.get_remaining_time_in_millis())

    called = function(handler, timeout_seconds=20.5)
    await called.invoke(EVENT)
    assert left == [20_500, 10_500, 500]
    await asyncio.sleep(1)
    assert kept[0].get_remaining_time_in_millis() == 0


@pytest.mark.real_time
async def test_what_a_handler_raises_is_an_error_of_the_function_with_its_stack_in_the_log():
    def handler(_event, _context):
        raise KeyError("customer")

    for outcome in await outcomes(handler):
        assert isinstance(outcome, Failed)
        assert (outcome.error, outcome.function_error) == ("function_error", "Unhandled")
        assert outcome.detail == "KeyError: 'customer'"
        first, second, *stack = present(outcome.logs).splitlines()
        assert (first, second) == ("[ERROR] KeyError: 'customer'", "Traceback (most recent call last):")
        assert 'raise KeyError("customer")' in stack[-1]
        assert "poller/functions" not in stack[0], "our own frames are not the user's"


class _Silent(Exception):
    def __str__(self):
        raise ValueError("no text")


@pytest.mark.real_time
@pytest.mark.parametrize("error", [StopIteration("x"), SystemExit(3), _Silent(), RecursionError(), TimeoutError("own")])
async def test_an_error_that_means_something_to_the_interpreter_is_one_of_the_function_too(error):
    def handler(_event, _context):
        raise error

    for outcome in await outcomes(handler):
        assert isinstance(outcome, Failed)
        assert outcome.error == "function_error"


async def test_what_a_handler_logs_by_its_context_is_a_line_of_the_functions_log():
    async def handler(_event, context):
        context.log("hello")

    with capture_logs() as logged:
        outcome = await function(handler).invoke(EVENT)
    line = next(entry for entry in logged if entry["event"] == "function_log")
    assert (line["function"], line["text"], line["request_id"]) == ("key", "hello", outcome.request_id)


async def test_a_handler_that_cancels_itself_has_failed():
    async def handler(_event, _context):
        raise asyncio.CancelledError

    outcome = await function(handler).invoke(EVENT)
    assert (type(outcome), outcome.error) == (Failed, "function_error")


async def test_a_handler_that_takes_other_arguments_has_failed():
    async def handler(_event):
        """Takes no context."""

    outcome = await function(handler).invoke(EVENT)
    assert outcome.detail.startswith("TypeError: ")


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("result", "body"),
    [
        (None, b"null"),
        ({"batchItemFailures": []}, b'{"batchItemFailures": []}'),
        ({"é": "\ud800"}, '{"é": "\\ud800"}'.encode()),
        ([decimal.Decimal("1.5"), decimal.Decimal(2)], b"[1.5, 2]"),
        (b"as it is", b"as it is"),
    ],
)
async def test_an_answer_is_written_as_lambda_writes_it(result, body):
    for outcome in await outcomes(lambda *_: result):
        assert (type(outcome), outcome.body) == (Succeeded, body)


@pytest.mark.real_time
async def test_an_answer_that_is_no_json_has_failed():
    circle: list[object] = []
    circle.append(circle)
    deep: list[object] = []
    for _ in range(sys.getrecursionlimit()):
        deep = [deep]
    for result in (object(), {1, 2}, circle, deep, {(1, 2): 3}):
        for outcome in await outcomes(lambda *_, result=result: result):
            assert isinstance(outcome, Failed)
            assert outcome.detail.startswith("Runtime.MarshalError: Unable to marshal response")


@pytest.mark.real_time
async def test_an_answer_at_the_limit_is_taken_and_one_beyond_it_is_not():
    for size, kind in ((RESPONSE_LIMIT, Succeeded), (RESPONSE_LIMIT + 1, Failed)):
        for outcome in await outcomes(lambda *_, size=size: b"x" * size):
            assert type(outcome) is kind


async def test_a_coroutine_over_its_deadline_is_cancelled():
    gone = asyncio.Event()

    async def handler(_event, _context):
        try:
            await asyncio.Event().wait()
        finally:
            gone.set()

    outcome = await function(handler, timeout_seconds=5).invoke(EVENT)
    assert (outcome.error, "Task timed out after 5.00 seconds" in outcome.detail) == ("timeout", True)
    await gone.wait()


async def test_a_coroutine_that_ignores_its_cancellation_holds_up_neither_the_outcome_nor_the_close():
    ended = asyncio.Event()

    async def handler(_event, _context):
        while not ended.is_set():
            try:
                await ended.wait()
            except asyncio.CancelledError:
                continue

    called = function(handler, timeout_seconds=5)
    assert (await called.invoke(EVENT)).error == "timeout"
    await called.close()
    ended.set()


@pytest.mark.real_time
async def test_a_thread_over_its_deadline_keeps_its_place_and_the_next_event_was_not_invoked():
    release, begun, began = threading.Event(), threading.Event(), []

    def handler(event, _context):
        began.append(event)
        begun.set()
        release.wait(PATIENCE)

    called = function(handler, timeout_seconds=0.05, concurrency=1)
    assert (await called.invoke(EVENT)).error == "timeout"
    assert await asyncio.to_thread(begun.wait, PATIENCE)
    refused = await called.invoke(EVENT)
    assert (type(refused), refused.code) == (NotInvoked, "no_worker")
    assert len(began) == 1
    release.set()
    # a busy machine may need more than the deadline to run even a handler that returns at once
    while not isinstance(await called.invoke(EVENT), Succeeded):
        pass
    await called.close()


@pytest.mark.real_time
async def test_plain_handlers_run_in_as_many_threads_as_the_concurrency_and_never_more():
    barrier, lock, running, most = threading.Barrier(3, timeout=PATIENCE), threading.Lock(), set(), []

    def handler(_event, _context):
        with lock:
            running.add(threading.get_ident())
            most.append(len(running))
        barrier.wait()
        with lock:
            running.discard(threading.get_ident())

    called = function(handler, concurrency=3)
    assert {type(one) for one in await asyncio.gather(*(called.invoke(EVENT) for _ in range(9)))} == {Succeeded}
    assert max(most) == 3
    await called.close()


@pytest.mark.real_time
async def test_a_callable_object_with_an_async_call_runs_on_the_loop():
    class Handler:
        async def __call__(self, _event, _context):
            return threading.current_thread() is threading.main_thread()

    assert json.loads((await function(Handler()).invoke(EVENT)).body) is True


@pytest.mark.parametrize(
    ("handler", "settings", "said"),
    [
        ("handler", {}, "cannot be called"),
        (print, {"timeout_seconds": 0}, "timeout_seconds: is 0"),
        (print, {"timeout_seconds": 42_301}, "timeout_seconds: is 42301; it must be at most 42300"),
        (print, {"concurrency": -1}, "concurrency: is -1"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(handler, settings, said):
    with pytest.raises((TypeError, ValueError), match=said):
        Callable(handler, **settings)


async def test_a_mapping_delivers_to_a_callable_and_settles_what_it_took():
    bodies: list[Any]
    house, bodies, arns = House(), [], set()

    async def handler(event, context):
        bodies.extend(record["body"] for record in event["Records"])
        arns.add(context.invoked_function_arn)

    settings = Callable(handler)
    own = FunctionConfig(key="orders", type="callable", options=settings)
    mapping = replace(house.mapping("m"), function=own)
    for number in range(5):
        house.queue("m").send(str(number))
    async with living(mapping, house=house):
        await asyncio.sleep(5)
        assert sorted(bodies) == ["0", "1", "2", "3", "4"]
    assert len(arns) == 1
    assert arns.pop().endswith(":function:orders")
    assert house.queue("m").counts() == (0, 0, 0)


def test_a_handler_object_that_has_no_hash_can_be_configured():
    class Handler:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self, _event, _context):
            """Does nothing."""

    handler = Handler()
    config = FunctionConfig(key="orders", type="callable", options=Callable(handler))
    assert {config: 1}[FunctionConfig(key="orders", type="callable", options=Callable(handler))] == 1
