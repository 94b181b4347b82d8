"""The invocation record: what an on-failure destination is told about records that were given up.

Members and their order are those recorded from AWS. Sends nothing and asks no clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from poller.policy.response import Failed, Outcome, Succeeded
from poller.policy.windows import Window, time_window_info
from poller.values.record import Record

VERSION = "1.0"
UNQUALIFIED = "$LATEST"
"""The version that runs where none is named; targets that are no Lambda function name none."""

Condition = Literal["RetryAttemptsExhausted", "RecordAgeExceeded"]


@dataclass(frozen=True, slots=True)
class Discarded:
    """Records given up together."""

    records: Sequence[Record]
    condition: Condition
    invoke_count: int
    """Attempts made with exactly these records; over-size ones count as attempts though nothing was sent."""
    request_id: str | None
    """Of the last invocation; None when there was none."""
    outcome: Outcome | None
    """Of the last invocation; None when there was none, and for a record too large to be sent."""
    window: Window | None = None
    """The tumbling window it belongs to. Without records it is the closing invocation that was given up."""


def invocation_record(
    discarded: Discarded, *, function_arn: str, batch_info: tuple[str, dict[str, Any]], now: float, request_id: str
) -> dict[str, Any]:
    """The record as sent, in its order.

    `batch_info` names and describes the batch as its source does; `now` is epoch seconds; `request_id` stands in where
    nothing was invoked.
    """
    record: dict[str, Any] = {
        "requestContext": {
            "requestId": discarded.request_id or request_id,
            "functionArn": function_arn,
            "condition": discarded.condition,
            # AWS says 1 of a record that expired before its first attempt, too
            "approximateInvokeCount": max(1, discarded.invoke_count),
        }
    }
    # a batch that age ended has no response to speak of, even when there had been one
    if discarded.condition == "RetryAttemptsExhausted":
        response = _response_context(discarded.outcome)
        if response is not None:
            record["responseContext"] = response
    name, value = batch_info
    record |= {"version": VERSION, "timestamp": iso_milliseconds(now), name: value}
    if discarded.window is not None:
        record["timeWindowInfo"] = time_window_info(discarded.window, final=not discarded.records)
    return record


def _response_context(outcome: Outcome | None) -> dict[str, Any] | None:
    match outcome:
        case Succeeded(executed_version=version):
            # it answered, and named batch item failures
            return {"statusCode": 200, "executedVersion": version or UNQUALIFIED, "functionError": None}
        case Failed(status=status, executed_version=version, function_error=error):
            # a function that gave no answer in time is a 200 to Lambda as well
            return {
                "statusCode": status or 200,
                "executedVersion": version or UNQUALIFIED,
                "functionError": error or "Unhandled",
            }
    return None


def iso_milliseconds(instant: float) -> str:
    """Epoch seconds as `2026-01-01T00:38:06.021Z`."""
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def iso_seconds(instant: float) -> str:
    """Epoch seconds as `2026-01-01T00:38:06Z`."""
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"
