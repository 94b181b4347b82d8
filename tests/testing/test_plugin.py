"""The pytest plugin, as somebody's test suite has it: in a pytest of its own, against a local AWS."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.heavy

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
TESTS = """
import poller
import pytest

QUEUE, STREAM = "{queue}", "{stream}"


def ship(event, context):
    for record in event["Records"]:
        if record["body"] == "bad":
            raise ValueError("cannot be shipped")


async def ship_later(event, context):
    return None


def test_a_plain_handler(poller_mapping):
    run = poller_mapping(QUEUE, ship, batch_size=2)
    assert run.delivered == 3
    assert sorted(record["body"] for record in run.records) == ["0", "1", "2"]
    assert max(len(event["Records"]) for event in run.events) <= 2
    assert run.counters["deleted"] == 3


async def in_a_loop(poller_mapping):
    assert poller_mapping(QUEUE, ship_later).delivered == 0


def test_in_a_loop(poller_mapping):
    import asyncio
    asyncio.run(in_a_loop(poller_mapping))


def test_a_stream_goes_on_where_the_run_before_ended(poller_mapping):
    again = poller.functions.Callable(ship_later, timeout_seconds=5)
    for delivered in (4, 0):
        assert poller_mapping(STREAM, again, starting_position="TRIM_HORIZON").delivered == delivered


def test_a_mistake_is_said_in_words(poller_mapping):
    with pytest.raises(poller.ConfigurationError, match="keyword arguments: event_source_mappings.0..batch_size"):
        poller_mapping(QUEUE, ship, batch_size=0)


def test_what_is_not_settled_fails_the_test(poller_mapping):
    poller_mapping("{bad}", ship, seconds=2)
"""


def outcome_of(pytester, environment, *arguments):
    """As where the entry point is installed, whether or not it is here."""
    own = {"PATH": os.environ["PATH"], "HOME": str(pytester.path), "PYTHONPATH": str(ROOT)}
    own["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = [sys.executable, "-m", "pytest", "-p", "poller.testing.plugin", *arguments]
    return subprocess.run(
        command, cwd=pytester.path, env=own | environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.live
def test_a_handler_is_tested_against_a_queue_and_a_stream(pytester, ministack):
    url, bad = ministack.create_queue("orders"), ministack.create_queue("bad")
    ministack.send_batch(url, ["0", "1", "2"])
    ministack.send(bad, "bad")
    kinesis = ministack.client("kinesis")
    kinesis.create_stream(StreamName="clicks", ShardCount=1)
    kinesis.put_records(StreamName="clicks", Records=[{"Data": b"x", "PartitionKey": "k"}] * 4)
    stream = f"arn:aws:kinesis:{ministack.region}:{ministack.account}:stream/clicks"
    tests = TESTS.format(queue=ministack.queue_arn("orders"), stream=stream, bad=ministack.queue_arn("bad"))
    pytester.makepyfile(tests)
    done = outcome_of(pytester, ministack.environment(), "-q", "-W", "error")
    assert "1 failed, 4 passed" in done.stdout, done.stdout + done.stderr
    assert "NotSettled: the mapping tested-1 is not settled after 2 s" in done.stdout
    assert "ValueError: cannot be shipped" in done.stdout


def test_a_run_of_other_tests_imports_nothing_of_poller_but_the_plugin(pytester):
    pytester.makepyfile(
        """
        import sys

        def test_what_is_imported():
            ours = {name for name in sys.modules if name.partition(".")[0] == "poller"}
            assert ours == {"poller", "poller.testing", "poller.testing.plugin"}
            assert "pydantic" not in sys.modules
        """
    )
    done = outcome_of(pytester, {}, "-q")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_fixture_is_documented_where_pytest_lists_fixtures(pytester):
    done = outcome_of(pytester, {}, "--fixtures", "-q")
    assert "poller_mapping" in done.stdout
    assert "Run an event source mapping against a queue or stream until all is settled" in done.stdout
