"""S3: the event notification of a bucket, as the function of the bucket gets it."""

from poller.sources.sqs.envelopes.envelope import Content, EnvelopeKind

_TEST = "s3:TestEvent"
"""S3 sends it to a queue when notifications are set up. A function gets no such event."""


def _knows(content: Content) -> bool:
    return content.records_of("aws:s3") or _is_test(content)


def _is_test(content: Content) -> bool:
    return content.member("Event") == _TEST and content.holds_texts("Bucket")


def _event(content: Content, _function_arn: str) -> str | None:
    return None if _is_test(content) else content.text


S3 = EnvelopeKind("an S3 event notification", _knows, _event)
