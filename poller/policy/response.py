"""Interprets the answer of an invocation: it decides which records succeeded, never what happens to them next.

The rules are those of partial batch responses, case by case as recorded from AWS. An answer that names failures in any
other form than a list of known item identifiers fails the whole batch; an answer that clearly names none succeeds.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass(slots=True)
class Succeeded:
    """The function ran, and its answer is complete."""

    body: bytes = b""
    request_id: str | None = None
    executed_version: str | None = None
    logs: str | None = None
    """The end of the function's log, if it was requested."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The function ran, or may have run, and did not succeed. Spends a retry."""

    error: str
    """Short and stable, for counting: `Unhandled`, `timeout`, `http_500`, `answer_lost`."""
    detail: str = ""
    request_id: str | None = None
    executed_version: str | None = None
    status: int | None = None
    """HTTP status of the answer, if there was one."""
    function_error: str | None = None
    """The X-Amz-Function-Error header: `Unhandled`, `Handled`."""
    logs: str | None = None
    """The end of the function's log, if it was requested."""
    body: bytes = field(default=b"", compare=False, repr=False)
    """The function's own answer about its error, as JSON; empty where there is none."""
    kept: bool = False
    """What it failed of is stored elsewhere, or was told to a destination: the source may delete it."""


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The payload was refused for its size before the function saw it: split the batch; a single record fails."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class NotInvoked:
    """The function did not run: no byte was written, or it was refused before it ran. Spends no retry."""

    code: str
    """Short and stable: `throttled`, `unreachable`, `credentials`, `function_missing`, `unavailable`, `init_failed`,
    `no_worker`.
    """
    detail: str = ""
    retry_after: float | None = None
    """Seconds to wait, as the answer requested."""


Outcome = Succeeded | Failed | TooLarge | NotInvoked


def failed_identifiers(body: bytes, identifiers: Collection[str]) -> frozenset[str] | None:
    """Read a partial batch response. Returns the failed identifiers, an empty set for success, None if the batch
    failed.

    `identifiers` are those of the batch. Call it only with ReportBatchItemFailures; without, any answer is success.
    """
    if not body or body == b"null":
        return frozenset()
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        # RecursionError: an answer that is nested too deeply
        return None
    if not isinstance(answer, dict):
        # on AWS null, "" and [] are success; any other scalar or list names no failure either
        return frozenset()
    failures = answer.get("batchItemFailures")
    if failures is None:
        return frozenset()
    if not isinstance(failures, list):
        return None
    named = set()
    for entry in failures:
        # AWS once accepted an empty entry for SQS, against its documentation; failing the batch is the safe choice
        identifier = entry.get("itemIdentifier") if isinstance(entry, dict) else None
        if not isinstance(identifier, str) or identifier not in identifiers:
            return None
        named.add(identifier)
    return frozenset(named)
