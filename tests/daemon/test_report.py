"""The JSON of /status, to which users and tools bind."""

import json
from typing import Any

import pytest

from poller.daemon.api.shown_reasons import mapping_reason
from poller.policy.windows import Window
from poller.ports.daemon_status import ConfigurationStatus
from poller.ports.status import Account, Lag, LastFailure, MappingState, PartitionStatus, Reason, ReasonCode
from tests.daemon.samples import STARTED_AT, a_daemon, a_lane, a_mapping, render, with_lanes


def test_the_whole_shape():
    mapping = a_mapping(
        account=Account(polled=12, delivered=8, destination=1, deleted=8, invoked=9, failed_invoke=1),
        in_flight=lambda: 3,
        partitions=[
            PartitionStatus("0", lanes=[a_lane(ReasonCode.THROTTLED, since=110.5, next_try=140.0)]),
            PartitionStatus("1", "49", Window(int(STARTED_AT), int(STARTED_AT) + 60, records=7)),
        ],
        tags={"team": "shop"},
    )
    configuration = ConfigurationStatus(STARTED_AT, refused_at=STARTED_AT + 1, problems=["poller.yaml:3: state: …"])
    daemon = a_daemon(mapping, configuration=configuration, steps=[lambda: None, lambda: "the state file was removed"])
    assert render(daemon, now=120.0, wall=STARTED_AT + 20) == {
        "version": "1.2.3",
        "started_at": "2026-01-01T00:00:00.000Z",
        "unhealthy": ["the state file was removed"],
        "fleet": None,
        "configuration": {
            "loaded_at": "2026-01-01T00:00:00.000Z",
            "refused_at": "2026-01-01T00:00:01.000Z",
            "problems": ["poller.yaml:3: state: …"],
        },
        "mappings": [
            {
                "name": "orders",
                "uuid": "6f8a5c8e-0000-4000-8000-000000000001",
                "event_source_arn": "arn:aws:sqs:eu-west-1:123456789012:orders",
                "function": "thumbnails",
                "tags": {"team": "shop"},
                "state": "degraded",
                "reason": THROTTLED,
                "counters": {
                    "polled": 12,
                    "filtered": 0,
                    "delivered": 8,
                    "on_failure_destination_delivered": 1,
                    "dropped": 0,
                    "expired": 0,
                    "before_start": 0,
                    "returned": 0,
                    "invoked": 9,
                    "failed_invoke": 1,
                    "filtered_not_json": 0,
                    "not_unwrapped": 0,
                    "fenced": 0,
                    "deleted": 8,
                    "delete_failed": 0,
                },
                "in_flight": 3,
                "unaccounted": 0,
                "lag": {
                    "records": None,
                    "hidden": None,
                    "seconds": None,
                    "expires_in_seconds": None,
                    "drained_in_seconds": None,
                },
                "notes": [],
                "invocations": {"count": 0, "seconds": 0.0},
                "shadow": None,
                "last_result": None,
                "last_success_at": None,
                "last_failure": None,
                "partitions": [
                    {
                        "id": "0",
                        "position": None,
                        "window": None,
                        "behind_seconds": None,
                        "reason": THROTTLED,
                        "lanes": [THROTTLED],
                        "elsewhere": [],
                    },
                    {
                        "id": "1",
                        "position": "49",
                        "window": WINDOW,
                        "behind_seconds": None,
                        "reason": None,
                        "lanes": [],
                        "elsewhere": [],
                    },
                ],
            }
        ],
    }


WINDOW = {"start": "2026-01-01T00:00:00.000Z", "end": "2026-01-01T00:01:00.000Z", "records": 7}
THROTTLED: dict[str, Any] = {
    "code": "throttled",
    "text": "asked to slow down; tried again soon",
    "causes": [],
    "since": "2026-01-01T00:00:10.500Z",
    "until": None,
    "next_try_at": "2026-01-01T00:00:40.000Z",
}


@pytest.mark.parametrize(
    "code", ["circuit_open", "function_unavailable", "throttled", "destination", "retry", "function_failing"]
)
def test_a_mapping_whose_function_or_destination_refuses_or_fails_is_degraded(code):
    reason = Reason(ReasonCode(code), since=100.0)
    for mapping in (a_mapping(reason=reason), with_lanes(a_lane(reason.code), a_lane(ReasonCode.NO_DATA))):
        assert render(a_daemon(mapping), 120.0, STARTED_AT)["mappings"][0]["state"] == "degraded"
    stopping = a_mapping(state=MappingState.STOPPING, reason=reason)
    assert render(a_daemon(stopping), 120.0, STARTED_AT)["mappings"][0]["state"] == "stopping"


def test_a_try_that_is_due_has_no_next_one():
    (mapping,) = render(a_daemon(with_lanes(a_lane(ReasonCode.RETRY, next_try=119.0))), 120.0, STARTED_AT)["mappings"]
    assert mapping["reason"]["next_try_at"] is None


def test_a_source_that_owes_an_answer_is_no_idle_one():
    """A stopped process behind the endpoint takes connections and answers nothing, and used to read as no data."""
    lanes = [a_lane(ReasonCode.NO_DATA)]
    of_partition = a_mapping(partitions=[PartitionStatus("0", lanes=lanes, unanswered_since=lambda _now: 80.0)])
    of_listing = a_mapping("clicks", state=MappingState.STARTING, unanswered_since=lambda _now: 80.0)
    shown = render(a_daemon(of_partition, of_listing), 120.0, STARTED_AT + 20)["mappings"]
    assert [mapping["reason"]["text"] for mapping in shown] == ["no answer from the source for 40 s"] * 2
    assert [mapping["reason"]["code"] for mapping in shown] == ["unreachable"] * 2
    assert [mapping["reason"]["since"] for mapping in shown] == ["2025-12-31T23:59:40.000Z"] * 2
    assert [mapping["state"] for mapping in shown] == ["problem", "starting"]


def test_the_last_failure_is_shown_with_the_function_s_log():
    failure = LastFailure(10.0, "function_error: KeyError: x", "r-1", "START r-1")
    (mapping,) = render(a_daemon(a_mapping(last_failure=failure)), 20.0, 1767225620.0)["mappings"]
    assert mapping["last_failure"] == {
        "at": "2026-01-01T00:00:10.000Z",
        "text": "function_error: KeyError: x",
        "request_id": "r-1",
        "logs": "START r-1",
    }


def test_what_is_known_of_the_lag_is_shown():
    lag = Lag(records=5, seconds=1.5, expires_in_seconds=3600.0, hidden=2)
    (mapping,) = render(a_daemon(a_mapping(lag=lambda: lag)), 0, 0)["mappings"]
    assert mapping["lag"] == {
        "records": 5,
        "hidden": 2,
        "seconds": 1.5,
        "expires_in_seconds": 3600.0,
        "drained_in_seconds": None,
    }


def test_a_backlog_that_shrinks_tells_when_it_will_be_gone():
    records = 600
    mapping = a_mapping(lag=lambda: Lag(records=records))
    mapping.sample(0.0)
    records = 400
    mapping.sample(20.0)
    (shown,) = render(a_daemon(mapping), 20.0, 0)["mappings"]
    assert shown["lag"]["drained_in_seconds"] == 40.0


def test_a_partition_that_may_not_run_yet_is_shown_with_its_reason():
    waiting = PartitionStatus("child", reason=Reason(ReasonCode.PARENT, "waits for the end of parent"))
    (mapping,) = render(a_daemon(a_mapping(waiting=[waiting])), 0, 0)["mappings"]
    assert [(one["id"], one["reason"]["code"]) for one in mapping["partitions"]] == [("child", "parent")]


def test_an_open_batch_tells_how_long_it_has_been_open():
    lane = a_lane(ReasonCode.WINDOW, since=100.0, until=130.0)
    (mapping,) = render(a_daemon(with_lanes(lane)), 112.0, 0)["mappings"]
    assert mapping["reason"]["text"] == "a batch is open for 12 of 30 s"


def test_it_is_json_with_any_name():
    text = json.dumps(render(a_daemon(a_mapping("größer")), 0, 0))
    assert json.loads(text)["mappings"][0]["name"] == "größer"


@pytest.mark.parametrize(
    ("mapping", "code"),
    [
        (a_mapping(), None),
        (a_mapping(state=MappingState.DISABLED), ReasonCode.DISABLED),
        (with_lanes(a_lane(ReasonCode.NO_DATA), a_lane(ReasonCode.INVOKING)), ReasonCode.INVOKING),
        (with_lanes(a_lane(ReasonCode.INVOKING), a_lane(ReasonCode.THROTTLED)), ReasonCode.THROTTLED),
        (with_lanes(a_lane(ReasonCode.INVOKING), a_lane(ReasonCode.WAITING_FOR_SLOT)), ReasonCode.INVOKING),
        (
            with_lanes(a_lane(ReasonCode.ERROR), reason=Reason(ReasonCode.ACCESS_DENIED, "sqs:ReceiveMessage")),
            ReasonCode.ACCESS_DENIED,
        ),
        (
            a_mapping(partitions=[PartitionStatus("0", reason=Reason(ReasonCode.ERROR)), PartitionStatus("1")]),
            ReasonCode.ERROR,
        ),
    ],
)
def test_a_mapping_shows_the_most_telling_reason(mapping, code):
    reason = mapping_reason(mapping, 120.0)
    assert (reason and reason.code) == code


def test_a_text_of_its_own_replaces_the_usual_sentence():
    reason = Reason(ReasonCode.SOURCE_MISSING, "queue orders does not exist in eu-west-1")
    (mapping,) = render(a_daemon(a_mapping(reason=reason)), 0, 0)["mappings"]
    assert mapping["reason"]["text"] == "queue orders does not exist in eu-west-1"
