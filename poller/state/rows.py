"""Converts progress to rows and back. It knows the schema's columns, not the database."""

import zlib
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any

from poller.policy.actions import Action, Stage
from poller.policy.parts import PartState
from poller.policy.progress import LaneProgress, ShardProgress
from poller.policy.response import Failed, Succeeded
from poller.policy.windows import NO_WINDOW, Window, WindowProgress
from poller.support import codec
from poller.values.stored_mapping import StoredMapping
from poller.values.texts import shortened

ShardRow = tuple[str, int, int, str | None]
"""Shard id, initial, finished, start."""
LaneRow = tuple[str, int, str | None, str | None, str | None]
"""Shard id, number of the lane, position, retry state, tumbling window."""

_OUTCOMES: dict[str, type[Succeeded] | type[Failed]] = {"succeeded": Succeeded, "failed": Failed}
NONSENSE = (ValueError, KeyError, TypeError, AttributeError)
"""Exceptions that reading a damaged row raises."""
MOST_DETAIL = 2000
"""Maximum of characters stored of an error's text."""


def checksum(*values: str | float | None) -> int:
    """Checksum of a row's values as SQLite returns them: a flipped bit must not become a position."""
    return zlib.crc32(repr(values).encode("utf-8", "surrogatepass"))


def retry_text(parts: Iterable[PartState]) -> str | None:
    """The JSON of a retry state; None for an empty one."""
    rows = [_part_row(part) for part in parts]
    return codec.dumps(rows).decode() if rows else None


def _part_row(part: PartState) -> dict[str, Any]:
    row = {name: value for name, value in asdict(part).items() if value is not None and name != "outcome"}
    match part.outcome:
        case Succeeded(_, request_id, executed_version):
            # the answer's body was evaluated already, and is not needed any more
            row["outcome"] = {"kind": "succeeded", "request_id": request_id, "executed_version": executed_version}
        case Failed():
            outcome = asdict(part.outcome)
            # the function's log was shown when it failed, and its answer is for the caller of an invocation by name
            del outcome["logs"], outcome["body"], outcome["kept"]
            row["outcome"] = {**outcome, "kind": "failed", "detail": shortened(part.outcome.detail, MOST_DETAIL)}
    return row


def retry_of(text: str | None) -> tuple[PartState, ...]:
    """Parse a stored retry state. Raises one of `NONSENSE` if it is damaged."""
    return tuple(_part(row) for row in codec.loads(text.encode())) if text else ()


def _part(row: dict[str, Any]) -> PartState:
    outcome = row.pop("outcome", None)
    return PartState(**row, outcome=_OUTCOMES[outcome.pop("kind")](**outcome) if outcome else None)


def window_text(progress: WindowProgress) -> str | None:
    """The JSON of a lane's windows; None if it has none."""
    if progress == NO_WINDOW:
        return None
    window = progress.open
    row = None if window is None else asdict(window) | {"state": window.state.decode()}
    return codec.dumps({"open": row, "closed_to": progress.closed_to}).decode()


def window_of(text: str | None) -> WindowProgress:
    """Parse a lane's stored windows. Raises as `retry_of` does."""
    if text is None:
        return NO_WINDOW
    row = codec.loads(text.encode())
    window = row["open"]
    return WindowProgress(window and Window(**window | {"state": window["state"].encode()}), row["closed_to"])


def action_text(action: Action) -> str:
    """The JSON of an action."""
    before = {name: shard and _before_row(shard) for name, shard in action.before.items()}
    plain = {name: getattr(action, name) for name in (field.name for field in fields(action))}
    return codec.dumps(plain | {"before": before}).decode()


def _before_row(progress: ShardProgress) -> list[Any]:
    return [progress_text(progress), progress.initial, progress.finished]


def action_of(text: str) -> Action:
    """Parse a stored action. Raises as `retry_of` does."""
    row = codec.loads(text.encode())
    before = {
        name: shard and progress_of(shard[0], initial=shard[1], finished=shard[2])
        for name, shard in row.pop("before", {}).items()
    }
    return Action(**row | {"stage": Stage(row["stage"]), "before": before})


def shards_of(shard_rows: Iterable[ShardRow], lane_rows: Iterable[LaneRow]) -> dict[str, ShardProgress]:
    """Parse `lane_rows`, which are in the order of the lanes' numbers. Raises as `retry_of` does."""
    lanes: dict[str, list[LaneProgress]] = {}
    for shard_id, _, position, retry, window in lane_rows:
        lanes.setdefault(shard_id, []).append(LaneProgress(position, retry_of(retry), window_of(window)))
    return {
        shard_id: ShardProgress(
            tuple(lanes.get(shard_id, ())), bool(initial), bool(finished), float(start) if start else None
        )
        for shard_id, initial, finished, start in shard_rows
    }


def progress_text(progress: ShardProgress) -> str:
    """The JSON of a shard's lanes and start, for stores that keep a shard as one value."""
    rows = [[lane.position, retry_text(lane.retry), window_text(lane.window)] for lane in progress.lanes]
    return codec.dumps(rows if progress.start is None else {"lanes": rows, "start": progress.start}).decode()


def progress_of(text: str | None, *, initial: bool, finished: bool) -> ShardProgress:
    """Parse what `progress_text` gave; None where nothing is stored. Raises as `retry_of` does."""
    rows, start = codec.loads(text.encode()) if text else (), None
    if isinstance(rows, dict):
        rows, start = rows["lanes"], float(rows["start"])
    lanes = tuple(LaneProgress(position, retry_of(retry), window_of(window)) for position, retry, window in rows)
    return ShardProgress(lanes, initial, finished, start)


def mapping_text(mapping: StoredMapping) -> str:
    """The JSON of a stored mapping, beside its uuid and its revision."""
    return codec.dumps(
        {"parameters": mapping.parameters, "modified": mapping.modified, "deleted": mapping.deleted}
    ).decode()


def mapping_of(uuid: str, revision: int, text: str) -> StoredMapping:
    """Parse a stored mapping. Raises as `retry_of` does."""
    row = codec.loads(text.encode())
    return StoredMapping(uuid, row["parameters"], revision, row["modified"], row["deleted"])
