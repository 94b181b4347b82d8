"""SIGTERM and a second one, while the real daemon works."""

import json

import pytest

from tests.live.daemon import configuration, running, until
from tests.live.function import Function
from tests.live.load import left

pytestmark = [pytest.mark.live, pytest.mark.heavy]


@pytest.fixture
def queue(ministack):
    return ministack.create_queue("q", VisibilityTimeout=1)


@pytest.fixture
def function():
    with Function() as function:
        yield function


@pytest.fixture
def config(ministack, queue, function, tmp_path):
    mapping = {
        "name": "q",
        "event_source_arn": ministack.queue_arn("q"),
        "function_name": "judge",
        "batch_size": 1,
        "scaling_config": {"maximum_concurrency": 2},
    }
    return configuration(tmp_path, mapping, functions={"judge": {"type": "http", "url": function.url}})


def key(name):
    return json.dumps({"key": name})


def test_a_soft_stop_finishes_the_invocation_that_runs_and_gives_back_what_comes_later(
    ministack, queue, function, config
):
    """A long poll under way may return: its messages are visible again at once, and not invoked."""
    ledger = function.ledger
    function.gate.clear()
    with running(config, ministack.environment()) as daemon:
        ministack.send(queue, key("running"))
        ledger.wait_for(lambda: ledger.running == 1, "the invocation to run")
        daemon.wait_for_reason("q", "invoking")
        daemon.terminate()
        ministack.send(queue, key("later"))
        until(lambda: daemon.status()["q"]["counters"]["returned"], "what came later to be released")
        function.gate.set()
        assert daemon.wait() == 0
        account = daemon.wait_for_log("stopped")["mappings"]["q"]
    assert {name: count for name, count in account.items() if count} == {
        "polled": 2,
        "delivered": 1,
        "returned": 1,
        "deleted": 1,
    }
    assert dict(ledger.succeeded) == {"running": 1}
    assert ministack.counts(queue) == (1, 0)


def start_two(account, queue, ledger):
    """Both lanes are busy then, and no long poll is under way, which would go on at the server when it is cut."""
    for name in ("one", "two"):
        account.send(queue, key(name))
    ledger.wait_for(lambda: ledger.running == 2, "both invocations to run")


def test_a_second_signal_ends_at_once_and_what_was_in_flight_comes_back(ministack, queue, function, config):
    ledger = function.ledger
    function.gate.clear()
    with running(config, ministack.environment()) as daemon:
        start_two(ministack, queue, ledger)
        assert daemon.stop(hard=True)["q"]["returned"] == 2
    function.gate.set()
    until(lambda: ministack.counts(queue) == (2, 0), "the messages to be visible again")
    with running(config, ministack.environment()):
        ledger.wait_for(lambda: ledger.receives == {"one": [1, 2], "two": [1, 2]}, "both to be delivered again")
        until(lambda: not left(ministack, queue), "the queue to be empty")


def test_the_grace_period_bounds_a_soft_stop(ministack, queue, function, config):
    """A function that never answers is cut off then; nothing is lost."""
    settings = json.loads(config.read_text()) | {"shutdown_grace_seconds": 1}
    config.write_text(json.dumps(settings))
    function.gate.clear()
    with running(config, ministack.environment()) as daemon:
        start_two(ministack, queue, function.ledger)
        assert daemon.stop()["q"]["returned"] == 2
        assert daemon.logged("hard_stop") is not None
    until(lambda: ministack.counts(queue) == (2, 0), "the messages to be visible again")
