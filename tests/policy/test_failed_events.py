import json
import random
import zlib
from base64 import b85encode
from dataclasses import replace

import pytest

from poller.policy.failed_events import MOST_UNPACKED, FailedEvent, event_id, packed, read, surplus, unpacked
from poller.policy.failures import Failure

EVENT = FailedEvent("a", 1.5, "u", "orders", "fn", "shard", "1", 2, "KeyError", "é", 100, 3)


def test_the_same_records_have_the_same_id_however_they_fail():
    failure = Failure("KeyError", "one", 2, 2, "1")
    assert event_id("u", failure, "s") == event_id("u", replace(failure, text="two", failed=1, request_id="r"), "s")
    others = [event_id("v", failure, "s"), event_id("u", failure, "t"), event_id("u", replace(failure, records=1), "s")]
    assert len({event_id("u", failure, "s"), event_id("u", replace(failure, first=None), "s"), *others}) == 5


def test_what_is_written_is_read_again():
    assert read("a", 1.5, EVENT.written()) == EVENT
    with pytest.raises(TypeError):
        read("a", 1.5, json.dumps({"uuid": "u"}))


def test_an_event_is_packed_as_text_and_unpacked():
    event = b'{"Records": []}' * 100
    assert unpacked(packed(event)) == event
    assert len(packed(event)) < 100
    assert packed(random.Random(1).randbytes(1000)).isascii()


@pytest.mark.parametrize(
    "text",
    [
        "not base 85 {}\x00",
        b85encode(b"not compressed").decode(),
        b85encode(zlib.compress(b"x" * 1000)[:-5]).decode(),
        b85encode(zlib.compress(b"x" * (MOST_UNPACKED + 1))).decode(),
    ],
)
def test_what_is_damaged_is_not_unpacked(text):
    with pytest.raises(ValueError, match=r"cut off|too large|incorrect|base85"):
        unpacked(text)


def test_the_latest_are_kept_within_both_bounds():
    events = [replace(EVENT, id=str(number)) for number in range(4)]
    assert surplus(events, 4, 400) == []
    assert surplus(events, 2, 400) == ["2", "3"]
    assert surplus(events, 4, 399) == ["3"]
    assert surplus(events, 0, 400) == ["0", "1", "2", "3"]
