"""Reasons for which a queue's mapping is idle: failed messages that are invisible, or the last long polls."""

import time
from collections.abc import Callable

from poller.ports.status import Reason, ReasonCode
from poller.sources.sqs.invisible import InvisibleFailures
from poller.sources.sqs.polls import Polls
from poller.sources.sqs.queue import Redrive

ToClock = Callable[[float], str]
"""Turns the loop's time into the local time of day."""


def clock(wall: Callable[[], float], now: float) -> ToClock:
    """`wall` is the seconds since the epoch at the loop's time `now`."""
    offset = wall() - now
    return lambda moment: time.strftime("%H:%M:%S", time.localtime(offset + moment))


def last_polls(polls: Polls, to_clock: ToClock) -> Reason | None:
    """At a soft stop: the long polls that may still return."""
    count, due = polls.under_way()
    if not count:
        return None
    what = "1 long poll returns" if count == 1 else f"{count} long polls return"
    return Reason(ReasonCode.STOPPING, f"{what} by {to_clock(due)}", until=due)


def awaiting_visibility(
    failures: InvisibleFailures, redrive: Redrive | None, now: float, to_clock: ToClock
) -> Reason | None:
    """Failed messages that are not visible yet, and what the queue does with a message that keeps failing."""
    found = failures.messages(now)
    if found is None:
        return None
    messages, first, last = found
    when = f"at {to_clock(first)}" if first == last else f"from {to_clock(first)} to {to_clock(last)}"
    what = "1 message failed and is" if messages == 1 else f"{messages:,} messages failed and are"
    text = f"{what} back in the queue, visible again {when}; {_limit(redrive)}"
    cause = "queue.repeated" if redrive is None else "queue.redriven"
    return Reason(ReasonCode.RETRY, text, next_try=first, causes=(cause,))


def _limit(redrive: Redrive | None) -> str:
    if redrive is None:
        return "the queue has no dead-letter queue, so a message that fails repeats until it expires"
    receives = "as often as maxReceiveCount" if redrive.most_receives is None else f"{redrive.most_receives:,} times"
    name = redrive.dead_letters.rpartition(":")[2]
    return f"received {receives} without success, a message goes to the dead-letter queue {name}"
