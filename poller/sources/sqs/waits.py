"""Reasons for which a queue's mapping is idle: failed messages that are invisible, or the last long polls."""

import time
from collections.abc import Callable

from poller.ports.status import Reason, ReasonCode
from poller.sources.sqs.invisible import InvisibleFailures
from poller.sources.sqs.polls import Polls

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


def awaiting_visibility(failures: InvisibleFailures, now: float, to_clock: ToClock) -> Reason | None:
    """Failed messages that are not visible yet."""
    found = failures.messages(now)
    if found is None:
        return None
    messages, first, last = found
    when = f"at {to_clock(first)}" if first == last else f"from {to_clock(first)} to {to_clock(last)}"
    return Reason(ReasonCode.RETRY, f"{messages} failed, back {when}", next_try=first)
