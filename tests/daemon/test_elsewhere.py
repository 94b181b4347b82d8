"""What waits on other members of the fleet, as `/status` and the page show it beside what waits here."""

from dataclasses import replace
from typing import Any

import pytest

from poller.daemon.api.isolation import Isolation
from poller.daemon.api.page import one
from poller.daemon.api.page.parts import row, whole
from poller.daemon.notify import summary
from poller.policy.advice import with_advice
from poller.policy.impacts import Batch
from poller.policy.waiting import Waiting
from poller.ports.elsewhere import Elsewhere
from poller.ports.status import Lag, MappingState, PartitionStatus, Reason, ReasonCode
from poller.workers import merging
from tests.daemon.samples import STARTED_AT, a_daemon, a_lane, a_mapping, render

NOW, AHEAD = 120.0, 1000.0
BATCH = Batch("shard-1", 0, 3, "100", "102", "attempt 2 of 5", discards=True, awaiting=False, seconds=None)
WAITS = Waiting(BATCH, "retry", "attempt 2 of 5: boom", 110.0, 150.0, (("bad", 2), ("good", 1)), ("failed", "retry"))
TOLD = with_advice("attempt 2 of 5: boom", "failed", "retry")
NOT_MINE = Reason(ReasonCode.NOT_MINE, "read by b")


def on(name: str, *waiting: Waiting, more: int = 0, until: float = AHEAD) -> Elsewhere:
    return Elsewhere(f"id of {name}", name, until, [*waiting], more)


def stream(*elsewhere: Elsewhere, **given: Any) -> Any:
    """Of two shards, of which one is read here."""
    shards = [PartitionStatus("shard-0", lanes=[a_lane(ReasonCode.NO_DATA)])]
    waiting = [PartitionStatus("shard-1", reason=NOT_MINE)]
    return a_mapping(**{"partitions": shards, "waiting": waiting, "elsewhere": elsewhere, "seeks": True, **given})


def shown(mapping: Any) -> Any:
    (found,) = render(a_daemon(mapping), NOW, STARTED_AT + 20)["mappings"]
    return found


def screen(mapping: Any) -> str:
    found = whole(mapping, [], Isolation(), NOW, STARTED_AT + 20)
    return "".join(markup for _, markup in one.batches(found, steers=True, hands_over=True))


def test_a_shard_is_shown_with_the_batch_that_is_stuck_on_its_member() -> None:
    found = shown(stream(on("b", WAITS)))
    here, there = found["partitions"]
    times = {
        "causes": ["failed", "retry"],
        "since": "2026-01-01T00:00:10.000Z",
        "until": None,
        "next_try_at": "2026-01-01T00:00:50.000Z",
    }
    assert here["elsewhere"] == []
    assert there["reason"] == {"code": "not_mine", "text": f"read by b: {TOLD}", **times}
    assert there["elsewhere"] == [
        {
            "member": "b",
            "lane": 0,
            "first": "100",
            "last": "102",
            "records": 3,
            "tried": "attempt 2 of 5",
            "discards": True,
            "awaits_destination": False,
            "keys": [["bad", 2], ["good", 1]],
            "behind_seconds": None,
            "expires_in_seconds": None,
            "reason": {"code": "retry", "text": TOLD, **times},
        }
    ]
    assert (found["state"], found["reason"]) == (
        "degraded",
        {"code": "retry", "text": f"on b: {TOLD}", **times},
    )
    assert row(stream(on("b", WAITS)), [], Isolation(), NOW, STARTED_AT - 100)["state"] == "degraded"


def test_the_notes_say_how_many_wait_on_each_member() -> None:
    many = [replace(WAITS, batch=replace(BATCH, partition=f"shard-{number}")) for number in range(1, 5)]
    found = shown(stream(on("b", WAITS), on("c", *many), on("d", WAITS, more=1999), on("e", more=1), on("f")))
    assert {note["code"] for note in found["notes"]} == {"waits_elsewhere"}
    assert [note["text"] for note in found["notes"]] == [
        "1 batch waits for another try on b: shard-1",
        "4 batches wait for another try on c: shard-1, shard-2, shard-3, …",
        "2,000 batches wait for another try on d: shard-1, …",
        "1 batch waits for another try on e",
    ]


OLD = replace(WAITS, oldest=NOW - 82_800.0, expires=NOW + 3600.0)
"""23 h old, in a stream that keeps its records for a day."""
LOST = "falls behind: records of shard-1 on b are lost in 60 min, because a batch waits there; "


def of_a_day(seconds: float | None, **given: Any) -> Lag:
    left = None if seconds is None else 86_400.0 - seconds
    return Lag(seconds=seconds, expires_in_seconds=left, retention=86_400.0, **given)


@pytest.mark.parametrize("own", [None, 0.0, 60.0])
def test_a_mapping_is_as_far_behind_as_its_worst_member(own: float | None) -> None:
    mapping = stream(on("b", replace(OLD, oldest=NOW - 5.0), OLD), on("c", WAITS), lag=lambda: of_a_day(own))
    mapping.sample(NOW - 40)
    found = shown(mapping)
    assert (found["lag"]["seconds"], found["lag"]["expires_in_seconds"]) == (82_800.0, 3600.0)
    assert found["lag"]["drained_in_seconds"] is None, "what stands still is not drained"
    assert found["notes"][0]["text"] == (
        "the oldest record not yet delivered expires at the source in 60 min, before it is delivered at the present rate"
    )
    assert found["notes"][1]["text"] == f"{LOST}more lanes would not help: see why it waits"
    here, there = found["partitions"]
    assert (here["behind_seconds"], there["behind_seconds"]) == (None, 82_800.0)
    assert [one["expires_in_seconds"] for one in there["elsewhere"]] == [3600.0, 3600.0, None]
    assert row(mapping, [], Isolation(), NOW, STARTED_AT)["lag"] == found["lag"]
    shards = dict(one.partitions(whole(mapping, [], Isolation(), NOW, STARTED_AT), steers=False))
    assert "23 h, expires in 60 min" in shards["p-shard-1"]
    assert "expires" not in shards["p-shard-0"]


def test_what_is_farther_behind_here_is_what_is_told() -> None:
    lag = of_a_day(85_000.0)
    found = shown(stream(on("b", OLD), lag=lambda: lag))
    assert (found["lag"]["seconds"], found["lag"]["expires_in_seconds"]) == (85_000.0, 1400.0)
    assert not [note for note in found["notes"] if note["code"] == "falls_behind"]


def test_what_is_lost_here_first_is_told_before_what_is_lost_there() -> None:
    seconds = 40_000.0
    mapping = stream(on("b", replace(OLD, expires=NOW + 46_350.0)), lag=lambda: of_a_day(seconds))
    mapping.sample(NOW - 40)
    seconds += 40
    mapping.sample(NOW)
    [note] = [note["text"] for note in shown(mapping)["notes"] if note["code"] == "falls_behind"]
    assert note.startswith("falls behind: records of shard-1 on b are lost in 13 h")
    mapping.elsewhere[0].waiting[0] = replace(OLD, expires=NOW + 46_370.0)
    [note] = [note["text"] for note in shown(mapping)["notes"] if note["code"] == "falls_behind"]
    assert note.startswith("falls behind: at the present pace records are lost in 13 h")


def test_a_member_that_does_not_say_when_it_expires_is_shown_as_far_behind_as_it_is() -> None:
    for lag, left in ((of_a_day(60.0), 3600.0), (Lag(seconds=60.0), None)):
        found = shown(stream(on("b", replace(OLD, expires=None)), lag=lambda lag=lag: lag))
        assert (found["lag"]["seconds"], found["lag"]["expires_in_seconds"]) == (82_800.0, left)


def test_the_messages_of_a_queue_are_drained_by_all_members() -> None:
    records = 100
    queue = a_mapping(elsewhere=[on("b", OLD)], lag=lambda: Lag(records=records, seconds=1.0))
    queue.sample(NOW - 40)
    records = 50
    queue.sample(NOW)
    found = shown(queue)
    assert (found["lag"]["seconds"], found["lag"]["drained_in_seconds"]) == (82_800.0, 40.0)
    assert not [note for note in found["notes"] if note["code"] == "falls_behind"]


def test_what_nobody_has_confirmed_for_a_lease_is_not_shown() -> None:
    found = shown(stream(on("b", WAITS, more=3, until=NOW)))
    assert (found["state"], found["notes"], found["partitions"][1]["reason"]["text"]) == ("running", [], "read by b")


def test_a_shard_that_came_here_is_not_shown_where_it_was() -> None:
    found = shown(stream(on("b", replace(WAITS, batch=replace(BATCH, partition="shard-0")))))
    assert [one["elsewhere"] for one in found["partitions"]] == [[], []]
    assert found["state"] == "running"


def test_a_queue_has_lanes_here_and_there() -> None:
    lanes = [a_lane(ReasonCode.INVOKING)]
    queue = a_mapping(partitions=[PartitionStatus("shard-1", lanes=lanes)], elsewhere=[on("b", WAITS)])
    (partition,) = shown(queue)["partitions"]
    assert partition["reason"]["code"] == "invoking"
    assert (len(partition["lanes"]), len(partition["elsewhere"])) == (1, 1)


def test_a_shard_that_is_not_known_here_yet_is_shown_too() -> None:
    partitions = shown(stream(on("b", WAITS), waiting=()))["partitions"]
    assert [(one["id"], one["reason"]["text"]) for one in partitions[1:]] == [("shard-1", f"read by b: {TOLD}")]


@pytest.mark.parametrize("own", [ReasonCode.ACCESS_DENIED, ReasonCode.DESTINATION, ReasonCode.RETRY])
def test_what_is_wrong_here_comes_before_what_is_no_worse_there(own: ReasonCode) -> None:
    mapping = stream(on("b", WAITS), reason=Reason(own, "here"))
    assert shown(mapping)["reason"]["text"] == "here"


def test_a_mapping_that_rests_here_stays_what_it_is() -> None:
    mapping = stream(on("b", WAITS), state=MappingState.PAUSED, reason=Reason(ReasonCode.PAUSED))
    assert shown(mapping)["state"] == "paused"


def test_a_reason_of_a_later_version_is_that_of_a_batch_that_waits() -> None:
    for code in ("from the future", "", "error", "not_mine"):
        [there] = shown(stream(on("b", replace(WAITS, code=code, text="", causes=()))))["partitions"][1]["elsewhere"]
        assert (there["reason"]["code"], there["reason"]["text"]) == (
            "retry",
            "the batch failed; it is tried again",
        )


def test_the_line_for_the_service_manager_is_of_this_daemon_alone() -> None:
    assert summary(a_daemon(stream(on("b", WAITS))), NOW) == "1 mapping: 1 running"


def test_the_page_offers_the_same_for_a_batch_elsewhere_as_for_one_here() -> None:
    text = screen(stream(on("b", WAITS), destination="arn:aws:sqs:eu-west-1:1:failed", looks=True))
    assert "of shard-1, lane 0 on b." in text
    for order in ("peek", "retry", "handover", "skip", "isolate"):
        assert f'data-order="{order}"' in text
    assert "Isolate bad (2 of 3)" in text
    assert "&quot;partition&quot;: &quot;shard-1&quot;, &quot;lane&quot;: 0, &quot;first&quot;: &quot;100&quot;" in text
    # the mapping's reason says it already
    assert "boom" not in text
    assert "boom" in screen(stream(on("b", WAITS), reason=Reason(ReasonCode.DESTINATION, "no")))


def test_batches_of_one_number_on_two_members_are_two_cards() -> None:
    found = whole(stream(on("b", WAITS), on("c", WAITS)), [], Isolation(), NOW, STARTED_AT + 20)
    assert [key for key, _ in one.batches(found, steers=False, hands_over=False)] == ["b-shard-1-0", "b-shard-1-0-2"]


def test_the_page_lists_shards_that_are_well_elsewhere_behind_those_that_wait() -> None:
    waiting = [PartitionStatus(f"shard-{number}", reason=NOT_MINE) for number in range(5)]
    found = whole(stream(on("b", WAITS), partitions=[], waiting=waiting), [], Isolation(), NOW, STARTED_AT + 20)
    names = [key for key, _ in one.partitions(found, steers=False)]
    assert names == ["p-shard-1", "p-shard-0", "p-shard-2", "p-shard-3", "p-shard-4"]


def test_several_workers_show_what_waits_on_another_daemon_once() -> None:
    first, second = stream(on("b", WAITS)), stream(on("b", WAITS))
    second.partitions, second.waiting = [], [PartitionStatus(f"shard-{n}", reason=NOT_MINE) for n in range(2)]
    (found,) = merging.status([render(a_daemon(one), NOW, STARTED_AT) for one in (first, second)])["mappings"]
    assert [(one["id"], len(one["elsewhere"])) for one in found["partitions"]] == [("shard-0", 0), ("shard-1", 1)]
    assert (found["state"], len(found["notes"])) == ("degraded", 1)


def test_a_shard_that_one_worker_reads_is_shown_as_that_one_does() -> None:
    """Another worker may not have heard yet that the shard came here."""
    reads = stream(partitions=[PartitionStatus("shard-1", lanes=[a_lane(ReasonCode.INVOKING)])], waiting=())
    late = stream(on("b", WAITS))
    for order in ((reads, late), (late, reads)):
        (found,) = merging.status([render(a_daemon(one), NOW, STARTED_AT) for one in order])["mappings"]
        [shard] = [one for one in found["partitions"] if one["id"] == "shard-1"]
        assert (shard["reason"]["code"], shard["elsewhere"]) == ("invoking", [])
