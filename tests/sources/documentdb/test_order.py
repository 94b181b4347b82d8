"""The order of changes beside their tokens: the same on each reading, and never backwards."""

import pytest
from bson.timestamp import Timestamp
from hypothesis import given
from hypothesis import strategies as some

from poller.policy.positions import place, token_of
from poller.sources.documentdb.order import BEGINNING, Order, cluster_time, order_of, resume_token, timestamp

TIMES = some.one_of(some.none(), some.integers(min_value=0, max_value=2**64 - 1))


@given(some.lists(some.one_of(TIMES, some.just("passed")), min_size=2), some.data())
def test_places_rise_and_are_the_same_when_reading_begins_again_anywhere(steps, data):
    def places(steps, order):
        for step in steps:
            order = order.passed() if step == "passed" else order.following(step)
            yield order

    found = list(places(steps, BEGINNING))
    assert found == sorted(set(found))
    numbers = [place(order.position({"_data": "8a"})) for order in found]
    assert numbers == sorted(set(numbers))
    begin = data.draw(some.integers(min_value=1, max_value=len(steps) - 1))
    stored = order_of(found[begin - 1].position({"_data": "8a"}))
    assert list(places(steps[begin:], stored)) == found[begin:]


@given(some.integers(min_value=0, max_value=2**64 - 1))
def test_a_cluster_time_survives_the_way_there_and_back(time):
    assert cluster_time(timestamp(time)) == time
    assert order_of(Order(time, 3, 7).position()) == Order(time, 3, 7)


@pytest.mark.parametrize(
    ("token", "text"),
    [
        ({"_data": "8263eeb6e7000000090100000009000041e1"}, "8263eeb6e7000000090100000009000041e1"),
        ({"_data": "a:b@c"}, None),
        ({"_data": b"\x01\x02"}, None),
        ({"_data": "82", "_typeBits": b"\x40"}, None),
        ({"ts": Timestamp(1, 2), "ns": "a.b"}, None),
    ],
)
def test_a_token_is_stored_as_events_show_it_or_whole(token, text):
    position = Order(5, 0, 0).position(token)
    assert resume_token(position) == token
    assert ":" not in position
    assert token_of(position) == (text or token_of(position))


def test_a_position_without_token_has_none():
    assert resume_token(Order(5, 0, 0).position()) is None


def test_a_damaged_token_is_told():
    with pytest.raises(ValueError, match="BSON"):
        resume_token("5@.AAAA")
