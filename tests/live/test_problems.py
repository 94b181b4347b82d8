"""The real daemon with a problem: it says what is wrong, goes on with the rest, and recovers when that is over."""

import json
import socket

import pytest

from tests.live.daemon import command, configuration, running, until
from tests.live.function import Function
from tests.live.ledger import WHOLE
from tests.live.load import left
from tests.servers.process import free_port

pytestmark = [pytest.mark.live, pytest.mark.heavy]

PEAK_MIB = 120
"""A generous bound for a daemon whose function answers 100 MB."""


def mapping(account, queue, function="judge", **parameters):
    return {
        "name": queue,
        "event_source_arn": account.queue_arn(queue),
        "function_name": function,
        "function_response_types": ["ReportBatchItemFailures"],
        "failure_visibility_timeout_seconds": 1,
        "scaling_config": {"maximum_concurrency": 2},
    } | parameters


def judged_at(url, **parameters):
    return {"judge": {"type": "http", "url": url} | parameters}


def body(key, *plan):
    return json.dumps({"key": key, "plan": plan})


@pytest.fixture
def function():
    with Function() as function:
        yield function


@pytest.fixture
def delivered(function):
    """Wait until messages with these keys were."""

    def wait(*keys):
        ledger = function.ledger
        ledger.wait_for(lambda: set(keys) <= set(ledger.succeeded), f"{keys} to be delivered")

    return wait


def ended(folder, environment, config):
    """Run a daemon that cannot start: its exit code, and what it says, which is for a person."""
    process = command(folder, environment, "run", "--config", config)
    _, said = process.communicate(timeout=30)
    assert "Traceback" not in said
    assert len(said.splitlines()) < 10
    return process.returncode, said


def test_a_missing_queue_is_said_and_stops_nobody_else(ministack, function, delivered, tmp_path):
    present = ministack.create_queue("present")
    config = configuration(
        tmp_path, mapping(ministack, "missing"), mapping(ministack, "present"), functions=judged_at(function.url)
    )
    with running(config, ministack.environment()) as daemon:
        reason = daemon.wait_for_reason("missing", "source_missing")
        assert ministack.queue_arn("missing") in reason["text"]
        assert daemon.wait_for_log("source_unavailable", mapping="missing")["code"] == "source_missing"
        until(lambda: daemon.get("/readyz")[0] == 200, "the daemon to be ready", 10)
        assert daemon.healthy()
        ministack.send(present, body("present"))
        delivered("present")
        assert daemon.status()["missing"]["state"] == "problem"
        missing = ministack.create_queue("missing")
        ministack.send(missing, body("missing"))
        delivered("missing")
        daemon.wait_until_running("missing")


def test_credentials_that_come_late_are_found(ministack, function, delivered, tmp_path):
    queue = ministack.create_queue("q")
    ministack.send(queue, body("late"))
    keys = tmp_path / "credentials"
    environment = {name: value for name, value in ministack.environment().items() if "KEY" not in name}
    config = configuration(tmp_path, mapping(ministack, "q"), functions=judged_at(function.url))
    with running(config, environment | {"AWS_SHARED_CREDENTIALS_FILE": str(keys)}) as daemon:
        daemon.wait_for_reason("q", "credentials")
        assert daemon.healthy()
        written = tmp_path / "written"
        written.write_text(f"[default]\naws_access_key_id = {ministack.account}\naws_secret_access_key = secret\n")
        written.rename(keys)
        delivered("late")
        daemon.wait_until_running("q")


def test_a_taken_port_ends_with_69(ministack, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = configuration(tmp_path, mapping(ministack, "q"), api={"listen": f"127.0.0.1:{port}"})
        code, said = ended(tmp_path, ministack.environment(), config)
    assert code == 69
    assert str(port) in said


def test_a_state_file_in_use_ends_with_69_and_names_the_holder(ministack, function, tmp_path):
    settings = {"state": f"sqlite:///{tmp_path}/state.db", "functions": judged_at(function.url)}
    config = configuration(tmp_path, mapping(ministack, "q"), **settings)
    with running(config, ministack.environment()) as daemon:
        daemon.wait_for_log("api_listening")
        code, said = ended(tmp_path, ministack.environment(), config)
        assert code == 69
        assert str(daemon.process.pid) in said
        daemon.kill()
        # the lock ends with the process, however it ended
        with running(config, ministack.environment()) as another:
            another.wait_for_log("api_listening")


def test_a_bad_configuration_ends_with_2(ministack, tmp_path):
    config = configuration(tmp_path, mapping(ministack, "q", batch_size=0, colour="red"))
    code, said = ended(tmp_path, ministack.environment(), config)
    assert code == 2
    assert "batch_size" in said
    assert "colour" in said


def test_whatever_a_function_answers_is_judged_failed_in_bounded_memory_and_time(
    ministack, delivered, function, tmp_path
):
    """100 MB, no HTTP, no JSON, status 500, nothing at all: every message comes again, and then succeeds."""
    queue = ministack.create_queue("q")
    for kind in WHOLE:
        ministack.send(queue, body(kind, kind))
    config = configuration(
        tmp_path, mapping(ministack, "q", batch_size=1), functions=judged_at(function.url, timeout_seconds=1)
    )
    with running(config, ministack.environment()) as daemon:
        delivered(*WHOLE)
        assert daemon.wait_for_log("batch_failed")
        until(lambda: not left(ministack, queue), "the queue to be empty")
        counters = daemon.status()["q"]["counters"]
        peak = daemon.memory("VmHWM")
        assert daemon.healthy()
    assert function.ledger.receives == {kind: [1, 2] for kind in WHOLE}
    assert counters["failed_invoke"] == len(WHOLE)
    assert counters["deleted"] == len(WHOLE)
    assert peak < PEAK_MIB


def test_an_unreachable_function_spends_no_receive(ministack, tmp_path):
    """Its messages are held, longer than their visibility timeout; health stays green."""
    queue = ministack.create_queue("q", VisibilityTimeout=1)
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    config = configuration(tmp_path, mapping(ministack, "q"), functions=judged_at(url))
    with running(config, ministack.environment()) as daemon:
        ministack.send_batch(queue, [body(f"m{number}") for number in range(20)])
        reason = daemon.wait_for_reason("q", "circuit_open")
        assert str(port) in reason["text"]
        assert daemon.wait_for_log("function_not_invoked")["code"] == "unreachable"
        assert daemon.healthy()
        with Function(port=port) as function:
            ledger = function.ledger
            ledger.wait_for(lambda: len(ledger.succeeded) == 20, "all to be delivered")
            until(lambda: not left(ministack, queue), "the queue to be empty")
            assert {tuple(counts) for counts in ledger.receives.values()} == {(1,)}
            assert daemon.status()["q"]["counters"]["returned"] == 0
            daemon.end()
