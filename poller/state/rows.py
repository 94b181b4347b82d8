"""How progress is written into rows and read out of them. Knows the schema's columns, not the database."""

import zlib
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from poller.policy.parts import PartState
from poller.policy.progress import LaneProgress, ShardProgress
from poller.policy.response import Failed, Succeeded
from poller.policy.windows import NO_WINDOW, Window, WindowProgress
from poller.support import codec

ShardRow = tuple[str, int, int]
"""Shard id, initial, finished."""
LaneRow = tuple[str, int, str | None, str | None, str | None]
"""Shard id, number of the lane, position, retry state, tumbling window."""

_OUTCOMES: dict[str, type[Succeeded] | type[Failed]] = {"succeeded": Succeeded, "failed": Failed}
NONSENSE = (ValueError, KeyError, TypeError, AttributeError)
"""What reading a row raises that makes no sense."""
MOST_DETAIL = 2000
"""Characters of an error's text that are worth storing."""


def checksum(*values: str | float | None) -> int:
    """Of one row's values as SQLite gives them back: a flipped bit must not pass for a position."""
    return zlib.crc32(repr(values).encode("utf-8", "surrogatepass"))


def retry_text(parts: Iterable[PartState]) -> str | None:
    """JSON of a retry state, None for none."""
    rows = [_part_row(part) for part in parts]
    return codec.dumps(rows).decode() if rows else None


def _part_row(part: PartState) -> dict[str, Any]:
    row = {name: value for name, value in asdict(part).items() if value is not None and name != "outcome"}
    match part.outcome:
        case Succeeded(_, request_id, executed_version):
            # the answer itself was read, and is nobody's business any more
            row["outcome"] = {"kind": "succeeded", "request_id": request_id, "executed_version": executed_version}
        case Failed():
            outcome = asdict(part.outcome)
            # what the function logged was shown when it failed
            del outcome["logs"]
            row["outcome"] = {**outcome, "kind": "failed", "detail": part.outcome.detail[:MOST_DETAIL]}
    return row


def retry_of(text: str | None) -> tuple[PartState, ...]:
    """Raises one of `NONSENSE` for what is none."""
    return tuple(_part(row) for row in codec.loads(text.encode())) if text else ()


def _part(row: dict[str, Any]) -> PartState:
    outcome = row.pop("outcome", None)
    return PartState(**row, outcome=_OUTCOMES[outcome.pop("kind")](**outcome) if outcome else None)


def window_text(progress: WindowProgress) -> str | None:
    """JSON of a lane's windows, None for none."""
    if progress == NO_WINDOW:
        return None
    window = progress.open
    row = None if window is None else asdict(window) | {"state": window.state.decode()}
    return codec.dumps({"open": row, "closed_to": progress.closed_to}).decode()


def window_of(text: str | None) -> WindowProgress:
    """Raises as `retry_of` does."""
    if text is None:
        return NO_WINDOW
    row = codec.loads(text.encode())
    window = row["open"]
    return WindowProgress(window and Window(**window | {"state": window["state"].encode()}), row["closed_to"])


def shards_of(shard_rows: Iterable[ShardRow], lane_rows: Iterable[LaneRow]) -> dict[str, ShardProgress]:
    """`lane_rows` in the order of their numbers. Raises as `retry_of` does."""
    lanes: dict[str, list[LaneProgress]] = {}
    for shard_id, _, position, retry, window in lane_rows:
        lanes.setdefault(shard_id, []).append(LaneProgress(position, retry_of(retry), window_of(window)))
    return {
        shard_id: ShardProgress(tuple(lanes.get(shard_id, ())), bool(initial), bool(finished))
        for shard_id, initial, finished in shard_rows
    }
