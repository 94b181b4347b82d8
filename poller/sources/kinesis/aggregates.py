"""Aggregates: many records of a producer packed into one of the stream's, as the Kinesis Producer Library does it.

Four bytes of magic, a message in the protobuf encoding, and the message's MD5. The message has a table of partition
keys (field 1), one of explicit hash keys (2), and the inner records (3), each with the index of its partition key (1),
that of its explicit hash key (2), its data (3) and tags (4). What is not exactly that is no aggregate and is handed
over whole: never is anything lost for being malformed.

Every inner record is handed over, also one whose hash key is not of this shard. The Kinesis Client Library drops those,
because the producer's library notices when a shard was split under way and sends them once more to where they belong;
other producers do not, so that dropping them loses records where keeping them repeats some.
"""

import hashlib
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from typing import Any, NoReturn

from poller.policy.positions import inside

MAGIC = b"\xf3\x89\x9a\xc2"
MAGIC_IN_BASE64 = "84maw"
"""As far as the data that follows has no part in the characters."""
DIGEST_BYTES = 16
PLACE = "Position"
"""Member of an inner item, beside those a record has: its position. Absent from the last, which is at the outer one."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_KEY_TABLE, _RECORD = 1, 3
_KEY_INDEX, _DATA = 1, 3
_LONGEST_VARINT = 70
"""Bits that ten bytes hold; 64 is the largest number."""


def taken_apart(items: Sequence[Any]) -> Sequence[Any]:
    """Raw records with inner ones in the place of each aggregate; the very same sequence where there is none.

    Inner items have the outer's sequence number and arrival, their own key and data.
    """
    if not any((item["Data"] or "").startswith(MAGIC_IN_BASE64) for item in items):
        return items
    found: list[Any] = []
    for item in items:
        inner = _inner_items(item) if (item["Data"] or "").startswith(MAGIC_IN_BASE64) else None
        if inner:
            found += inner
        else:
            found.append(item)
    return found


def _inner_items(item: Any) -> list[Any] | None:
    try:
        records = unpacked(a2b_base64(item["Data"]))
    except (ValueError, IndexError):
        # IndexError is a message that ends too early, or the index of a key that is not there
        return None
    number, arrival = item["SequenceNumber"], item.get("ApproximateArrivalTimestamp")
    inner = [
        {
            "SequenceNumber": number,
            "ApproximateArrivalTimestamp": arrival,
            "Data": b2a_base64(data, newline=False).decode(),
            "PartitionKey": key,
            PLACE: inside(number, index),
        }
        for index, (key, data) in enumerate(records)
    ]
    if inner:
        del inner[-1][PLACE]
    return inner


def unpacked(data: bytes) -> list[tuple[str, bytes]]:
    """Partition key and data of each inner record. Raises ValueError or IndexError for what is no aggregate."""
    message = data[len(MAGIC) : -DIGEST_BYTES]
    if not data.startswith(MAGIC) or hashlib.md5(message, usedforsecurity=False).digest() != data[-DIGEST_BYTES:]:
        raise ValueError("not an aggregate")
    keys: list[str] = []
    found: list[tuple[int, bytes]] = []
    at, end = 0, len(message)
    while at < end:
        field, at, after = _field(message, at, end)
        if field == _KEY_TABLE << 3 | _BYTES:
            keys.append(message[at:after].decode())
        elif field == _RECORD << 3 | _BYTES:
            found.append(_record(message, at, after))
        at = after
    return [(keys[index], payload) for index, payload in found]


def _record(message: bytes, at: int, end: int) -> tuple[int, bytes]:
    """Index of its partition key, and its data."""
    index, data = None, None
    while at < end:
        field, at, after = _field(message, at, end)
        if field == _KEY_INDEX << 3 | _VARINT:
            index = _varint(message, at)[0]
        elif field == _DATA << 3 | _BYTES:
            data = message[at:after]
        at = after
    if index is None or data is None:
        raise ValueError("an inner record without key or data")
    return index, data


def _field(message: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Number and type of the field there, and where its value begins and ends; of bytes, behind their length."""
    field = message[at]
    if field < 0x80:
        at += 1
    else:
        field, at = _varint(message, at)
    kind = field & 7
    if kind == _BYTES:
        length = message[at]
        if length < 0x80:
            at += 1
        else:
            length, at = _varint(message, at)
        after = at + length
    elif kind == _VARINT:
        after = _varint(message, at)[1]
    else:
        after = at + (8 if kind == _FIXED64 else 4 if kind == _FIXED32 else _unknown(kind))
    if after > end:
        raise ValueError("a field beyond the end of its message")
    return field, at, after


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The number there, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
        if shift >= _LONGEST_VARINT:
            raise ValueError("a number without end")


def _unknown(kind: int) -> NoReturn:
    raise ValueError(f"no such wire type: {kind}")
