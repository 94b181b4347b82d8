"""The event a function sees, byte for byte; samples are pairs of files, a message as received and the event of it."""

import json
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.sources.sqs.event import bound_of, encoder, trace_of
from poller.sources.sqs.queue import QueueName
from poller.values.record import Record

SAMPLES = Path(__file__).parent / "events"
NAMES = sorted(path.name.removesuffix(".message.json") for path in SAMPLES.glob("*.message.json"))
NAME = QueueName("arn:aws:sqs:eu-west-1:123456789012:q", "https://example.com/123456789012/q", "eu-west-1", fifo=False)
encode = encoder(NAME)


def record(message):
    return Record(message, message["MessageId"])


def sample(name):
    message = json.loads((SAMPLES / f"{name}.message.json").read_text())
    return message, (SAMPLES / f"{name}.event.json").read_bytes().removesuffix(b"\n")


@pytest.mark.parametrize("name", NAMES)
def test_a_message_becomes_exactly_this_event(name):
    message, event = sample(name)
    assert encode([record(message)]) == event


def test_a_batch_holds_its_records_in_order():
    parts = [sample(name) for name in NAMES]
    bodies = [event.removeprefix(b'{"Records":[').removesuffix(b"]}") for _, event in parts]
    assert encode([record(message) for message, _ in parts]) == b'{"Records":[' + b",".join(bodies) + b"]}"


@pytest.mark.parametrize("letter", ["x", "é", "\U0001f980", '"', "\x01"])
def test_a_body_of_a_mebibyte_is_delivered_whole(letter):
    body = letter * (1_048_576 // len(letter.encode()))
    message = sample("plain")[0] | {"Body": body}
    event = json.loads(encode([record(message)]))
    assert event["Records"][0]["body"] == body


texts = st.text(max_size=200) | st.text(string.printable, max_size=200)
attributes = st.dictionaries(
    st.text(string.ascii_letters, min_size=1, max_size=10),
    st.fixed_dictionaries({"DataType": st.sampled_from(["String", "Number"]), "StringValue": texts}),
    max_size=10,
)


@given(st.lists(st.tuples(texts, attributes), min_size=1, max_size=10), st.data())
def test_no_choice_of_a_receives_messages_makes_more_bytes_than_its_bound(drawn, data):
    """However compactly the service writes its answer."""
    messages = []
    for number, (body, with_attributes) in enumerate(drawn):
        message = sample("plain")[0] | {"MessageId": str(number), "Body": body}
        if with_attributes:
            message |= {"MessageAttributes": with_attributes, "MD5OfMessageAttributes": "0" * 32}
        messages.append(message)
    text = json.dumps({"Messages": messages}, ensure_ascii=False, separators=(",", ":"))
    size = len(text.encode("utf-8", "backslashreplace"))
    chosen = data.draw(st.lists(st.sampled_from(messages), unique_by=lambda one: one["MessageId"]))
    assert len(encode([record(message) for message in chosen])) <= bound_of(size, len(messages), NAME)


TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([TRACE], TRACE),
        ([TRACE, TRACE], TRACE),
        ([TRACE, None], None),
        ([None, TRACE], None),
        ([TRACE, "Root=1-2"], None),
        ([None], None),
        (["a\r\nX-Admin: yes"], None),
        (["x" * 501], None),
    ],
)
def test_a_batch_belongs_to_a_trace_when_all_of_its_messages_do_and_it_fits_a_header(headers, expected):
    messages = [
        {"MessageId": str(number)} | ({"Attributes": {"AWSTraceHeader": header}} if header else {})
        for number, header in enumerate(headers)
    ]
    assert trace_of([record(message) for message in messages]) == expected
