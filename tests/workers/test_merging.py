"""What several workers show, as one daemon would: sums of records, the worst of states, each shard once."""

from typing import Any

from poller.ports.shadow import ShadowStatus
from poller.ports.status import Lag, MappingState, Reason, ReasonCode
from poller.workers import merging
from poller.workers.departed import Departed
from tests.daemon.samples import STARTED_AT, Running, a_daemon, a_lane, a_mapping, render, with_lanes


def shown(*mappings):
    """As a worker with these mappings answers."""
    return render(a_daemon(*mappings), 100.0, STARTED_AT)


def counted(**counts):
    mapping = a_mapping()
    for name, count in counts.items():
        setattr(mapping.account, name, count)
    return mapping


def merged(*mappings):
    (found,) = merging.status([shown(one) for one in mappings])["mappings"]
    return found


def test_records_are_summed_and_the_account_still_balances():
    one, other = counted(polled=10, delivered=7, returned=3), counted(polled=5, delivered=5)
    found = merged(one, other)
    assert (found["counters"]["polled"], found["counters"]["delivered"], found["unaccounted"]) == (15, 12, 0)


def test_the_state_is_that_of_the_worker_that_is_worst_off_with_its_reason():
    well = a_mapping()
    ill = a_mapping(state=MappingState.PROBLEM, reason=Reason(ReasonCode.ACCESS_DENIED, "no"))
    for order in ((well, ill), (ill, well)):
        found = merged(*order)
        assert (found["state"], found["reason"]["code"]) == ("problem", "access_denied")


def test_a_worker_that_leaves_the_queue_to_another_is_not_what_is_told():
    rests = a_mapping(reason=Reason(ReasonCode.NOT_MINE, "another"))
    for code in (ReasonCode.INVOKING, ReasonCode.NO_DATA):
        works = with_lanes(a_lane(code))
        for order in ((rests, works), (works, rests)):
            assert merged(*order)["reason"]["code"] == code


def test_a_queue_has_the_lanes_of_all_workers_and_the_greatest_lag():
    one, other = (with_lanes(a_lane(ReasonCode.INVOKING)) for _ in range(2))
    one.run = Running(lag=lambda: Lag(records=3, seconds=1.0, expires_in_seconds=50.0))
    other.run = Running(lag=lambda: Lag(records=7, seconds=None, expires_in_seconds=40.0))
    found = merged(one, other)
    (partition,) = found["partitions"]
    assert len(partition["lanes"]) == 2
    assert (found["lag"]["records"], found["lag"]["seconds"], found["lag"]["expires_in_seconds"]) == (7, 1.0, 40.0)


def test_a_shard_is_shown_as_the_worker_that_reads_it_does():
    reads, leaves = with_lanes(a_lane(ReasonCode.INVOKING)), with_lanes()
    leaves.partitions[0].reason = Reason(ReasonCode.NOT_MINE)
    for order in ((reads, leaves), (leaves, reads)):
        (partition,) = merged(*order)["partitions"]
        assert (partition["reason"]["code"], len(partition["lanes"])) == ("invoking", 1)


def test_a_mapping_of_one_worker_is_shown_as_it_is_and_the_order_stays():
    first, second = a_mapping("a", uuid="1"), a_mapping("b", uuid="2")
    whole = merging.status([shown(first), shown(first, second)])
    assert [one["name"] for one in whole["mappings"]] == ["a", "b"]


def test_a_reload_tells_each_name_once():
    answers = [
        {"state": "reloaded", "added": ["a"], "changed": [], "removed": [], "warnings": ["w"], "unchanged": number}
        for number in (1, 2)
    ]
    whole = merging.reloads(answers)
    assert (whole["added"], whole["warnings"], whole["unchanged"]) == (["a"], ["w"], 2)


def test_copies_for_a_shadow_are_summed_and_a_failure_of_any_worker_is_told():
    failed = ShadowStatus("next", succeeded=1, failed=1, last_failure="KeyError")
    found = merged(a_mapping(shadow=ShadowStatus("next", succeeded=2, left_out=3)), a_mapping(shadow=failed))
    assert found["shadow"] == {
        "function": "next",
        "counters": {"succeeded": 3, "failed": 1, "left_out": 3},
        "last_failure": "KeyError",
    }
    assert merged(a_mapping(), a_mapping())["shadow"] is None


def test_a_reason_stands_since_the_earliest_time_at_which_a_worker_had_it():
    early, late = (with_lanes(a_lane(ReasonCode.INVOKING, since)) for since in (40.0, 90.0))
    ill = with_lanes(a_lane(ReasonCode.NO_DATA, 10.0))
    for order in ((early, late, ill), (ill, late, early)):
        found = merged(*order)
        assert found["reason"]["since"] == merged(early)["reason"]["since"]
        (partition,) = found["partitions"]
        assert partition["reason"]["since"] == found["reason"]["since"]


def row(rates, **values):
    return {
        "uuid": "u",
        "state": "running",
        "reason": None,
        "lag": {"records": 1, "seconds": None, "expires_in_seconds": None},
        "rates": rates,
        **values,
    }


def test_the_pace_of_all_workers_is_summed_by_the_time_and_a_part_of_a_mapping_is_put_together_too():
    (found,) = merging.mappings([{"mappings": [row([1.0, 2.0, 3.0])]}, {"mappings": [row([10.0], state="problem")]}])
    assert (found["rates"], found["state"], found["lag"]["records"]) == ([1.0, 2.0, 13.0], "problem", 1)
    assert "partitions" not in found


def counts(departed, living, **polled):
    """What status shows, of processes that answer with so many records polled and one in flight."""
    documents = {
        name: {
            "mappings": [{"uuid": "u", "counters": {"polled": count, "returned": 0}, "invocations": {}, "in_flight": 1}]
        }
        for name, count in polled.items()
    }
    known = departed.note_status(documents)
    counters = {
        name: sum(one["mappings"][0]["counters"][name] for one in known.values()) for name in ("polled", "returned")
    }
    whole: dict[str, Any] = {
        "mappings": [{"uuid": "u", "counters": counters, "invocations": {}, "in_flight": len(known)}]
    }
    departed.add_to_status(whole, living, known)
    (found,) = whole["mappings"]
    return found["counters"]["polled"], found["counters"]["returned"], found["in_flight"]


def test_counters_never_fall_whichever_worker_is_silent_ends_or_answers_late():
    departed = Departed()
    assert counts(departed, {"a", "b"}, a=10, b=5) == (15, 0, 2)
    assert counts(departed, {"a", "b"}, b=6) == (16, 0, 2), "one that is silent counts as it was last"
    assert counts(departed, {"b"}, b=7) == (17, 1, 1), "what it had in flight has gone back"
    late = counts(departed, {"b"}, a=11, b=7)
    assert late == (17, 1, 1), "its answer was on the way when it was counted as ended"
    assert counts(departed, {"b", "c"}, b=7, c=1) == (18, 1, 2)


def test_what_stands_still_in_any_worker_is_counted_once_each():
    def part(**stuck):
        return {"uuid": "u", "state": "degraded", "reason": None, "stuck": stuck or None}

    one = part(shards=1, of=4, lanes=2, of_lanes=10, elsewhere=1, since="2026-01-01T00:00:09Z")
    other = part(shards=1, of=4, lanes=10, of_lanes=10, elsewhere=1, since=None)
    assert merging.mapping([one, other, part()])["stuck"] == {
        "shards": 2, "lanes": 12, "of_lanes": 20, "of": 4, "elsewhere": 1, "since": "2026-01-01T00:00:09Z",
    }  # fmt: skip
    assert merging.mapping([part(), part()])["stuck"] is None
