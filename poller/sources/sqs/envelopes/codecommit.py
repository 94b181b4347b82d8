"""CodeCommit: a repository's trigger sends the same event to a topic as to a function."""

from poller.sources.sqs.envelopes.envelope import Content, EnvelopeKind, as_it_is


def _knows(content: Content) -> bool:
    return content.records_of("aws:codecommit")


CODECOMMIT = EnvelopeKind("a CodeCommit trigger's event", _knows, as_it_is)
