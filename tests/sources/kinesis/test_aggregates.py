"""Aggregates are taken apart into exactly what was packed; what is none, or a broken one, is handed over whole."""

import base64
import json
from pathlib import Path

import pytest
from aws_kinesis_agg.aggregator import RecordAggregator
from hypothesis import given
from hypothesis import strategies as st

from poller.sources.kinesis.aggregates import PLACE, taken_apart, unpacked
from tests.fakes.streams.aggregates import MAGIC, aggregate, sealed

SAMPLES = json.loads((Path(__file__).parent / "samples" / "aggregates.json").read_bytes())
"""Written by the aggregator of awslabs/kinesis-aggregation for Python, with what went into each."""
RECORDS = st.lists(
    st.tuples(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300), st.binary(max_size=300)),
    min_size=1,
    max_size=200,
)


def item(data, number="49", key="outer"):
    return {
        "SequenceNumber": number,
        "ApproximateArrivalTimestamp": 1760000000.5,
        "Data": base64.b64encode(data).decode(),
        "PartitionKey": key,
    }


@pytest.mark.parametrize("name", SAMPLES)
def test_what_the_aggregation_library_packed_is_taken_apart(name):
    sample = SAMPLES[name]
    [*found] = taken_apart([item(base64.b64decode(sample["Data"]))])
    assert [[one["PartitionKey"], base64.b64decode(one["Data"]).decode()] for one in found] == sample["Records"]


@given(RECORDS, st.sampled_from([None, "0", str(2**128 - 1)]))
def test_what_protobuf_encoded_is_taken_apart_whatever_it_is(records, hash_key):
    assert unpacked(aggregate(records, hash_key=hash_key)) == records


@given(RECORDS)
def test_what_the_library_packs_is_taken_apart_whatever_it_is(records):
    aggregator = RecordAggregator()
    for key, data in records:
        assert aggregator.add_user_record(key, data) is None
    _, _, packed = aggregator.clear_and_get().get_contents()
    assert unpacked(packed) == records


def test_inner_records_share_number_and_arrival_and_only_the_last_is_at_the_number_itself():
    data = aggregate([("a", b"1"), ("b", b"2"), ("a", b"3")])
    found = taken_apart([item(b"plain", "48"), item(data, "49"), item(b"plain", "50")])
    assert [one["SequenceNumber"] for one in found] == ["48", "49", "49", "49", "50"]
    assert [one.get(PLACE) for one in found] == [None, "49:0", "49:1", None, None]
    assert {one["ApproximateArrivalTimestamp"] for one in found} == {1760000000.5}


def test_a_page_without_aggregates_is_left_as_it_is():
    items = [item(b"plain"), item(MAGIC[:3])]
    assert taken_apart(items) is items


@given(st.data())
def test_a_broken_aggregate_is_handed_over_whole(data):
    good = aggregate([("key", b"data"), ("key", b"more")])
    at = data.draw(st.integers(0, len(good) - 1))
    broken = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    cut = good[: data.draw(st.integers(0, len(good) - 1))]
    assert list(taken_apart([item(broken), item(cut)])) == [item(broken), item(cut)]


@given(st.binary(max_size=100))
def test_an_aggregate_with_a_right_digest_and_any_message_is_taken_apart_or_whole_and_never_an_error(message):
    found = taken_apart([item(sealed(message))])
    try:
        inner = unpacked(sealed(message))
    except (ValueError, IndexError):
        inner = []
    if inner:
        assert [(one["PartitionKey"], base64.b64decode(one["Data"])) for one in found] == inner
        assert [one.get(PLACE) for one in found] == [*(f"49:{index}" for index in range(len(inner) - 1)), None]
    else:
        assert found == [item(sealed(message))]


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x0a\x01a",
        b"\x1a\x03\x1a\x01x",
        b"\x0a\x01a\x1a\x02\x08\x00",
        b"\x1a\x05\x08\x00\x1a\x01x",
        b"\x0a\x01a\x1a\x05\x08\x01\x1a\x01x",
        b"\x0a\x01\xff\x1a\x05\x08\x00\x1a\x01x",
        b"\x0a\x01a\x1a\x04\x08\x00\x1a\x05",
        b"\x0a\x01a\x1a\x05\x08\x00\x1a\x01x\x0b",
        b"\x0a" + b"\xff" * 11,
        b"\x0a\x01a\x1a",
    ],
    ids=[
        "nothing",
        "keys alone",
        "a record without key",
        "a record without data",
        "no table of keys",
        "an index beyond the table",
        "a key that is no text",
        "data beyond its record",
        "a group",
        "a length without end",
        "a field without length",
    ],
)
def test_a_message_that_is_no_aggregate_s_is_handed_over_whole(message):
    assert list(taken_apart([item(sealed(message))])) == [item(sealed(message))]


def test_fields_that_are_not_known_are_passed_over():
    known = b"\x0a\x01a\x1a\x05\x08\x00\x1a\x01x"
    unknown = b"\x28\x96\x01" + b"\x31" + bytes(8) + b"\x3d" + bytes(4) + b"\xa2\x06\x02hi"
    assert unpacked(sealed(unknown + known)) == [("a", b"x")]
