"""CloudFormation: the request of a custom resource whose ServiceToken is a topic, as a function would get it."""

from poller.sources.sqs.envelopes.envelope import Content, EnvelopeKind, as_it_is


def _knows(content: Content) -> bool:
    return content.member("RequestType") in ("Create", "Update", "Delete") and content.holds_texts(
        "ResponseURL", "StackId", "RequestId", "LogicalResourceId"
    )


CLOUDFORMATION = EnvelopeKind("the request of a CloudFormation custom resource", _knows, as_it_is)
