"""SNS: a topic's notification, without raw message delivery. A function gets one notification an invocation."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from poller.sources.sqs.envelopes.envelope import Content, EnvelopeKind, written

_RENAMED = {"SigningCertURL": "SigningCertUrl", "UnsubscribeURL": "UnsubscribeUrl"}
"""Members of a notification that Lambda's event spells differently."""


def notification(content: Content) -> dict[str, Any] | None:
    """The members of a notification; None where it is none."""
    if content.member("Type") != "Notification" or not content.holds_texts("TopicArn", "Message"):
        return None
    found: dict[str, Any] = content.document
    return found


def _knows(content: Content) -> bool:
    return notification(content) is not None or content.records_of("aws:sns", "EventSource")


def _event(content: Content, _function_arn: str) -> str:
    found = notification(content)
    if found is None:
        return content.text
    sns = {name: found.get(name) for name in ("Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp")}
    sns |= {_RENAMED.get(name, name): value for name, value in found.items() if name not in sns}
    sns.setdefault("MessageAttributes", {})
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": _subscription(found.get("UnsubscribeURL")),
        "Sns": sns,
    }
    return written({"Records": [record]})


def _subscription(unsubscribe: object) -> str:
    """Only the address for leaving the topic names the subscription; empty where it does not."""
    try:
        query = parse_qs(urlsplit(unsubscribe).query) if isinstance(unsubscribe, str) else {}
    except ValueError:
        return ""
    return query.get("SubscriptionArn", [""])[0]


SNS = EnvelopeKind("an SNS notification", _knows, _event)
