"""What a person is told beside the reason, before it hurts."""

import pytest

from poller.daemon.api.notes import notes, span
from poller.ports.status import Account, Lag, MappingState, PartitionStatus, ReasonCode
from tests.daemon.samples import a_lane, a_mapping


def codes(mapping, **lag) -> list[str]:
    return [code for code, _ in notes(mapping, Lag(**lag))]


def test_a_healthy_mapping_has_none():
    assert codes(a_mapping(account=Account(polled=10, filtered=5)), seconds=1.0, expires_in_seconds=340_000.0) == []


def test_a_filter_that_passes_nothing_is_asked_about():
    mapping = a_mapping(account=Account(polled=900, filtered=890, delivered=10))
    mapping.sample(0.0)
    mapping.account.polled += 4_999
    mapping.account.filtered += 4_999
    mapping.sample(20.0)
    ((code, text),) = notes(mapping, Lag())
    assert (code, "4,999" in text) == ("filter_passes_nothing", True)
    mapping.account.polled += 1
    mapping.sample(40.0)
    assert codes(mapping) == []


def test_data_that_will_expire_before_it_is_worked_off_is_told_of():
    mapping = a_mapping()
    ((code, text),) = notes(mapping, Lag(seconds=80_000.0, expires_in_seconds=6_400.0))
    assert (code, "before it is delivered" in text) == ("data_expires", True)


def test_a_short_retention_is_no_reason_for_a_note_by_itself():
    assert codes(a_mapping(), seconds=60.0, expires_in_seconds=3_540.0, retention=3_600.0) == []
    assert codes(a_mapping(), seconds=2_800.0, expires_in_seconds=800.0, retention=3_600.0) == ["data_expires"]


def test_data_that_will_be_worked_off_in_time_is_told_of_without_alarm():
    lag = Lag(seconds=80_000.0, expires_in_seconds=6_400.0)
    mapping = a_mapping(lag=lambda: lag)
    mapping.sample(0.0)
    lag = Lag(seconds=40_000.0, expires_in_seconds=6_400.0)
    mapping.sample(100.0)
    ((code, text),) = notes(mapping, lag)
    assert (code, text) == ("data_expires", "the oldest record not yet delivered expires at the source in 107 min")


def falling(*behind, done, lanes):
    """A stream's mapping that was so far behind every 100 s, and is done with so many records in each."""
    at = 0
    mapping = a_mapping(
        partitions=[PartitionStatus("0", lanes=[a_lane(ReasonCode.INVOKING)] * lanes)],
        lag=lambda: Lag(seconds=behind[at], expires_in_seconds=86_400.0 - behind[at], retention=86_400.0),
    )
    for number in range(len(behind)):
        at = number
        mapping.account.delivered = done * number
        mapping.sample(100.0 * number)
    return mapping


def test_what_falls_behind_is_told_when_it_loses_data_and_what_would_save_it():
    mapping = falling(70_000.0, 70_050.0, 70_100.0, done=1000, lanes=4)
    text = dict(notes(mapping, mapping.lag()))["falls_behind"]
    assert text.startswith(
        "falls behind: at the present pace records are lost in 9 h; it needs 8 lanes (it has 4), or "
    )
    assert text.endswith(", or 200 ms a record (now 400 ms)")
    assert notes(falling(100.0, 150.0, done=1000, lanes=4), Lag()) == [], "the loss is days ahead"
    assert notes(falling(70_000.0, 69_000.0, done=1000, lanes=4), Lag()) == []


def test_what_stands_still_is_not_told_to_have_more_lanes():
    mapping = falling(60_000.0, 60_100.0, done=0, lanes=1)
    ((_, text),) = notes(mapping, mapping.lag())
    assert text.endswith(
        "; the oldest one is not done with, whatever else is, so more lanes would not help: see why it waits"
    )


def behind(*, shards=("0",), records=None, **lag):
    """A mapping whose lag can be changed, for the fields of `Lag` in a dictionary."""
    lag = {"seconds": 0.0, "records": records, "expires_in_seconds": 3600.0} | lag
    lanes = [a_lane(ReasonCode.INVOKING)]
    partitions = [PartitionStatus(shard, lanes=lanes) for shard in shards]
    return a_mapping(partitions=partitions, lag=lambda: Lag(**lag)), lag


@pytest.mark.parametrize("step", ["jump", "other shards", "rest", "measure"])
def test_a_lag_that_is_another_one_begins_its_trend_anew(step):
    mapping, lag = behind()
    mapping.sample(0.0)
    mapping.sample(20.0)
    if step == "jump":
        lag["seconds"] = 1800.0
    elif step == "other shards":
        lag["seconds"] = 30.0
        mapping.partitions.append(PartitionStatus("1"))
    elif step == "rest":
        lag["seconds"] = 30.0
        run = mapping.run
        mapping.rest(MappingState.STARTING, None)
        mapping.partitions.append(PartitionStatus("0"))
        mapping.state, mapping.run = MappingState.RUNNING, run
    else:
        lag["records"] = 1_000_000
    mapping.sample(40.0)
    assert (mapping.trend.growth, mapping.rescue().lost_in) == (None, None)
    assert notes(mapping, Lag()) == []
    assert mapping.rescue().lanes == sum(len(partition.lanes) for partition in mapping.partitions)


def test_a_lag_that_grows_in_the_same_shards_goes_on():
    mapping, lag = behind(shards=("0", "1"))
    mapping.sample(0.0)
    lag["seconds"] = 10.0
    mapping.sample(20.0)
    assert mapping.rescue().lost_in == 7200.0


def test_credentials_that_end_are_told_of():
    ((code, text),) = notes(a_mapping(credentials_end_in=lambda: 180.0), Lag())
    assert (code, "3 min" in text) == ("credentials_expire", True)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (172_800, "2 days")]
)
def test_spans_are_told_as_people_say_them(seconds, text):
    assert span(seconds) == text
