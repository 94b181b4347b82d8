"""Builds the invocation record, which an on-failure destination gets for discarded records.

Members and their order are those recorded from AWS. This module sends nothing and has no clock.
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
"""The default version. Targets that are not Lambda functions name no version."""

Condition = Literal["RetryAttemptsExhausted", "RecordAgeExceeded", "SkippedByHand", "IsolatedByHand", "DroppedByHand"]
"""The last three are no words of AWS: a person gave the records up. Of what is dropped no destination hears."""
DROPPED: Condition = "DroppedByHand"


@dataclass(frozen=True, slots=True)
class Discarded:
    """Records that are discarded together."""

    records: Sequence[Record]
    condition: Condition
    invoke_count: int
    """Attempts with exactly these records; an over-size record counts as an attempt though nothing was sent."""
    request_id: str | None
    """Of the last invocation; None when there was none."""
    outcome: Outcome | None
    """Of the last invocation; None when there was none, and for a record too large to be sent."""
    window: Window | None = None
    """The tumbling window it belongs to. Without records the closing invocation itself is discarded."""


def invocation_record(
    discarded: Discarded, *, function_arn: str, batch_info: tuple[str, dict[str, Any]], now: float, request_id: str
) -> dict[str, Any]:
    """Build the record, with its members in AWS's order.

    `batch_info` is the source's name for its batch and the description of the batch. `now` is epoch seconds.
    `request_id` is used if nothing was invoked.
    """
    record: dict[str, Any] = {
        "requestContext": {
            "requestId": discarded.request_id or request_id,
            "functionArn": function_arn,
            "condition": discarded.condition,
            # on AWS it is 1 even for a record that expired before its first attempt
            "approximateInvokeCount": max(1, discarded.invoke_count),
        }
    }
    # as on AWS, an expired batch has no response, even if it had an attempt
    if discarded.condition != "RecordAgeExceeded":
        response = _response_context(discarded.outcome)
        if response is not None:
            record["responseContext"] = response
    name, value = batch_info
    record |= {"version": VERSION, "timestamp": iso_milliseconds(now), name: value}
    if discarded.window is not None:
        record["timeWindowInfo"] = time_window_info(discarded.window, final=not discarded.records)
    return record


def succeeded(record: dict[str, Any]) -> bool:
    """Whether a record is that of a success, which only asynchronous invocations have."""
    condition: str = record["requestContext"]["condition"]
    return condition == "Success"


def _response_context(outcome: Outcome | None) -> dict[str, Any] | None:
    match outcome:
        case Succeeded(executed_version=version):
            # the function answered, and named batch item failures
            return {"statusCode": 200, "executedVersion": version or UNQUALIFIED, "functionError": None}
        case Failed(status=status, executed_version=version, function_error=error):
            # Lambda shows a timeout of the function as 200 too
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
