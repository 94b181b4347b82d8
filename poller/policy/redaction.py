"""Hides what `redact` names in an event before it is kept. Pure.

A path is names from the event inward: `Records.body.customer.email`. A list is entered by itself, and `*` is any name.
A text that a path leads into is opened as the payload that it is: JSON, or base64 of JSON, also compressed by gzip. If
it cannot be opened, the whole text is hidden.
"""

import base64
import binascii
import gzip
import json
import re
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

HIDDEN = "REDACTED"
ANY = "*"
MOST_UNPACKED = 16 * 1024 * 1024
"""Bytes of a payload after gzip; a larger one is hidden whole."""
GZIP = b"\x1f\x8b"
_DOT = re.compile(r"(?<!\\)\.")


def path_of(text: str) -> tuple[str, ...]:
    """The names of a path; a dot within a name has a backslash in front. Raises ValueError."""
    names = tuple(name.replace("\\.", ".") for name in _DOT.split(text))
    if not all(names):
        raise ValueError("must be names with dots between them, such as Records.body.customer.email")
    return names


class Redaction:
    """What is to be hidden."""

    def __init__(self, paths: Iterable[str]) -> None:
        """Raises ValueError for a path that is none."""
        self._paths = [path_of(path) for path in paths]

    def __call__(self, event: bytes) -> tuple[bytes, int]:
        """The event without what is hidden, and the number of values that were."""
        if not self._paths:
            return event, 0
        try:
            content, hidden = json.loads(event), 0
            for path in self._paths:
                content, more = _without(content, path)
                hidden += more
            return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode(
                "utf-8", "surrogatepass"
            ), hidden
        except (ValueError, RecursionError):
            # no JSON, or nested too deeply to be looked into
            return json.dumps(HIDDEN).encode(), 1


def _without(value: Any, path: Sequence[str]) -> tuple[Any, int]:
    """The value without what the path names, and how many values that were."""
    if not path:
        return HIDDEN, 1
    if isinstance(value, list):
        found = [_without(each, path) for each in value]
        return [each for each, _ in found], sum(count for _, count in found)
    if isinstance(value, dict):
        hidden = 0
        for name in list(value) if path[0] == ANY else [path[0]]:
            if name in value:
                value[name], more = _without(value[name], path[1:])
                hidden += more
        return value, hidden
    if isinstance(value, str):
        return _within(value, path)
    return value, 0


def _within(text: str, path: Sequence[str]) -> tuple[str, int]:
    """The same for a text that is a payload."""
    try:
        content, packed = _opened(text)
    except (ValueError, RecursionError, zlib.error, EOFError):
        return HIDDEN, 1
    content, hidden = _without(content, path)
    if not hidden:
        return text, 0
    plain = json.dumps(content, separators=(",", ":"))
    if packed is None:
        return plain, hidden
    data = gzip.compress(plain.encode(), mtime=0) if packed == GZIP else plain.encode()
    return base64.b64encode(data).decode(), hidden


def _opened(text: str) -> tuple[Any, bytes | None]:
    """The content of a payload, and how it is packed: None as JSON, else in base64, as it is or by gzip. Raises
    ValueError and zlib.error.
    """
    try:
        return json.loads(text), None
    except ValueError:
        pass
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("neither JSON nor base64") from error
    if not data.startswith(GZIP):
        return json.loads(data), b""
    unpacking = zlib.decompressobj(wbits=31)
    plain = unpacking.decompress(data, MOST_UNPACKED)
    if not unpacking.eof:
        raise ValueError("too large")
    return json.loads(plain), GZIP
