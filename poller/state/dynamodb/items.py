"""Items as DynamoDB writes them in JSON, and what is kept in them."""

import base64
import zlib
from collections.abc import Mapping
from typing import Any

from poller.policy.progress import ShardProgress
from poller.ports.fleet import Lease
from poller.state.rows import progress_of, progress_text
from poller.support import codec

Item = Mapping[str, Any]
"""Plain values by the name of their attribute."""
MOST_BYTES = 360_000
"""Of one compressed value: an item may have 400 KB with its names and other values."""


def encoded(value: str | float | bool | bytes) -> dict[str, Any]:
    """A value with its type."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bytes):
        return {"B": base64.b64encode(value).decode()}
    return {"N": repr(value)}


def item(**values: str | float | bool | bytes | None) -> dict[str, Any]:
    """An item; an attribute of None is left out."""
    return {name: encoded(value) for name, value in values.items() if value is not None}


def decoded(written: Mapping[str, Any]) -> Item:
    """Plain values. Raises one of `NONSENSE`."""
    found: dict[str, Any] = {}
    for name, typed in written.items():
        ((kind, value),) = typed.items()
        match kind:
            case "N":
                found[name] = float(value) if set(value) - set("-0123456789") else int(value)
            case "B":
                found[name] = base64.b64decode(value, validate=True)
            case _:
                found[name] = value
    return found


def packed(text: str) -> bytes:
    return zlib.compress(text.encode("utf-8", "surrogatepass"))


def unpacked(value: bytes) -> str:
    """Raises ValueError."""
    try:
        return zlib.decompress(value).decode("utf-8", "surrogatepass")
    except zlib.error as error:
        raise ValueError(str(error)) from error


def shards_packed(shards: Mapping[str, ShardProgress]) -> bytes:
    """What a mapping begins with, as one value."""
    rows = [[shard, one.initial, one.finished, progress_text(one)] for shard, one in shards.items()]
    return packed(codec.dumps(rows).decode())


def shards_unpacked(value: bytes) -> dict[str, ShardProgress]:
    """Raises one of `NONSENSE`."""
    rows = codec.loads(unpacked(value).encode())
    return {shard: progress_of(text, initial=initial, finished=finished) for shard, initial, finished, text in rows}


def lease_of(row: Item, generation: str) -> Lease:
    """The lease of a shard's row. In one of an earlier stream of the mapping only the fence counts."""
    if row["g"] != generation:
        return Lease(fence=row["f"])
    finished = bool(row.get("z")) and row.get("pg") == generation
    return Lease(row.get("o"), row["f"], row["v"], row.get("n"), finished)
