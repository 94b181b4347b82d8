"""What becomes of an event that was invoked asynchronously: Lambda's rules for its retries, its age and its records.

invoked -> succeeded                                  -> told as Success
        -> failed, with retries and time left         -> queued again, for a minute, then for two
        -> failed otherwise                           -> told as RetriesExhausted or EventAgeExceeded
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from poller.policy.invocation_record import UNQUALIFIED, VERSION, iso_milliseconds
from poller.policy.response import Failed, Succeeded, TooLarge

MOST_RETRIES = 2
OLDEST_SECONDS = 21_600
"""Six hours."""
DELAYS = (60, 120)
"""Seconds before the first retry and the second."""

Condition = Literal["Success", "RetriesExhausted", "EventAgeExceeded"]


@dataclass(frozen=True, slots=True)
class Rules:
    """The function's settings for asynchronous invocation."""

    maximum_retry_attempts: int = MOST_RETRIES
    maximum_event_age_in_seconds: int = OLDEST_SECONDS


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event that waits to be invoked."""

    id: str
    """The request id that its caller was given."""
    attempts: int
    """Invocations that failed before."""
    at: float
    """When it was accepted, epoch seconds."""

    def text(self) -> str:
        """As it is kept beside the event."""
        return json.dumps({"id": self.id, "attempts": self.attempts, "at": self.at})


def read_accepted(text: str | None, *, message_id: str, sent: float) -> Accepted:
    """What is kept beside an event. An event that somebody else put into the queue is new: `message_id` and `sent` are
    those of its message.
    """
    try:
        row: Any = json.loads(text or "")
        key, attempts, at = row["id"], row["attempts"], row["at"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return Accepted(message_id, 0, sent)
    if isinstance(key, str) and isinstance(attempts, int) and isinstance(at, int | float):
        return Accepted(key, attempts, at)
    return Accepted(message_id, 0, sent)


def is_too_old(event: Accepted, rules: Rules, now: float) -> bool:
    """Whether it is not to be invoked any more."""
    return now - event.at > rules.maximum_event_age_in_seconds


@dataclass(frozen=True, slots=True)
class Again:
    """It is queued again, for so many seconds."""

    event: Accepted
    delay: int


@dataclass(frozen=True, slots=True)
class Ended:
    """It is not invoked again."""

    condition: Condition


def after(outcome: Succeeded | Failed | TooLarge, event: Accepted, rules: Rules, now: float) -> Again | Ended:
    """What becomes of an event, by the outcome of its invocation. An event that is too large will always be."""
    if isinstance(outcome, Succeeded):
        return Ended("Success")
    if isinstance(outcome, TooLarge) or event.attempts >= rules.maximum_retry_attempts:
        return Ended("RetriesExhausted")
    delay = DELAYS[min(event.attempts, len(DELAYS) - 1)]
    if is_too_old(event, rules, now + delay):
        return Ended("EventAgeExceeded")
    return Again(Accepted(event.id, event.attempts + 1, event.at), delay)


def record_of(
    condition: Condition,
    event: Accepted,
    outcome: Succeeded | Failed | TooLarge | None,
    *,
    function_arn: str,
    now: float,
) -> dict[str, Any]:
    """The record for a destination, with its members in Lambda's order, but for the payloads. `outcome` is None where
    it was not invoked; `now` is epoch seconds.
    """
    arn = function_arn if function_arn.count(":") >= 7 else f"{function_arn}:{UNQUALIFIED}"
    return {
        "version": VERSION,
        "timestamp": iso_milliseconds(now),
        "requestContext": {
            "requestId": event.id,
            "functionArn": arn,
            "condition": condition,
            "approximateInvokeCount": event.attempts + (outcome is not None),
        },
        **_response_context(outcome),
    }


def _response_context(outcome: Succeeded | Failed | TooLarge | None) -> Mapping[str, Any]:
    match outcome:
        case Succeeded(executed_version=version):
            context = {"statusCode": 200, "executedVersion": version or UNQUALIFIED}
        case Failed(status=status, executed_version=version, function_error=error):
            context = {
                "statusCode": status or 200,
                "executedVersion": version or UNQUALIFIED,
                "functionError": error or "Unhandled",
            }
        case _:
            return {}
    return {"responseContext": context}
