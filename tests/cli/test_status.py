"""`poller status`, `why` and `health`: what they print of a running daemon, and the code they end with."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from poller.cli.interrupts import until_interrupted
from poller.cli.output import clock, lag_in_words, times
from poller.policy.advice import ADVICE
from poller.policy.impacts import Batch
from poller.policy.waiting import Waiting
from poller.ports.daemon_status import ConfigurationStatus
from poller.ports.elsewhere import Elsewhere
from poller.ports.status import Account, Lag, LaneStatus, LastFailure, MappingState, PartitionStatus, Reason, ReasonCode
from tests.cli.running import a_running_daemon
from tests.daemon.samples import STARTED_AT, a_mapping, with_lanes
from tests.present import present

CHECKOUT = Path(__file__).parents[2]
AS_MODULE = [sys.executable, "-m", "poller"]


def test_status_shows_each_mapping_and_why_it_stands_still(poller, tmp_path):
    throttled = LaneStatus(ReasonCode.THROTTLED)
    mappings = [
        with_lanes(throttled, account=Account(polled=7, delivered=4, deleted=4), in_flight=lambda: 3),
        a_mapping("clicks", state=MappingState.DISABLED),
    ]
    with a_running_daemon(tmp_path, *mappings) as configuration:
        code, out, err = poller("status", "--config", configuration)
    assert (code, err) == (0, "")
    _, orders, clicks, last = out.splitlines()
    assert orders.split()[:2] == ["orders", "degraded"]
    assert "throttled: asked to slow down; tried again soon (since " in orders
    assert orders.split()[-7:] == ["7", "4", "0", "0", "4", "3", "-"]
    assert clicks.split()[:3] == ["clicks", "disabled", "disabled:"]
    assert last == "poller 1.2.3, running since 2026-01-01T00:00:00.000Z"


def test_status_of_one_mapping_shows_its_lanes(poller, tmp_path):
    mappings = [with_lanes(LaneStatus(ReasonCode.INVOKING), LaneStatus(ReasonCode.WINDOW)), a_mapping("clicks")]
    with a_running_daemon(tmp_path, *mappings) as configuration:
        code, out, _ = poller("status", "orders", "--config", configuration)
    assert code == 0
    assert "the function is running" in out
    assert "gathering a batch" in out
    assert "clicks" not in out


def test_why_says_what_stands_still_and_what_to_do_about_it(poller, tmp_path):
    stuck = LaneStatus(
        ReasonCode.RETRY, "retry 7 of 20, 3 records from sequence number 49: boom", since=1.0, next_try=1e9
    )
    shards = [
        PartitionStatus("shard-0", lanes=[stuck]),
        PartitionStatus("shard-1", lanes=[LaneStatus(ReasonCode.NO_DATA)]),
        PartitionStatus("shard-2", lanes=[LaneStatus(ReasonCode.NO_DATA)]),
    ]
    waiting = [PartitionStatus("shard-3", reason=Reason(ReasonCode.PARENT, "waits for the end of shard-0"))]
    lag = Lag(seconds=300.0, expires_in_seconds=5_000.0)
    mappings = [a_mapping("clicks", partitions=shards, waiting=waiting, lag=lambda: lag), a_mapping("orders")]
    with a_running_daemon(tmp_path, *mappings) as configuration:
        code, out, err = poller("why", "--config", configuration)
        _, one, _ = poller("why", "orders", "--config", configuration)
    assert (code, err, one) == (0, "", "orders: running\n")
    heading, reason, advice, behind, note, first, second, rest, blank, orders = out.splitlines()
    assert (heading, blank, orders) == ("clicks: degraded", "", "orders: running")
    assert reason.startswith("  retry 7 of 20, 3 records from sequence number 49: boom (since ")
    assert "maximum_retry_attempts" in advice
    assert behind == "  behind: 5 min, expires in 83 min"
    assert "expires at the source in 83 min, before" in note
    assert first.startswith("  shard-0: retry 7 of 20")
    assert second == "  shard-3: waits for the end of shard-0"
    assert rest == "  and 2 no_data"


def test_status_and_why_say_what_waits_on_another_daemon_of_the_fleet(poller, tmp_path):
    batch = Batch("shard-1", 0, 3, "100", "102", "attempt 2 of 5", discards=True, awaiting=False, seconds=None)
    waits = [replace(Waiting(batch, "retry", "boom"), batch=replace(batch, lane=lane)) for lane in range(25)]
    others = [PartitionStatus("shard-1", reason=Reason(ReasonCode.NOT_MINE, "read by b"))]
    mapping = a_mapping(waiting=others, elsewhere=[Elsewhere("id of b", "b", 1e12, waits, 5)], seeks=True)
    with a_running_daemon(tmp_path, mapping) as configuration:
        why, status = (poller(command, "orders", "--config", configuration)[1] for command in ("why", "status"))
    heading, reason, advice, note, *lines, more, rest = why.splitlines()
    assert (heading, reason) == ("orders: degraded", "  on b: boom")
    assert "`poller skip`" in advice
    assert note == "  note: 30 batches wait for another try on b: shard-1, …"
    assert lines == [f"  shard-1, lane {lane} on b: boom" for lane in range(20)]
    assert (more, rest) == ("  and 5 more on other daemons", "  1 not_mine")
    assert "not_mine: read by b: boom" in status
    assert "24 on b" in status


def test_a_refused_reload_and_a_hung_step_are_told_by_status_and_why(poller, tmp_path):
    refused = ConfigurationStatus(STARTED_AT, STARTED_AT + 60, ["poller.yaml:3: batch_size: must be at most 10"])
    hangs = [lambda: "the state file state.db: no answer for 31 s"]
    with a_running_daemon(tmp_path, a_mapping(), configuration=refused, steps=hangs) as configuration:
        outs = [poller(command, "--config", configuration)[1] for command in ("status", "why")]
    for out in outs:
        assert "the daemon is unhealthy: the state file state.db: no answer for 31 s\n" in out
        assert "the configuration was changed and refused at" in out
        assert "  poller.yaml:3: batch_size: must be at most 10" in out


def test_the_last_failure_is_told_by_why_and_with_its_log_by_status(poller, tmp_path):
    failed = a_mapping(last_failure=LastFailure(100.0, "function_error: KeyError: x", "r-1", "START r-1"))
    with a_running_daemon(tmp_path, failed) as configuration:
        why, status = (poller(command, "orders", "--config", configuration)[1] for command in ("why", "status"))
    assert ": function_error: KeyError: x\n" in why
    assert "function_error: KeyError: x (" in status
    assert "START r-1" in status


def test_why_of_a_daemon_without_mappings_says_so(poller, tmp_path):
    with a_running_daemon(tmp_path) as configuration:
        assert poller("why", "--config", configuration) == (0, "no mappings\n", "")


def test_every_advice_is_for_a_reason_there_is():
    assert {cause for cause in ADVICE if "." not in cause and cause != "failed"} <= {code.value for code in ReasonCode}


def test_records_nobody_answers_for_are_pointed_out(poller, tmp_path):
    with a_running_daemon(tmp_path, a_mapping(account=Account(polled=2))) as configuration:
        assert "orders: 2 records are unaccounted for" in poller("status", "--config", configuration)[1]


def test_status_as_json_is_what_the_daemon_says(poller, tmp_path):
    with a_running_daemon(tmp_path, a_mapping(), a_mapping("clicks")) as configuration:
        _, everything, _ = poller("status", "--json", "--config", configuration)
        _, one, _ = poller("status", "clicks", "--json", "--config", configuration)
    assert [mapping["name"] for mapping in json.loads(everything)["mappings"]] == ["orders", "clicks"]
    assert [mapping["name"] for mapping in json.loads(one)["mappings"]] == ["clicks"]
    assert json.loads(everything)["version"] == "1.2.3"


def test_status_of_a_mapping_that_is_not_there_ends_with_1_and_names_those_that_are(poller, tmp_path):
    with a_running_daemon(tmp_path, a_mapping()) as configuration:
        code, out, err = poller("status", "order", "--config", configuration)
    assert (code, out) == (1, "")
    assert "has no mapping order; it has: orders" in err


def test_watching_ends_with_1_when_the_daemon_is_gone(poller, tmp_path, monkeypatch):
    with a_running_daemon(tmp_path, a_mapping()) as configuration:
        pass
    code, _, err = poller("status", "--watch", "--json", "--config", configuration)
    assert code == 1
    assert err.startswith("poller: no poller answers at unix:")


def test_watching_goes_on_until_interrupted_and_ends_with_0(tmp_path):
    with a_running_daemon(tmp_path, a_mapping()) as configuration:
        command = [*AS_MODULE, "status", "--watch", "--json", "--config", configuration]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=CHECKOUT
        ) as ended:
            seen = [json.loads(present(ended.stdout).readline())["mappings"][0]["name"] for _ in range(2)]
            ended.send_signal(signal.SIGINT)
            assert (ended.wait(30), present(ended.stderr).read()) == (0, "")
    assert seen == ["orders", "orders"]


def test_an_interrupt_that_python_forgets_ends_watching_all_the_same(monkeypatch):
    forgotten: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", forgotten.append)

    class Interrupted:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    before, turns = signal.getsignal(signal.SIGINT), 0
    with until_interrupted() as goes_on:
        while goes_on():
            turns += 1
            Interrupted()
    assert (turns, [one.exc_type for one in forgotten]) == (1, [KeyboardInterrupt])
    with until_interrupted():
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the block has ended")
    assert signal.getsignal(signal.SIGINT) is before


def test_health_ends_with_0_or_1(poller, tmp_path):
    with a_running_daemon(tmp_path, a_mapping()) as configuration:
        assert poller("health", "--config", configuration) == (0, "healthy\n", "")
        assert poller("health", "--api", f"unix:{tmp_path}/api.sock") == (0, "healthy\n", "")
    with a_running_daemon(tmp_path, died=["orders"]) as configuration:
        assert poller("health", "--config", configuration) == (1, "unhealthy\n", "")
    code, out, err = poller("health", "--config", configuration)
    assert (code, out) == (1, "")
    assert "is it running" in err


def test_a_time_that_a_reason_says_is_not_said_a_second_time():
    moment = "2026-09-01T10:00:30+00:00"
    now = datetime.fromisoformat(moment)
    reason = {
        "since": None,
        "until": None,
        "next_try_at": moment,
        "text": f"visible again at {clock(moment, now)}; why",
    }
    assert times(reason, now) == ""
    assert times({**reason, "text": "why"}, now) == f" (next try at {clock(moment, now)})"


def test_messages_that_are_hidden_are_no_part_of_those_that_wait_and_not_passed_over():
    lag = {"records": 0, "hidden": 1, "seconds": None, "drained_in_seconds": None, "expires_in_seconds": None}
    assert lag_in_words(lag) == "0 records, 1 received and not deleted"
    assert lag_in_words({**lag, "hidden": 0, "seconds": 0.0}) == "0 records, 0 s"
