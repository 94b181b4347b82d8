"""What a fake function was invoked with: which messages, how many at a time, in which order."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from poller.policy.positions import place, sequence_number_of
from tests.fakes.streams.inner import inner_identifier


@dataclass(slots=True)
class Invocation:
    event: bytes
    records: list[dict[str, Any]]
    """Of the event; empty when it is none of records."""
    started: float
    ended: float | None = None
    """None while it runs, and for ever when the caller gave up."""
    succeeded: frozenset[str] = frozenset()
    """Message ids or sequence numbers it succeeded on."""
    identifiers: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.identifiers = [identifier_of(record) for record in self.records]

    def passed(self, body: bytes) -> frozenset[str]:
        """What it succeeded on by its answer, a partial batch response or none. Of a stream, what comes before the
        lowest number that is named; else all that is not named."""
        passed = not_named(self.identifiers, body)
        if all("messageId" in record for record in self.records) or passed == set(self.identifiers):
            return passed
        named = {place(identifier) for identifier in self.identifiers if identifier not in passed}
        return frozenset(identifier for identifier in passed if place(identifier) < min(named))

    @property
    def groups(self) -> set[str]:
        """Message groups of its records."""
        found = {record.get("attributes", {}).get("MessageGroupId") for record in self.records}
        return found - {None}


@dataclass(slots=True)
class Invocations:
    """Every invocation in the order of its start, and the peaks over all of them."""

    all: list[Invocation] = field(default_factory=list)
    running: int = 0
    peak: int = 0
    """Most at one time."""
    group_peak: Counter[str] = field(default_factory=Counter)
    """Most at one time that held records of a message group. Above 1 on a FIFO queue, a group overlapped itself."""
    _groups_running: Counter[str] = field(default_factory=Counter)

    def begin(self, event: bytes, parsed: Any, now: float) -> Invocation:
        """`parsed` is what the event's JSON says; None when it is no JSON."""
        invocation = Invocation(event, _records(parsed), now)
        self.all.append(invocation)
        self.running += 1
        self.peak = max(self.peak, self.running)
        for group in invocation.groups:
            self._groups_running[group] += 1
            self.group_peak[group] = max(self.group_peak[group], self._groups_running[group])
        return invocation

    def end(self, invocation: Invocation, now: float | None, succeeded: frozenset[str] = frozenset()) -> None:
        """`now` is None when the caller gave up."""
        invocation.ended = now
        invocation.succeeded = succeeded
        self.running -= 1
        self._groups_running.subtract(invocation.groups)

    def order_of_groups(self) -> dict[str, list[str]]:
        """Per message group, the message ids in the order the function first succeeded on them."""
        order: dict[str, list[str]] = defaultdict(list)
        finished = [one for one in self.all if one.ended is not None]
        for invocation in sorted(finished, key=lambda one: one.ended or 0.0):
            for record in invocation.records:
                group = order[record.get("attributes", {}).get("MessageGroupId", "")]
                if identifier_of(record) in invocation.succeeded and identifier_of(record) not in group:
                    group.append(identifier_of(record))
        return dict(order)


def parsed_event(event: bytes) -> Any:
    """What its JSON says; None when it is none."""
    try:
        return json.loads(event)
    except ValueError:
        return None


def _records(parsed: Any) -> list[dict[str, Any]]:
    records = parsed.get("Records", []) if isinstance(parsed, dict) else []
    return [record for record in records if isinstance(record, dict) and NAMED & record.keys()]


NAMED = {"messageId", "kinesis", "dynamodb"}
"""Where the events' records hold what a failure is reported by."""


def identifier_of(record: dict[str, Any]) -> str:
    """Message id or sequence number of an event's record; the place of one out of an aggregate."""
    if "kinesis" in record:
        found: str = inner_identifier(record["kinesis"]["sequenceNumber"], record["kinesis"]["data"])
    elif "dynamodb" in record:
        found = record["dynamodb"]["SequenceNumber"]
    else:
        found = record["messageId"]
    return found


def not_named(identifiers: list[str], body: bytes) -> frozenset[str]:
    """The identifiers that a partial batch response leaves as succeeded; none where it names what was not there."""
    if not body:
        return frozenset(identifiers)
    answer = json.loads(body)
    failures = answer.get("batchItemFailures") if isinstance(answer, dict) else None
    named = {failure["itemIdentifier"] for failure in failures or []}
    if not named <= {sequence_number_of(identifier) for identifier in identifiers}:
        return frozenset()
    return frozenset(identifier for identifier in identifiers if sequence_number_of(identifier) not in named)
