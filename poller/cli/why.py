"""`poller why`: explains why each mapping waits, since when, when the next try is, and what to do.

The daemon gives typed reasons. Here they become sentences, with the advice that belongs to each code.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from poller.cli.client import Client
from poller.cli.output import clock, lag_in_words, of_daemon, of_mapping, times, unaccounted
from poller.daemon.api.notes import span
from poller.policy.advice import TO_DO, advice_of
from poller.support.printable import say

Json = dict[str, Any]
SHOWN = 20
"""Maximum of partitions listed one by one; the rest is counted."""
QUIET = frozenset({"no_data", "invoking", "settling", "window", "starting", "stopped", "not_mine"})
"""Codes of a partition that works normally."""


def show(client: Client, mapping: str | None) -> None:
    """Print the reasons. Raises NoAnswer, also for a mapping that the daemon does not have."""
    status = of_mapping(client, mapping)
    for line in of_daemon(status):
        say(line)
    if not status["mappings"]:
        say("no mappings")
    for number, entry in enumerate(status["mappings"]):
        if number:
            say("")
        for line in _lines(entry):
            say(line)


def _lines(mapping: Json) -> Iterator[str]:
    reason = mapping["reason"]
    yield f"{mapping['name']}: {mapping['state']}"
    if reason is not None:
        yield f"  {sentence(reason)}"
        to_do = advice_of(reason.get("causes") or [reason["code"]])
        if to_do:
            yield f"  to do: {to_do}"
    if (lag := lag_in_words(mapping["lag"])) is not None:
        yield f"  behind: {lag}"
    if (failure := mapping["last_failure"]) is not None:
        yield f"  last failure, at {clock(failure['at'])}: {failure['text']}"
    for note in mapping["notes"]:
        yield f"  note: {note['text']}"
    if mapping["unaccounted"]:
        yield f"  {unaccounted(mapping['unaccounted'])}"
    yield from _elsewhere(mapping)
    yield from _partitions(mapping)


def sentence(reason: Json) -> str:
    """The reason with its times."""
    return f"{reason['text'].partition(TO_DO)[0]}{times(reason)}"


def _elsewhere(mapping: Json) -> Iterator[str]:
    """Batches that wait on other daemons of the fleet, one by one."""
    found = [(partition["id"], one) for partition in mapping["partitions"] for one in partition["elsewhere"]]
    for name, one in found[:SHOWN]:
        expires = one.get("expires_in_seconds")
        lost = "" if expires is None else f"; its oldest record expires in {span(expires)}"
        yield f"  {name}, lane {one['lane']} on {one['member']}: {sentence(one['reason'])}{lost}"
    if len(found) > SHOWN:
        yield f"  and {len(found) - SHOWN:,} more on other daemons"


def _partitions(mapping: Json) -> Iterator[str]:
    """Partitions that stand still, one by one; the others are counted by reason."""
    reasons = {one["id"]: one["reason"] for one in mapping["partitions"] if one["reason"] is not None}
    if len(reasons) < 2 and [*reasons.values()] == [mapping["reason"]]:
        return
    still = {name: reason for name, reason in reasons.items() if reason["code"] not in QUIET}
    for name, reason in [*still.items()][:SHOWN]:
        yield f"  {name}: {sentence(reason)}"
    others = Counter(reason["code"] for reason in reasons.values() if reason["code"] in QUIET)
    others.update(reason["code"] for reason in [*still.values()][SHOWN:])
    if others:
        yield "  " + ("and " if still else "") + ", ".join(f"{count} {code}" for code, count in others.most_common())
