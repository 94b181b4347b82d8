"""`poller why`: where each mapping stands, since when, the next try, and what a person can do about it.

The daemon gives typed reasons; here they become sentences, and the advice that belongs to each code.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from poller.commands.client import Client
from poller.commands.output import clock, lag_in_words, of_daemon, of_mapping, times
from poller.printable import say

Json = dict[str, Any]
SHOWN = 20
"""Partitions told of one by one; the rest is counted."""
QUIET = frozenset({"no_data", "invoking", "settling", "window", "starting", "stopped"})
"""Codes of a partition that goes its way."""

ADVICE = {
    "throttled": "raise the function's reserved concurrency or the service's quota, or lower scaling_config or "
    "parallelization_factor here",
    "function_unavailable": "see that the function exists, is reachable and may be invoked; nothing is lost meanwhile, "
    "what is held is tried again",
    "function_not_started": "look at the function_log lines before worker_not_started in the log; it is tried again by "
    "itself, and at once after `poller restart-function`",
    "circuit_open": "see that the function exists, is reachable and may be invoked; nothing is lost meanwhile, and the "
    "first probe that gets through lets everything go on",
    "function_failing": "look at the function's own log",
    "retry": "look at the function's own log; a shard waits for its oldest failing batch, and "
    "maximum_retry_attempts, maximum_record_age_in_seconds or bisect_batch_on_function_error can free it at a reload",
    "destination": "see that the on-failure destination exists and accepts; nothing is given up before it has",
    "waiting_for_slot": "raise the function's concurrency, if it can take more at once",
    "memory": "raise max_bytes_in_flight, or make the function faster",
    "read_ahead": "one lane is much slower than the others: look at the batch it is in",
    "credentials": "give valid AWS credentials; they are read anew at the next try",
    "access_denied": "allow the action; `poller iam-policy` prints all that this configuration needs",
    "source_missing": "see that ARN, region and endpoint_url are right and that the source exists",
    "unreachable": "see that the endpoint is right and that the network lets us there",
    "state": "see that the state file's disk has room and can be written",
    "stream_recreated": "choose on_stream_recreated, or give the position up by `poller state forget`",
    "stream_changed": "choose on_stream_recreated, or give the position up by `poller state forget`",
    "unreadable_record": "ask the operator of the service why a record has no sequence number; the shard is read on "
    "once it has one, or has expired",
    "position_left": "adopt the position by its uuid, or give it up by `poller state forget`",
    "stream_disabled": "enable the stream again if records are still to come",
    "paused": "`poller resume` lets it go on",
    "error": "an error of ours; please report it with the log lines of partition_failed",
}


def show(client: Client, mapping: str | None) -> None:
    """Print it. Raises NoAnswer, also for a mapping the daemon does not have."""
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
        if reason["code"] in ADVICE:
            yield f"  to do: {ADVICE[reason['code']]}"
    if (lag := lag_in_words(mapping["lag"])) is not None:
        yield f"  behind: {lag}"
    if (failure := mapping["last_failure"]) is not None:
        yield f"  last failure, at {clock(failure['at'])}: {failure['text']}"
    for note in mapping["notes"]:
        yield f"  note: {note['text']}"
    if mapping["unaccounted"]:
        yield f"  {mapping['unaccounted']} records are unaccounted for; please report it"
    yield from _partitions(mapping)


def sentence(reason: Json) -> str:
    """The reason with its times."""
    return f"{reason['text']}{times(reason)}"


def _partitions(mapping: Json) -> Iterator[str]:
    """Those that stand still one by one, the others counted by what they do."""
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
