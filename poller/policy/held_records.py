"""What an invocation record says of the records that were given up. Pure."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from poller.policy.positions import place


@dataclass(frozen=True, slots=True)
class Named:
    """A batch in a shard."""

    shard: str
    first: str
    """Sequence numbers."""
    last: str
    count: int
    """Records of the batch."""

    def has(self, position: str) -> bool:
        """Whether a record of the shard lies between the first and the last."""
        number = place(position)[0]
        return int(self.first) <= number <= int(self.last)

    def is_behind(self, position: str) -> bool:
        """Whether a record of the shard lies behind the last."""
        return place(position)[0] > int(self.last)


def named_by(record: Mapping[str, Any], arns: Collection[str]) -> Named | None:
    """The batch of an invocation record; None for anything else, and for a stream that is not one of `arns`."""
    for info in record.values():
        if not isinstance(info, dict) or info.get("streamArn") not in arns:
            continue
        shard, first, last = (info.get(name) for name in ("shardId", "startSequenceNumber", "endSequenceNumber"))
        count = info.get("batchSize")
        if not (isinstance(first, str) and first.isdecimal() and isinstance(last, str) and last.isdecimal()):
            continue
        if isinstance(shard, str) and isinstance(count, int):
            return Named(shard, first, last, count)
    return None


def why_given_up(record: Mapping[str, Any]) -> str:
    """Of which function and shard an invocation record is, and why its records were given up, as far as it says."""
    context, response = (_object(record.get(name)) for name in ("requestContext", "responseContext"))
    info = next((one for one in record.values() if isinstance(one, dict) and "shardId" in one), {})
    error = response.get("functionError")
    tries = context.get("approximateInvokeCount")
    parts = (
        context.get("condition"),
        error and f"function error {error}",
        tries and f"attempt {tries}",
        context.get("functionArn") and f"of {_last(context['functionArn'])}",
        info.get("streamArn") and f"from {_last(info['streamArn'])}",
        info.get("shardId") and f"shard {info['shardId']}",
    )
    return ", ".join(str(part) for part in parts if part)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _last(arn: Any) -> str:
    """The function's or the stream's part of an ARN."""
    return str(arn).partition(":function:")[2] or str(arn).split(":", 5)[-1]


def records_in(record: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The records of the event that lies beside the metadata; None where there is none."""
    payload = record.get("payload")
    if not isinstance(payload, str):
        return None
    try:
        event = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
        return None
    return records
