"""SES: the notification of a received mail, by a receipt rule's SNS action, as the rule's Lambda action would give it.

The content of the mail, which the SNS action adds, is left out: a function never gets it.
"""

from poller.sources.sqs.envelopes.envelope import Content, EnvelopeKind, written


def _received(content: Content) -> bool:
    return (
        content.member("notificationType") == "Received"
        and isinstance(content.member("mail"), dict)
        and isinstance(content.member("receipt"), dict)
    )


def _knows(content: Content) -> bool:
    return _received(content) or content.records_of("aws:ses")


def _event(content: Content, function_arn: str) -> str:
    if not _received(content):
        return content.text
    action = {"type": "Lambda", "functionArn": function_arn, "invocationType": "Event"}
    ses = {"mail": content.document["mail"], "receipt": content.document["receipt"] | {"action": action}}
    return written({"Records": [{"eventSource": "aws:ses", "eventVersion": "1.0", "ses": ses}]})


SES = EnvelopeKind("an SES notification of a received mail", _knows, _event)
