"""Makes the payload of a record readable for a person: base64, gzip, JSON, and the types of DynamoDB. Pure."""

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from typing import Any

MOST_UNPACKED = 4 * 1024 * 1024
"""Bytes of a payload after gzip; of a larger one the beginning is shown."""
GZIP = b"\x1f\x8b"
IMAGES = ("Keys", "NewImage", "OldImage")


def readable(payload: str | bytes) -> tuple[str, list[str]]:
    """The payload as text, and how it was packed: any of `base64`, `gzip`, `JSON`, `bytes`."""
    packed: list[str] = []
    data = payload.encode("utf-8", "surrogatepass") if isinstance(payload, str) else payload
    if (plain := _from_base64(data)) is not None:
        packed, data = ["base64"], plain
    if data.startswith(GZIP):
        packed, data = [*packed, "gzip"], _from_gzip(data)
    text = data.decode("utf-8", "replace")
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=1), [*packed, "JSON"]
    except (ValueError, RecursionError):
        pass
    if "\ufffd" in text:
        return data.hex(" "), [*packed, "bytes"]
    return text, packed


def _from_base64(data: bytes) -> bytes | None:
    """What base64 stands for, where that is JSON or gzip: a plain word may be base64 by chance."""
    try:
        plain = base64.b64decode(data.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return plain if plain.startswith((GZIP, b"{", b"[")) else None


def _from_gzip(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(data, MOST_UNPACKED)
    except zlib.error:
        return data


def change(of: Mapping[str, Any]) -> dict[str, Any]:
    """A change of a table's item with plain values in place of typed ones."""
    return {name: _images(value) if name in IMAGES else value for name, value in of.items()}


def _images(image: Any) -> Any:
    return {name: _plain(value) for name, value in image.items()} if isinstance(image, dict) else image


def _plain(typed: Any) -> Any:
    """One value; as it is where it has no type."""
    if not isinstance(typed, dict) or len(typed) != 1:
        return typed
    ((kind, value),) = typed.items()
    if kind == "M" and isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if kind == "L" and isinstance(value, list):
        return [_plain(each) for each in value]
    if kind == "N" and isinstance(value, str):
        return _number(value)
    if kind == "NS" and isinstance(value, list):
        return [_number(each) for each in value]
    if kind == "NULL":
        return None
    return value if kind in ("S", "B", "BOOL", "SS", "BS") else typed


def _number(text: Any) -> Any:
    """As JSON has it, where that says the same; a number with more digits than that stays text."""
    try:
        found = json.loads(text)
    except (ValueError, TypeError):
        return text
    return found if isinstance(found, int | float) and str(found) == text else text
