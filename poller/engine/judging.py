"""What an answer of a function means, as a mapping would judge it: for people who invoke a function by hand."""

import json
from dataclasses import dataclass
from typing import Any

from poller.policy.response import Failed, NotInvoked, Outcome, Succeeded, failed_identifiers
from poller.sources.kinds import KINDS
from poller.values.errors import ConfigurationError
from poller.values.texts import counted, shortened

SHOWN_MOST = 2000
"""Characters of an answer."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the answer means."""

    settled: bool
    """Whether all records of the event would be done for good."""
    lines: list[str]
    """For people: the verdict with the answer first, then what a mapping would do."""


def judge(outcome: Outcome, event: bytes, *, partial: bool) -> Judged:
    """`partial` says whether the function's mapping has ReportBatchItemFailures."""
    if isinstance(outcome, NotInvoked):
        said = f"not invoked: {outcome.code} {outcome.detail}".strip()
        return Judged(False, [said, "a mapping would hold the batch and try again; no retry is spent"])
    if isinstance(outcome, Failed):
        said = f"failed: {outcome.error} {outcome.detail}".strip()
        return Judged(False, [said, "a mapping would deliver the batch again, within its limits"])
    if not isinstance(outcome, Succeeded):
        return Judged(False, [f"too large: {outcome.detail}".strip(), "a mapping would split the batch"])
    answer = outcome.body.decode(errors="replace")
    lines = [f"succeeded: {shortened(answer, SHOWN_MOST)}"] if answer else ["succeeded, with an empty answer"]
    if not partial:
        return Judged(True, [*lines, "a mapping would settle the whole batch"])
    records = identifiers_of(event)
    failed = failed_identifiers(outcome.body, set(records))
    if failed is None:
        said = f"failed, the partial batch response is invalid: {shortened(answer, SHOWN_MOST)}"
        return Judged(False, [said, "a mapping would fail the whole batch"])
    if not failed:
        return Judged(True, [*lines, f"a mapping would settle every record ({len(records):,})"])
    named = ", ".join(sorted(failed))
    said = f"{len(failed):,} of {counted(len(records), 'record')} failed: {shortened(answer, SHOWN_MOST)}"
    return Judged(False, [said, f"a mapping would deliver again: {named}; of a stream, all behind the first as well"])


def identifiers_of(event: bytes) -> list[str]:
    """The item identifiers of the records of an event. Raises ConfigurationError for what is no event with records."""
    try:
        records: Any = json.loads(event)["Records"]
        return [_identifier(record) for record in records]
    except (ValueError, KeyError, TypeError, StopIteration, RecursionError):
        raise ConfigurationError(["the event has no list of Records that a source could have made"]) from None


def _identifier(record: dict[str, Any]) -> str:
    kind = next(kind for kind in KINDS.values() if kind.sign in record and kind.development is not None)
    assert kind.development is not None
    return kind.development().identifier(record)
