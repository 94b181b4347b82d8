"""What the screens say, without a browser."""

import re
from typing import Any

import pytest

from poller.daemon.api.isolation import Isolation
from poller.daemon.api.page import causes, forms, log, one, parts, words
from poller.policy.actions import Action
from poller.policy.advice import ADVICE, BY_BUTTON, TO_DO
from poller.policy.impacts import Batch
from poller.policy.redriving import Redriven
from poller.policy.waiting import Waiting
from poller.ports.elsewhere import Elsewhere
from poller.ports.status import LaneStatus, PartitionStatus, Reason, ReasonCode
from tests.daemon.samples import a_mapping


@pytest.mark.parametrize("cause", BY_BUTTON)
def test_who_has_buttons_is_sent_to_no_command(cause: str) -> None:
    found = {"text": f"it waits{TO_DO}words that the page does not take", "code": "retry", "causes": [cause]}
    assert words.to_do(found, steers=False) == ADVICE[cause]
    assert words.to_do(found, steers=True) == BY_BUTTON[cause]


@pytest.mark.parametrize(("code", "quiet"), [("no_data", True), ("throttled", False)])
def test_a_reason_of_ordinary_work_does_not_look_like_a_problem(code: str, quiet: bool) -> None:
    found = {"code": code, "text": "it waits", "since": None, "until": None, "next_try_at": None}
    assert ('<span class="quiet">it waits</span>' in words.reason(found)) == quiet


def test_a_reason_without_causes_is_advised_by_its_code_and_one_that_nobody_can_mend_is_not() -> None:
    assert words.to_do({"code": "paused", "causes": []}, steers=True) == BY_BUTTON["paused"]
    assert words.to_do({"code": "no_data", "causes": []}, steers=True) is None
    assert words.to_do(None, steers=True) is None


def test_a_traceback_keeps_its_lines_and_becomes_no_code() -> None:
    failure = {"at": "2026-01-01T00:00:00Z", "text": "", "request_id": "", "logs": ["Traceback", "\xa0\xa0<b>\x1b"]}
    group = {
        "error": "function_error",
        "template": "",
        "count": 1,
        "records": 1,
        "began": None,
        "members": ["a", "b"],
        "first": failure,
        "last": failure,
        "smallest": {"first_record": None},
    }
    mapping = {"uuid": "u", "name": "orders", "function": "ship", "groups": [group], "kept": []}
    shown = causes.failures({"mappings": [mapping]}, steers=True).inside("causes")
    assert "(ship) on a, b<" in shown
    assert "Traceback\n  &lt;b&gt;\\x1b</pre>" in shown


@pytest.mark.parametrize(("destination", "dropped"), [(None, True), ("arn:aws:sqs:us-east-1:1:failed", False)])
def test_a_key_is_isolated_also_where_nobody_hears_of_it(destination: str | None, dropped: bool) -> None:
    batch: dict[str, Any] = {
        "partition": "shard-0",
        "lane": 0,
        "text": "",
        "next_try_at": None,
        "first": "7",
        "last": "9",
        "records": 3,
        "discards": True,
        "awaits_destination": False,
        "keys": [("bad", 1)],
    }
    mapping = {
        "uuid": "u",
        "reason": None,
        "batches": [batch],
        "more_batches": 0,
        "partitions": [],
        "destination": destination,
        "looks": True,
        "seeks": True,
    }
    ((_, shown),) = one.batches(mapping, steers=True, hands_over=False)
    assert "Isolate bad (1 of 3)" in shown
    described = re.findall(r'aria-describedby="([^"]+)"', shown)
    assert len(described) == shown.count("<button type"), "every button says what it does"
    assert re.findall(r'<small id="([^"]+)"', shown) == [*dict.fromkeys(described)]
    drops = [one for one in re.findall(r"<button [^>]*>", shown) if '"danger"' in one]
    assert [("&quot;drop&quot;: true" in one) for one in drops] == [True] * (1 + dropped)
    isolating = shown.partition('data-order="isolate"')[2].partition("</button>")[0]
    assert ("drop" in isolating) == dropped


NUMBER = "49590338271490256608559692538361571095921575989136588898"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"from {NUMBER} to {NUMBER}:3.", "from [4959…8898] to [4959…8898]:3."),
        ("7@8263EEB6E7000000012B042C0100296E5A", "7@[8263…6E5A]"),
        ("shardId-00000001414562045508-2bac9cd2 of 4711", "shardId-00000001414562045508-2bac9cd2 of 4711"),
        (f"<{NUMBER}>", "&lt;[4959…8898]&gt;"),
    ],
)
def test_only_numbers_that_nobody_compares_digit_by_digit_are_short(text: str, said: str) -> None:
    shown = words.shortly(text)
    assert re.sub(r"<button [^>]*>(.*?)</button>", r"[\1]", shown) == said
    assert [f'data-copy="{whole}"' in shown for whole in words.LONG.findall(text)] == [True] * said.count("[")


def test_the_log_calls_an_order_as_its_button_does_and_says_that_a_redrive_runs() -> None:
    now = 1_767_225_600.0
    begun = Action("a1", now - 3600, "u", "clicks", "redrive_resume", "")
    runs = Redriven("r", "u", "clicks", "source", now - 7200, 10.0, 10, stored=now - 5)
    shown = log.table([begun], [runs], now)
    assert [text in shown for text in ("Resume the redrive", "the redrive is running", "daemon ended")] == [
        True,
        True,
        False,
    ]
    assert "Nothing was done by hand." in log.table([], [], now)


def test_the_way_back_says_of_which_seek_it_is() -> None:
    seek = Action("a1", 1_767_225_600.0, "u", "clicks", "seek", "", who="ann")
    shown = forms.undo({"uuid": "u"}, seek)
    assert 'data-order="undo"' in shown
    assert 'datetime="2026-01-01T00:00:00' in shown
    assert " by ann" in shown


def shard(name: str, text: str, code: str = "retry") -> dict[str, Any]:
    reason = {"code": code, "text": text, "since": None, "until": None, "next_try_at": None}
    return {"id": name, "position": None, "behind_seconds": None, "reason": reason, "lanes": [], "elsewhere": []}


def test_a_long_reason_of_many_shards_is_said_once() -> None:
    failed = "retry {} of 50, 1 record: function_error: KeyError: order {} has no customer, whoever asks"
    shards = [shard(f"shard-{number}", failed.format(number, 4711 + number)) for number in range(3)]
    shards.append(shard("shard-3", "the function is running", "invoking"))
    shards.append(shard("shard-4", "the function is running", "invoking"))
    mapping = {"uuid": "u", "partitions": shards, "looks": False, "seeks": True}
    rows = [re.sub("<[^>]*>", " ", row) for _, row in one.partitions(mapping, steers=False)]
    assert ["has no customer" in row for row in rows] == [True, False, False, False, False]
    assert [row.count("retry, as shard-0") for row in rows] == [0, 1, 1, 0, 0]
    assert [row.count("the function is running") for row in rows] == [0, 0, 0, 1, 1]


def stuck_lane(since: float) -> LaneStatus:
    lane = LaneStatus()
    lane.wait(ReasonCode.RETRY, since, since + 30.0, "retry 3 of 5")
    # it is being tried again, and has not passed yet
    lane.enter(ReasonCode.INVOKING, since + 30.0)
    return lane


def the_row(**values: Any) -> dict[str, Any]:
    return parts.row(a_mapping(**values), [], Isolation(), 200.0, 1_767_225_600.0)


def test_the_overview_says_in_words_what_stands_still_and_since_when() -> None:
    shards = [
        PartitionStatus("0", lanes=[stuck_lane(100.0)]),
        PartitionStatus("1", lanes=[LaneStatus(ReasonCode.NO_DATA)]),
        PartitionStatus("2", reason=Reason(ReasonCode.READ_AHEAD), lanes=[LaneStatus()]),
    ]
    waiting = [PartitionStatus("3", reason=Reason(ReasonCode.PARENT))]
    shown = the_row(seeks=True, partitions=shards, waiting=waiting)
    assert "stuck: 1 of 4 shards, <time" in (words.stuck(shown["stuck"]) or "")
    assert shown["stuck"]["since"] == "2026-01-01T00:01:40.000Z"
    shards[1].reason = Reason(ReasonCode.UNREADABLE_RECORD, since=50.0)
    assert the_row(seeks=True, partitions=shards)["stuck"] == {
        "shards": 2, "of": 3, "lanes": 2, "of_lanes": 2, "elsewhere": 0, "since": "2026-01-01T00:00:50.000Z",
    }  # fmt: skip
    assert the_row(seeks=True, partitions=shards[2:])["stuck"] is None
    batch = Batch("3", 0, 1, "7", "7", "retry 3 of 5", discards=True, awaiting=False, seconds=None)
    there = Elsewhere("id", "b", 300.0, [Waiting(batch, "retry", "no", 20.0)], 0)
    shown = the_row(seeks=True, partitions=shards[2:], waiting=waiting, elsewhere=[there])
    assert "stuck: 1 of 2 shards" in (words.stuck(shown["stuck"]) or "")
    assert words.stuck(None) is None


def test_a_queue_whose_messages_fail_holds_up_nothing() -> None:
    assert the_row(partitions=[PartitionStatus("0", lanes=[stuck_lane(100.0)])])["stuck"] is None
