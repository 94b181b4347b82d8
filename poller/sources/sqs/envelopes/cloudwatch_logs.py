"""CloudWatch Logs: the data of a subscription filter, gzip in base64, as a function gets it.

A body holds that event itself, only its data, or the log events already decompressed. Data is decompressed once, to
know that the function can read it; no more of it is kept than tells what it is.
"""

import binascii
import gzip
import re
import zlib
from base64 import b64decode, b64encode

from poller.sources.sqs.envelopes.envelope import Content, EnvelopeKind, NoEnvelope, written

MOST_DECOMPRESSED = 16 * 1024 * 1024
"""Bytes: a message of 1 MiB could decompress to a thousand times its size."""
_PIECE = 64 * 1024
_HEAD = 256
_GZIP = re.compile(r"H4sI[A-Za-z0-9+/]+={0,2}\s*")
"""Base64 of a gzip header."""
_LOG_EVENTS = re.compile(rb'\s*\{\s*"(?:messageType|owner|logGroup|logStream|subscriptionFilters|logEvents)"')


def _data(content: Content) -> str | None:
    """The compressed data; None where there is none."""
    awslogs = content.member("awslogs")
    if isinstance(awslogs, dict):
        data = awslogs.get("data")
        return data if isinstance(data, str) else None
    return content.text if content.document is None and _GZIP.fullmatch(content.text) else None


def _is_decompressed(content: Content) -> bool:
    return content.holds_texts("messageType", "logGroup", "logStream") and isinstance(content.member("logEvents"), list)


def _knows(content: Content) -> bool:
    return _data(content) is not None or _is_decompressed(content)


def _event(content: Content, _function_arn: str) -> str:
    data = _data(content)
    if data is None:
        packed = gzip.compress(content.text.encode("utf-8", "backslashreplace"), mtime=0)
        return written({"awslogs": {"data": b64encode(packed).decode()}})
    _check(data)
    return content.text if content.document is not None else written({"awslogs": {"data": data.strip()}})


def _check(data: str) -> None:
    """Decompress whole, within the bound. Raises NoEnvelope."""
    head, total = b"", 0
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        rest = b64decode(data.strip(), validate=True)
        while rest and not stream.eof:
            piece = stream.decompress(rest, _PIECE)
            total += len(piece)
            if total > MOST_DECOMPRESSED:
                raise NoEnvelope("too_large", f"the log events are more than {MOST_DECOMPRESSED:,} bytes decompressed")
            head = (head + piece[:_HEAD])[:_HEAD]
            rest = stream.unconsumed_tail
    except (binascii.Error, ValueError, zlib.error) as error:
        raise NoEnvelope("corrupt", f"the log events are not gzip in base64: {error}") from error
    if not stream.eof or stream.unused_data or not _LOG_EVENTS.match(head):
        raise NoEnvelope("corrupt", "the data is cut off, or holds no log events")


CLOUDWATCH_LOGS = EnvelopeKind("the log events of a CloudWatch Logs subscription", _knows, _event)
