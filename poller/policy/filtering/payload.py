"""A payload as JSON, or the finding that it is none.

Only an object or an array counts as JSON: `5` and `"text"` are plain text like any other. Refused besides what the
grammar refuses: NaN and Infinity, text that is not UTF-8, nesting beyond what the parser takes (about a thousand
levels, the engine's own bound), whole numbers of more than 4,300 digits.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Final, NoReturn

from poller.policy.filtering.numeric import parse_float

Loads = Callable[[str | bytes], Any]


class _NotJson:
    """The type of `NOT_JSON`."""


NOT_JSON: Final = _NotJson()

_OPENING = frozenset(("{", "[", b"{", b"["))
_STARTS = re.compile(r"[ \t\n\r]*[{\[]")
# Numbers that another parser may round: long ones, and those with an exponent. Some strings look alike, which only
# costs time. What is shorter always survives the way into a float and back.
_MAY_BE_ROUNDED = re.compile(r"[0-9](?:[0-9.]{16}|[eE][-+]?[0-9]+[\s,}\]])")


def _refuse(_: str) -> NoReturn:
    raise ValueError


_DECODER = json.JSONDecoder(parse_constant=_refuse)
# Keeps what a float cannot hold apart from the float next to it.
_EXACT_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=parse_float)


def as_text(payload: str | bytes) -> str | None:
    """None for bytes that are not UTF-8."""
    if isinstance(payload, str):
        return payload
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None


def decode(payload: str | bytes, loads: Loads | None, *, exact: bool) -> Any:
    """An object, an array or `NOT_JSON`.

    `loads` is a faster parser than the standard library's, which has the last word on what is not JSON.

    `exact` is for patterns that compare numbers: no other parser says how one was written that it may have rounded.
    """
    if loads is not None and not exact and payload[:1] in _OPENING:
        # the case of most payloads, which need no further look
        document = _quickly(payload, loads)
        if document is not NOT_JSON:
            return document
    text = as_text(payload)
    if text is None or not _STARTS.match(text):
        return NOT_JSON
    if loads is not None and exact and not _MAY_BE_ROUNDED.search(text):
        document = _quickly(text, loads)
        if document is not NOT_JSON:
            return document
    try:
        document = (_EXACT_DECODER if exact else _DECODER).decode(text)
    except (ValueError, RecursionError):
        return NOT_JSON
    return document


def _quickly(payload: str | bytes, loads: Loads) -> Any:
    try:
        return loads(payload)
    except (ValueError, RecursionError):
        return NOT_JSON
