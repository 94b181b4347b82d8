"""EventBridge: a rule sends the event itself, to a queue as to a function."""

from poller.sources.sqs.envelopes.envelope import Content, EnvelopeKind, as_it_is


def _knows(content: Content) -> bool:
    return content.holds_texts("detail-type", "source", "account", "time") and content.member("detail") is not None


EVENTBRIDGE = EnvelopeKind("an EventBridge event", _knows, as_it_is)
