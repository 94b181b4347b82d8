"""Records for tests of the policy, and a measure that is the real encoder's."""

from poller.policy.batching import ENVELOPE_BYTES
from poller.sources.sqs.event import encoder
from poller.sources.sqs.queue import QueueName
from poller.values.record import Record

NAME = QueueName(
    "arn:aws:sqs:eu-west-1:123456789012:q",
    "https://sqs.eu-west-1.amazonaws.com/123456789012/q",
    "eu-west-1",
    fifo=False,
)
encode = encoder(NAME)


def measure(records):
    return len(encode(records))


def record(identifier, key=None, body=""):
    item = {"MessageId": str(identifier), "ReceiptHandle": "r", "Body": body, "MD5OfBody": "m", "Attributes": {}}
    return Record(item, str(identifier), key)


def records(count, key=None):
    return [record(number, key) for number in range(count)]


def identifiers(found):
    return [one.identifier for one in found]


def exact_bound(found):
    """The tightest bound a source could give."""
    return measure(found) - ENVELOPE_BYTES + 1 if found else 0
