"""The status on a terminal: everything that matters is seen on 80 columns and 24 lines."""

from datetime import UTC, datetime, timedelta

import pytest
from rich.cells import cell_len

from poller.cli.screen import Rates, lines
from poller.ports.daemon_status import ConfigurationStatus
from poller.ports.status import Account, Lag, LastFailure, MappingState, Reason, ReasonCode
from tests.daemon.samples import STARTED_AT, a_daemon, a_lane, a_mapping, render, with_lanes

LONG = "the function cannot be invoked (unreachable: " + "connection refused by 10.0.0.1, " * 20 + "); it is probed"
NOW = datetime.fromtimestamp(STARTED_AT + 20, UTC)


def shown(*mappings, width=80, height=24, **values):
    status = render(a_daemon(*mappings, **values), 120.0, STARTED_AT + 20)
    return [text for text, _ in lines(status, Rates(), NOW, width, height)]


def named(name, **values):
    return with_lanes(a_lane(ReasonCode.NO_DATA), name=name, uuid=name, **values)


def failing(name, text=LONG):
    return a_mapping(
        name, uuid=name, state=MappingState.PROBLEM, reason=Reason(ReasonCode.UNREACHABLE, text, since=100.0)
    )


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("count", [0, 1, 4, 21, 22, 500])
def test_it_fits_the_screen_whatever_there_is_to_show(width, count):
    mappings = [
        failing(f"fail-{number}-größer-漢字漢字漢字") if number % 2 else named(f"m{number}") for number in range(count)
    ]
    text = shown(*mappings, width=width)
    assert len(text) <= 24
    assert all(cell_len(line) <= width for line in text)
    rest = [line for line in text if line.startswith("and ")]
    assert bool(rest) == (count > 22)


def test_the_fourth_mapping_is_seen_beside_three_with_reasons_over_nine_lines():
    text = shown(*(failing(f"broken-{number}") for number in range(3)), named("quiet"))
    assert sum(line.startswith("broken-") for line in text) == 3
    assert text[-1].startswith("quiet ")


def test_problems_come_first():
    degraded = with_lanes(a_lane(ReasonCode.CIRCUIT_OPEN), name="degraded", uuid="d")
    text = shown(
        named("a"), a_mapping("b", uuid="b", state=MappingState.PAUSED), degraded, failing("broken", "no route")
    )
    rows = [line.split()[0] for line in text[2:] if not line.startswith(" ")]
    assert rows == ["broken", "degraded", "a", "b"]
    assert "1 problem, 1 degraded, 1 running, 1 paused" in text[0]


def test_a_mapping_with_a_problem_says_why_since_when_and_its_last_error():
    mapping = with_lanes(
        a_lane(ReasonCode.RETRY, text="retry 7 of 20", since=110.0, next_try=130.0),
        last_failure=LastFailure(115.0, "function_error: KeyError: x"),
    )
    _, _, row, why, error = shown(mapping)
    assert row.split()[:2] == ["orders", "degraded"]
    assert why.startswith("    since ")
    assert ", next try at " in why
    assert why.endswith(": retry 7 of 20")
    assert "last error, " in error
    assert error.endswith(": function_error: KeyError: x")


def test_age_of_the_last_success_lag_and_what_is_in_flight_stand_in_the_line():
    mapping = named("orders", last_success=105.0, lag=lambda: Lag(records=1_204, seconds=3.0), in_flight=lambda: 17)
    row = shown(mapping)[2].split()
    assert row == ["orders", "running", "-", "-", "15", "s", "1,204", "17"]


async def test_a_note_is_said_though_the_mapping_runs_and_a_bug_s_nulls_are_no_harm():
    def broken():
        raise TypeError("no number")

    text = shown(named("orders", lag=broken))
    assert text[3] == "    note: the status of this mapping could not be told: TypeError: no number"


def test_a_refused_configuration_is_said_in_a_few_lines():
    refused = ConfigurationStatus(STARTED_AT, STARTED_AT, [f"poller.yaml:{number}: bad" for number in range(100)])
    text = shown(named("orders"), configuration=refused)
    assert "refused at" in text[1]
    assert text[2] == "  poller.yaml:0: bad"
    assert text[-1].startswith("orders ")


def test_rate_and_latency_are_those_of_the_last_seconds():
    account = Account()
    mapping, rates = named("orders", account=account), Rates()
    for second in range(31):
        status = render(a_daemon(mapping), 120.0 + second, STARTED_AT + second)
        rates.look(status["mappings"], float(second))
        if second < 20:
            account.delivered += 100
        else:
            account.delivered += 4
            account.count_invocation("succeeded", 4, 0.25)
    assert rates.of("orders") == (4.0, 0.25)
    text = [line for line, _ in lines(status, rates, NOW + timedelta(seconds=30), 80, 24)]
    assert text[2].split()[:5] == ["orders", "running", "4.0", "250", "ms"]


def test_another_process_does_not_make_a_rate_negative():
    mapping, rates = named("orders", account=Account(delivered=1000)), Rates()
    rates.look(render(a_daemon(mapping), 120.0, STARTED_AT)["mappings"], 0.0)
    mapping.account.delivered = 5
    rates.look(render(a_daemon(mapping), 121.0, STARTED_AT)["mappings"], 1.0)
    assert rates.of("orders") == (None, None)
