"""Events in AWS's binary frames: lengths, headers that are text, payload, and a CRC of each part."""

import struct
import zlib

CONTENT_TYPE = "application/vnd.amazon.eventstream"
TEXT = 7


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    head = b"".join(
        struct.pack("!B", len(name)) + name + struct.pack("!BH", TEXT, len(value)) + value for name, value in lines
    )
    prelude = struct.pack("!II", 12 + len(head) + len(payload) + 4, len(head))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + head + payload
    return message + struct.pack("!I", zlib.crc32(message))


def event(payload: bytes, name: str = "SubscribeToShardEvent") -> bytes:
    return frame(
        {":message-type": "event", ":event-type": name, ":content-type": "application/x-amz-json-1.1"}, payload
    )


def exception(code: str, body: bytes) -> bytes:
    return frame({":message-type": "exception", ":exception-type": code, ":content-type": "application/json"}, body)
