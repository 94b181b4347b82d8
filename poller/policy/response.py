"""What an invocation's answer means for its batch. Decides which records succeeded; never what happens to them next.

The rules are those of partial batch responses, case by case as recorded from AWS: anything that is not clearly a list
of known item identifiers fails the whole batch, anything that clearly names nothing succeeds.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(slots=True)
class Succeeded:
    """The function ran and its answer is completely here."""

    body: bytes = b""
    request_id: str | None = None
    executed_version: str | None = None
    logs: str | None = None
    """The end of what the function logged, where it was asked for."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The function ran, or may have run, and did not succeed. Spends a retry."""

    error: str
    """Short and stable, for counting: `Unhandled`, `timeout`, `http_500`, `answer_lost`."""
    detail: str = ""
    request_id: str | None = None
    executed_version: str | None = None
    status: int | None = None
    """HTTP status of the answer, where there was one."""
    function_error: str | None = None
    """The X-Amz-Function-Error header: `Unhandled`, `Handled`."""
    logs: str | None = None
    """The end of what the function logged, where it was asked for."""


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The payload was refused for its size before the function saw it: split it; a single record has failed."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class NotInvoked:
    """The function did not run: no byte was written, or a refusal that comes before it. Spends nothing."""

    code: str
    """Short and stable: `throttled`, `unreachable`, `credentials`, `function_missing`, `unavailable`, `init_failed`,
    `no_worker`.
    """
    detail: str = ""
    retry_after: float | None = None
    """Seconds the answer asked us to wait."""


Outcome = Succeeded | Failed | TooLarge | NotInvoked


def failed_identifiers(body: bytes, identifiers: Collection[str]) -> frozenset[str] | None:
    """Read a partial batch response: the identifiers that failed, none for full success, None when all of it failed.

    `identifiers` are those of the batch. Call it only with ReportBatchItemFailures; without, any answer is success.
    """
    if not body or body == b"null":
        return frozenset()
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        # the second for an answer that is nested without end
        return None
    if not isinstance(answer, dict):
        # null, "" and [] were seen to be success; any other scalar or list names no failure either
        return frozenset()
    failures = answer.get("batchItemFailures")
    if failures is None:
        return frozenset()
    if not isinstance(failures, list):
        return None
    named = set()
    for entry in failures:
        # An empty entry was once seen to be acknowledged for SQS, against the documentation: the safe reading wins
        identifier = entry.get("itemIdentifier") if isinstance(entry, dict) else None
        if not isinstance(identifier, str) or identifier not in identifiers:
            return None
        named.add(identifier)
    return frozenset(named)
