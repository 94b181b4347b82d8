"""The values the hot path writes."""

import pytest

from poller.daemon.api import shown_reasons
from poller.ports.status import Account, LaneStatus, ReasonCode
from poller.values.histogram import DURATION_BOUNDS, Histogram

ENDINGS = ("filtered", "delivered", "destination", "dropped", "expired", "before_start", "returned")


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_way_out_balances_the_account(ending):
    account = Account(polled=10)
    setattr(account, ending, 7)
    assert account.unaccounted(3) == 0
    assert account.unaccounted(2) == 1, "a record nobody answers for shows"
    assert account.unaccounted(4) == -1, "so does one counted twice"


def test_what_is_not_an_ending_does_not_touch_the_balance():
    account = Account(polled=1, invoked=5, failed_invoke=4, deleted=1, delete_failed=2)
    assert account.unaccounted(1) == 0


def test_an_invocation_is_counted_by_outcome_size_and_time():
    account = Account()
    account.count_invocation("succeeded", records=10, seconds=0.004)
    account.count_invocation("succeeded", records=3, seconds=2.0)
    account.count_invocation("failed", records=1, seconds=0.5)
    assert account.invocations == {"succeeded": 2, "failed": 1}
    assert account.invoked == 14
    assert account.batch_size.total == 14
    assert sum(account.invocation_duration.buckets) == 3


@pytest.mark.parametrize(
    ("value", "bucket"), [(0.0, 0), (0.005, 0), (0.006, 1), (900.0, len(DURATION_BOUNDS) - 1), (901.0, -1)]
)
def test_a_bound_belongs_to_its_own_bucket(value, bucket):
    histogram = Histogram(DURATION_BOUNDS)
    histogram.observe(value)
    assert histogram.buckets[bucket] == 1


def test_a_new_step_replaces_everything_of_the_old_one():
    lane = LaneStatus()
    lane.enter(ReasonCode.THROTTLED, 10.0, until=20.0, text="429")
    lane.enter(ReasonCode.INVOKING, 20.0, deadline=80.0)
    assert (lane.code, lane.since, lane.until, lane.deadline, lane.text) == (ReasonCode.INVOKING, 20.0, None, 80.0, "")


def test_the_same_step_again_keeps_its_beginning_and_renews_its_deadline():
    lane = LaneStatus()
    lane.enter(ReasonCode.INVOKING, 10.0, deadline=40.0)
    lane.enter(ReasonCode.INVOKING, 30.0, deadline=60.0)
    assert (lane.since, lane.deadline) == (10.0, 60.0)


def test_every_reason_has_a_sentence_and_a_rank():
    assert set(shown_reasons.TEXTS) == set(shown_reasons.MOST_TELLING_FIRST) == set(ReasonCode)
