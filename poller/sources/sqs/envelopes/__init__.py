"""Envelopes: a queue's messages that carry another service's event, and the event Lambda would deliver for each.

`opener` is all that the source asks for. A new service is a module with its row, and a line in `KINDS`.
"""

from collections.abc import Callable, Mapping, Sequence

from poller.sources.sqs.envelopes.cloudformation import CLOUDFORMATION
from poller.sources.sqs.envelopes.cloudwatch_logs import CLOUDWATCH_LOGS
from poller.sources.sqs.envelopes.codecommit import CODECOMMIT
from poller.sources.sqs.envelopes.config import CONFIG
from poller.sources.sqs.envelopes.envelope import Content, EnvelopeKind, NoEnvelope, read
from poller.sources.sqs.envelopes.eventbridge import EVENTBRIDGE
from poller.sources.sqs.envelopes.s3 import S3
from poller.sources.sqs.envelopes.ses import SES
from poller.sources.sqs.envelopes.sns import SNS, notification
from poller.sources.sqs.parameters import ANY_ENVELOPE

KINDS: Mapping[str, EnvelopeKind] = {
    "sns": SNS,
    "s3": S3,
    "eventbridge": EVENTBRIDGE,
    "ses": SES,
    "cloudwatch_logs": CLOUDWATCH_LOGS,
    "codecommit": CODECOMMIT,
    "cloudformation": CLOUDFORMATION,
    "config": CONFIG,
}
"""By the value of `unwrap`. With `auto` the first that knows the message opens it, so SNS stands first."""

Open = Callable[[str], str | None]
"""The event in a message's body, as JSON text; None for a service's test message, for which Lambda delivers no event.
Raises NoEnvelope."""


def opener(which: str, function_arn: str) -> Open:
    """Opens bodies as `unwrap` says. `function_arn` is for events that name their function."""
    if which == ANY_ENVELOPE:
        kinds = [*KINDS.values()]
        return lambda body: _first(read(body), kinds, function_arn)
    kind = KINDS[which]
    if kind is SNS:
        return lambda body: kind.open(read(body), function_arn)
    return lambda body: kind.open(_within_notification(read(body)), function_arn)


def _within_notification(content: Content) -> Content:
    """What a topic in between has carried: the service publishes to the topic, and the queue is subscribed to it."""
    found = notification(content)
    return content if found is None else read(found["Message"])


def _first(content: Content, kinds: Sequence[EnvelopeKind], function_arn: str) -> str | None:
    for kind in kinds:
        if kind.knows(content):
            return kind.open(content, function_arn)
    names = ", ".join(kind.title for kind in kinds)
    raise NoEnvelope("unknown", f"the body is none of these: {names}")
