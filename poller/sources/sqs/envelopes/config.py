"""AWS Config: the event of a custom rule, made of the notification that Config publishes to its topic.

A notification belongs to no rule. So the event has no rule's name, and its result token is TESTMODE, by which functions
know that no result is to be reported.
"""

from poller.sources.sqs.envelopes.envelope import Content, EnvelopeKind, written

_INVOKING = (
    "ConfigurationItemChangeNotification",
    "OversizedConfigurationItemChangeNotification",
    "ScheduledNotification",
)
"""The notifications for which Config invokes the function of a rule."""


def _is_event(content: Content) -> bool:
    return content.holds_texts("invokingEvent", "ruleParameters")


def _knows(content: Content) -> bool:
    return _is_event(content) or (content.member("messageType") in _INVOKING and content.holds_texts("recordVersion"))


def _event(content: Content, _function_arn: str) -> str:
    if _is_event(content):
        return content.text
    event = {
        "version": "1.0",
        "invokingEvent": content.text,
        "ruleParameters": "{}",
        "resultToken": "TESTMODE",
        "eventLeftScope": False,
    }
    if (account := _account(content)) is not None:
        event["accountId"] = account
    return written(event)


def _account(content: Content) -> str | None:
    for holder in (
        content.member("configurationItem"),
        content.member("configurationItemSummary"),
        content.document,
    ):
        account = holder.get("awsAccountId") if isinstance(holder, dict) else None
        if isinstance(account, str):
            return account
    return None


CONFIG = EnvelopeKind("an AWS Config notification", _knows, _event)
