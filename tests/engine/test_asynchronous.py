"""Events that a function is invoked with for callers that do not wait: retries, age, destinations, and nothing lost."""

import asyncio
import json
import re
from contextlib import asynccontextmanager, nullcontext
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from poller.configuration import load
from poller.engine.app import Poller
from poller.sources.sharded.limits import ReadLimits
from poller.state.memory.store import MemoryStore
from poller.values.errors import CallError, ConfigurationError, UnknownFunction
from tests.engine.house import LocalTransports
from tests.fakes.aws import FakeAws
from tests.fakes.faults import INTERNAL, LOST_AFTER, NOT_SENT
from tests.virtual_time import EPOCH

QUEUE, WELL, ILL = (f"arn:aws:sqs:eu-west-1:123456789012:{name}" for name in ("events", "well", "ill"))
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:fn"
PAYLOAD = b'{"amount": 1.00, "big": 12345678901234567890123, "text": "\xc3\xa9"}'


@asynccontextmanager
async def invoking(tmp_path, handler=lambda _: None, **keys):
    """The engine with one function and its queue."""
    aws = FakeAws()
    aws.latency = 0.01
    aws.function("fn", handler)
    for name in ("events", "well", "ill"):
        aws.queue(name)
    asynchronous = {"queue": QUEUE, "on_success": WELL, "on_failure": ILL, **keys}
    asynchronous = {key: value for key, value in asynchronous.items() if value is not None}
    path = tmp_path / "poller.json"
    function = {"type": "lambda", "function_name": "fn", "asynchronous": asynchronous}
    path.write_text(json.dumps({"state": "memory:", "functions": {"fn": function}}))
    running = Poller(
        load([path], environ={}),
        store=MemoryStore(),
        transports=LocalTransports(aws),
        limits=ReadLimits(lambda _: nullcontext()),
        wall=lambda: EPOCH + asyncio.get_running_loop().time(),
    )
    async with running:
        await asyncio.sleep(1)
        yield running, aws
    assert not running.status.died
    (status,) = running.status.mappings
    assert status.account.unaccounted(status.in_flight()) == 0


def told(aws, name):
    """Bodies of the messages in a queue, as text."""
    return [message.body for message in aws.queues[name].messages.values()]


async def test_a_success_is_told_with_its_payloads_byte_for_byte(tmp_path):
    async with invoking(tmp_path, lambda _: {"total": 1.50}) as (running, aws):
        await running.invoker.keep("fn", PAYLOAD, "r")
        await asyncio.sleep(5)
        (record,) = told(aws, "well")
        assert PAYLOAD.decode() in record
        read = json.loads(record)
        assert list(read) == [
            "version",
            "timestamp",
            "requestContext",
            "requestPayload",
            "responseContext",
            "responsePayload",
        ]
        assert read["requestContext"] == {
            "requestId": "r",
            "functionArn": f"{FUNCTION}:$LATEST",
            "condition": "Success",
            "approximateInvokeCount": 1,
        }
        assert read["responsePayload"] == {"total": 1.5}
        assert (told(aws, "ill"), told(aws, "events")) == ([], [])
        assert [one.event for one in aws.functions["fn"].invocations.all] == [PAYLOAD]


async def test_a_failing_event_is_invoked_three_times_and_then_told_with_its_error(tmp_path):
    def fail(_event):
        raise ValueError("no such order")

    async with invoking(tmp_path, fail) as (running, aws):
        await running.invoker.keep("fn", PAYLOAD, "r")
        await asyncio.sleep(300)
        begun = [one.started for one in aws.functions["fn"].invocations.all]
        assert [round(after - before) for before, after in pairwise(begun)] == [60, 120]
        (record,) = (json.loads(text) for text in told(aws, "ill"))
        assert record["requestContext"]["requestId"] == "r"
        assert record["requestContext"]["condition"] == "RetriesExhausted"
        assert record["requestContext"]["approximateInvokeCount"] == 3
        assert record["responseContext"]["functionError"] == "Unhandled"
        assert record["responsePayload"]["errorMessage"] == "no such order"
        assert told(aws, "well") == told(aws, "events") == []
        (status,) = running.status.mappings
        assert status.account.counters()["failed_invoke"] == 3
        assert status.last_failure is not None
        assert "no such order" in status.last_failure.text


async def test_without_retries_and_destinations_a_failing_event_is_dropped_and_the_log_says_so(tmp_path):
    failing = {"maximum_retry_attempts": 0, "on_success": None, "on_failure": None}
    with capture_logs() as log:
        async with invoking(tmp_path, lambda _: 1 / 0, **failing) as (running, aws):
            await running.invoker.keep("fn", b"{}", "r")
            await asyncio.sleep(60)
            assert len(aws.functions["fn"].invocations.all) == 1
            assert told(aws, "events") == []
    (line,) = (line for line in log if line["event"] == "asynchronous_event_dropped")
    assert (line["request_id"], line["condition"]) == ("r", "RetriesExhausted")


async def test_throttles_spend_no_retry_and_an_event_that_grows_too_old_is_told_so(tmp_path):
    async with invoking(tmp_path, maximum_event_age_in_seconds=600) as (running, aws):
        aws.functions["fn"].concurrency = 0
        await running.invoker.keep("fn", PAYLOAD, "r")
        await asyncio.sleep(500)
        assert told(aws, "ill") == []
        await asyncio.sleep(700)
        (record,) = (json.loads(text) for text in told(aws, "ill"))
        assert record["requestContext"]["condition"] == "EventAgeExceeded"
        assert record["requestContext"]["approximateInvokeCount"] == 0
        assert "responseContext" not in record
        assert record["requestPayload"]["amount"] == 1.0
        aws.functions["fn"].concurrency = None
        await running.invoker.keep("fn", b"{}", "s")
        await asyncio.sleep(100)
        assert len(told(aws, "well")) == 1


@pytest.mark.parametrize("fault", [NOT_SENT, LOST_AFTER, INTERNAL])
async def test_a_destination_that_is_away_for_a_while_loses_nothing(tmp_path, fault):
    async with invoking(tmp_path) as (running, aws):
        await running.invoker.keep("fn", PAYLOAD, "r")
        aws.faults.always("SendMessage", fault)
        await asyncio.sleep(120)
        invoked = len(aws.functions["fn"].invocations.all)
        assert invoked > 1
        aws.faults.clear()
        await asyncio.sleep(120)
        assert len(told(aws, "well")) >= 1
        assert told(aws, "events") == []


async def test_what_somebody_else_puts_into_the_queue_is_an_event_too(tmp_path):
    async with invoking(tmp_path) as (_running, aws):
        aws.queues["events"].send("[1]")
        await asyncio.sleep(5)
        (record,) = (json.loads(text) for text in told(aws, "well"))
        assert record["requestPayload"] == [1]
        assert [one.event for one in aws.functions["fn"].invocations.all] == [b"[1]"]


async def test_an_event_that_the_queue_does_not_take_is_not_accepted(tmp_path):
    async with invoking(tmp_path) as (running, aws):
        aws.faults.always("SendMessage", INTERNAL)
        with pytest.raises(CallError):
            await running.invoker.keep("fn", b"{}", "r")
        with pytest.raises(UnknownFunction):
            await running.invoker.keep("none", b"{}", "r")
        aws.faults.clear()
        assert told(aws, "events") == []


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"queue": f"{QUEUE}.fifo"}, "asynchronous.queue: is a FIFO queue"),
        ({"queue": "arn:aws:sns:eu-west-1:123456789012:t"}, "asynchronous.queue: must be the ARN of an SQS queue"),
        ({"on_failure": "events"}, "asynchronous.on_failure: must be the ARN of"),
        ({"maximum_retry_attempts": 3}, "asynchronous.maximum_retry_attempts: is 3; it must be at most 2"),
        ({"maximum_event_age_in_seconds": 59}, "asynchronous.maximum_event_age_in_seconds: is 59"),
    ],
)
async def test_what_cannot_be_is_refused_when_it_is_read(tmp_path, keys, problem):
    with pytest.raises(ConfigurationError, match=re.escape(problem)):
        async with invoking(tmp_path, **keys):
            pass
