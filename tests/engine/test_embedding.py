"""A program that embeds the engine: its configuration, its mappings while they run, and what it waits for."""

import asyncio
import json
import subprocess
import sys
from contextlib import nullcontext
from typing import Any

import pytest

import poller
from poller import functions
from poller.sources.sharded.limits import ReadLimits
from tests.engine.house import LocalTransports
from tests.fakes.aws import FakeAws
from tests.fakes.queue import loop_time
from tests.virtual_time import EPOCH

ORDERS = "arn:aws:sqs:eu-west-1:123456789012:orders"


def wall():
    return EPOCH + loop_time()


class Shop:
    """A queue of orders, and a Poller with a handler that keeps the bodies it gets."""

    def __init__(self, *mappings):
        self.aws = FakeAws()
        self.aws.latency = 0.01
        self.orders = self.aws.queue("orders", visibility_timeout=30)
        self.bodies = []
        self.poller = self.polled(poller.configure(event_source_mappings=mappings))

    def polled(self, configuration, **given):
        transports, limits = LocalTransports(self.aws), ReadLimits(lambda _: nullcontext())
        return poller.Poller(configuration, transports=transports, limits=limits, wall=wall, **given)

    async def handle(self, event, _context):
        self.bodies += [record["body"] for record in event["Records"]]


async def test_a_mapping_given_as_keyword_arguments_calls_the_programs_own_function():
    shop = Shop()
    shop.orders.send("a")
    async with shop.poller as running:
        status = await running.add(event_source_arn=ORDERS, function_name=shop.handle, batch_size=1)
        assert status.name == "orders-handle"
        shop.orders.send("b")
        await running.settled("orders-handle")
        assert sorted(shop.bodies) == ["a", "b"]
        assert shop.orders.counts() == (0, 0, 0)
    assert status.account.delivered == status.account.deleted == 2
    assert status.state == "stopped"


async def test_a_function_of_a_direct_trigger_runs_behind_a_queue_unchanged():
    shop, events = Shop(), []

    async def on_upload(event, _context):
        events.append(event["Records"][0]["s3"]["object"]["key"])

    async with shop.poller as running:
        status = await running.add(event_source_arn=ORDERS, function_name=on_upload, unwrap="s3")
        for key in "abc":
            record = {"eventSource": "aws:s3", "s3": {"object": {"key": key}}}
            shop.orders.send(json.dumps({"Records": [record]}))
        await running.settled("orders-on_upload")
    assert sorted(events) == ["a", "b", "c"]
    assert (status.account.delivered, status.account.deleted, status.account.not_unwrapped) == (3, 3, 0)


async def test_settled_waits_for_a_message_that_is_invoked_hidden_or_comes_back():
    shop, tries = Shop(), []

    async def fail_twice(_event, _context):
        tries.append(loop_time())
        await asyncio.sleep(5)
        if len(tries) < 3:
            raise ValueError("not yet")

    async with shop.poller as running:
        await running.add(name="m", event_source_arn=ORDERS, function_name=fail_twice)
        await running.settled("m")
        assert not tries
        shop.orders.send("a")
        with pytest.raises(poller.NotSettled, match=r"m is not settled after 20 s: .* the last failure: .*not yet"):
            await running.settled("m", seconds=20)
        await running.settled("m", seconds=200)
        assert len(tries) == 3


@pytest.mark.parametrize("kind", ["kinesis", "dynamodb"])
async def test_a_stream_is_settled_at_its_tip(kind):
    shop, seen = Shop(), []
    streams = shop.aws.streams
    stream: Any = streams.stream("clicks", 2) if kind == "kinesis" else streams.table("clicks", 2)

    def put(key):
        stream.put(*((key, "data") if kind == "kinesis" else (key,)))

    async def handle(event, _context):
        await asyncio.sleep(1)
        seen.extend(event["Records"])

    for number in range(20):
        put(str(number))
    async with shop.poller as running:
        await running.add(name="m", event_source_arn=stream.arn, function_name=handle, starting_position="TRIM_HORIZON")
        await running.settled("m")
        assert len(seen) == 20
        put("one more")
        await running.settled("m")
        assert len(seen) == 21


async def test_mappings_are_changed_paused_resumed_and_removed_while_they_run():
    shop, sizes = Shop(), []

    async def handle(event, _context):
        sizes.append(len(event["Records"]))

    shop.orders.send("0")
    async with shop.poller as running:
        await running.add(name="m", event_source_arn=ORDERS, function_name=handle, batch_size=1)
        await running.settled("m")
        status = await running.pause("m")
        await asyncio.sleep(21)
        assert status.state == "paused"
        for number in range(3):
            shop.orders.send(str(number))
        await running.change("m", batch_size=10, maximum_batching_window_in_seconds=1)
        await asyncio.sleep(60)
        assert sizes == [1]
        await running.resume("m")
        await running.settled("m")
        assert sizes == [1, 3]
        await running.remove("m")
        assert status.state == "stopped"
        with pytest.raises(poller.UnknownMapping):
            await running.pause("m")
        assert running.status.mappings == []


async def test_what_cannot_be_run_is_refused_in_words_and_changes_nothing():
    shop = Shop({"name": "m", "event_source_arn": ORDERS, "function_name": print})
    async with shop.poller as running:
        refusals: list[tuple[dict[str, Any], str]] = [
            (
                {"event_source_arn": ORDERS, "batch_size": 0},
                "keyword arguments: batch_size: is 0; it must be at least 1",
            ),
            ({"event_source_arn": "orders"}, "keyword arguments: event_source_arn: "),
            ({"event_source_arn": ORDERS, "size": 3}, "keyword arguments: size: "),
            ({"event_source_arn": ORDERS, "name": "other"}, "as the mapping at mapping m does"),
        ]
        for parameters, text in refusals:
            with pytest.raises(poller.ConfigurationError) as refused:
                await running.add(function_name=print, **parameters)
            assert text in str(refused.value)
        with pytest.raises(poller.ConfigurationError, match="batch_size: "):
            await running.change("m", batch_size=100_000)
        assert [status.name for status in running.status.mappings] == ["m"]
        assert running.mappings.find("m").mapping.batch_size == 10


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"api": {"listen": "127.0.0.1:1"}}, "keyword arguments: api: is a setting of the daemon's process"),
        ({"stat": "memory:"}, "did you mean state?"),
        ({"state": "redis:"}, "keyword arguments: state: is 'redis:'; it must be sqlite:"),
        ({"functions": {"f": {"type": "http", "url": 5}}}, "keyword arguments: functions.f.url: is 5; it must be text"),
        ({"event_source_mappings": [ORDERS]}, "a mapping is given as a dict"),
        ({"event_source_mappings": [{"event_source_arn": ORDERS}]}, "event_source_mappings[0]"),
    ],
    ids=["of the process", "misspelled", "a bad value", "a bad function", "no dict", "no function"],
)
def test_keyword_arguments_are_refused_as_files_are(given, text):
    with pytest.raises(poller.ConfigurationError) as refused:
        poller.configure(**given)
    assert text in str(refused.value)


def test_two_handlers_of_one_name_are_two_functions_and_one_handler_is_one():
    def made():
        def handler(event, context):
            return event, context

        return handler

    one, two = made(), made()
    other = ORDERS.replace("orders", "returns")
    configuration = poller.configure(
        functions={"named": functions.Callable(two, concurrency=3)},
        event_source_mappings=[
            {"name": "a", "event_source_arn": ORDERS, "function_name": one},
            {"name": "b", "event_source_arn": ORDERS, "function_name": two},
            {"name": "c", "event_source_arn": other, "function_name": one},
            {"name": "d", "event_source_arn": other, "function_name": "named"},
        ],
    )
    assert [mapping.function.key for mapping in configuration.mappings] == ["handler", "handler-2", "handler", "named"]
    assert configuration.mappings[3].function.concurrency == 3


async def test_a_store_that_was_given_stays_open_for_its_owner():
    shop, store = Shop(), poller.MemoryStore()
    mapping = {"name": "m", "event_source_arn": ORDERS, "function_name": shop.handle}
    for _ in range(2):
        async with shop.polled(poller.configure(event_source_mappings=[mapping]), store=store) as running:
            assert running.status.mappings[0].state == ("paused" if await store.paused() else "starting")
            await running.pause("m")


async def test_cancelling_the_program_twice_ends_the_mappings_hard():
    shop = Shop()
    shop.orders.send("a")

    async def hang(_event, _context):
        await asyncio.sleep(800)

    async def program():
        async with shop.poller as running:
            await running.add(name="m", event_source_arn=ORDERS, function_name=functions.Callable(hang, 899))
            await asyncio.sleep(900)

    task = asyncio.create_task(program())
    await asyncio.sleep(2)
    begun = loop_time()
    task.cancel()
    await asyncio.sleep(1)
    assert not task.done(), "the soft stop waits for the invocation that runs"
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert loop_time() - begun < 10
    assert sum(shop.orders.counts()) == 1, "nothing is lost"


QUIET = """
import sys, logging, random
import poller
assert not [name for name in sys.modules if name.startswith(("poller.", "asyncio", "pydantic", "aiohttp"))], "not cheap"
assert poller.__version__ and "Poller" in dir(poller)
import asyncio, signal, structlog

def process():
    return signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT), logging.getLogger().handlers[:]

async def main():
    async with poller.Poller(poller.configure()):
        pass

before = process()
asyncio.run(main())
assert process() == before
assert not structlog.is_configured()
logging.basicConfig(format="%(name)s %(levelname)s %(message)s", level=logging.INFO, stream=sys.stdout)
from poller.support import telemetry
telemetry.logger(mapping="m").info("ready", count=3)
telemetry.logger().debug("silent")
"""


def test_importing_and_running_it_sets_up_nothing_of_the_process():
    done = subprocess.run([sys.executable, "-c", QUIET], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "poller INFO ready mapping='m' count=3\n"


def test_every_exported_name_is_there():
    assert dir(poller) == sorted(poller.__all__)
    assert all(getattr(poller, name) is not None for name in poller.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Polller'"):
        poller.Polller  # noqa: B018
