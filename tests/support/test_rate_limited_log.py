"""Few lines for what repeats, and no fact left out."""

import asyncio
from typing import Any

from poller.support.rate_limited_log import RateLimitedLog
from tests.fakes.recording import EventLog


def now():
    return asyncio.get_running_loop().time()


def made():
    written: Any = EventLog()
    return RateLimitedLog(written), written.events


async def test_a_condition_that_repeats_has_its_first_line_at_once_and_one_every_ten_seconds():
    log, lines = made()
    for number in range(250):
        log.repeating("call_failed", now(), text=f"{number}")
        if not number:
            assert lines == [("call_failed", {"text": "0"})]
        await asyncio.sleep(0.1)
    await asyncio.sleep(30)
    assert lines[-1][1]["text"] == "249"
    assert len(lines) == 4
    assert sum(fields.get("repeated", 1) for _, fields in lines) == 250


async def test_one_shards_problem_does_not_hide_anothers():
    log, lines = made()
    for shard in ("a", "b", "c"):
        log.repeating("call_failed", now(), partition=shard, text=f"{shard} is throttled")
        log.repeating("call_failed", now(), action="sqs:DeleteMessage", text="denied")
    assert [fields["text"] for _, fields in lines] == ["a is throttled", "denied", "b is throttled", "c is throttled"]
    log.flush()
    assert lines[4:] == [("call_failed", {"action": "sqs:DeleteMessage", "text": "denied", "repeated": 2})]


async def test_messages_are_all_named_in_the_line_of_those_that_came_together():
    log, lines = made()
    for number in range(4):
        log.repeating("messages_not_deliverable", now(), text="no receipt handle", message_ids=[f"{number}"])
    log.flush()
    assert [fields["message_ids"] for _, fields in lines] == [["0"], ["1", "2", "3"]]


async def test_every_record_that_is_lost_is_within_a_range_that_is_logged_at_the_latest_at_the_end():
    log, lines = made()
    for number in range(40):
        first = 1000 + 100 * number
        for shard in ("a", "b"):
            log.lost(
                "batch_discarded",
                now(),
                partition=shard,
                first=f"{first}",
                last=f"{first + 99}",
                records=100,
                condition="RecordAgeExceeded",
            )
        await asyncio.sleep(0.3)
    log.flush()
    for shard in ("a", "b"):
        ranges = [fields for _, fields in lines if fields["partition"] == shard]
        assert sum(one["records"] for one in ranges) == 4000
        assert (ranges[0]["first"], ranges[0]["last"]) == ("1000", "1099")
        assert [int(one["first"]) for one in ranges[1:]] == [int(one["last"]) + 1 for one in ranges[:-1]]
        assert ranges[-1]["last"] == "4999"
        assert len(ranges) <= 3
        assert {one["condition"] for one in ranges} == {"RecordAgeExceeded"}


async def test_ranges_of_several_lanes_become_one_from_the_lowest_to_the_highest_and_conditions_stay_apart():
    log, lines = made()
    shard = {"partition": "a", "records": 1}
    log.lost("batch_discarded", now(), first="50", last="50", **shard, condition="x")
    for number in ("9", "70", "100"):
        log.lost("batch_discarded", now(), first=number, last=number, **shard, condition="x")
    log.lost("batch_discarded", now(), first=None, last=None, partition="a", records=0, condition="x")
    log.lost("batch_discarded", now(), first="3", last="3", **shard, condition="y")
    await asyncio.sleep(11)
    assert lines[1] == ("batch_discarded", {"first": "3", "last": "3", **shard, "condition": "y"})
    merged = {"partition": "a", "first": "9", "last": "100", "records": 3, "condition": "x", "repeated": 4}
    assert lines[2:] == [("batch_discarded", merged)]
    log.flush()
    assert len(lines) == 3
