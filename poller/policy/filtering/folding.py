"""Comparison that ignores case, character by character as the engine does it.

A character of the pattern accepts its lower case and its upper case, nothing further: `ß` accepts `ß` and `SS`, but
`ss` does not accept `ß`. Many patterns are looked up at once by a key that all accepted spellings share.
"""

import re
from collections.abc import Iterable
from enum import Enum


class Anchor(Enum):
    """Which part of the value the pattern must cover."""

    WHOLE = "whole"
    START = "start"
    END = "end"


def fold(text: str) -> str:
    """A key equal for all spellings one pattern accepts, and for a few more. Character by character."""
    return text.upper().casefold()


def _spellings(pattern: str) -> str:
    """A regular expression of exactly the accepted spellings."""
    parts = []
    for character in pattern:
        lower, upper = character.lower(), character.upper()
        parts.append(re.escape(lower) if lower == upper else f"(?:{re.escape(lower)}|{re.escape(upper)})")
    return "".join(parts)


class FoldedTable:
    """For any text: the bits of all patterns that accept it, by a lookup per distinct length of pattern."""

    __slots__ = ("_anchor", "_buckets", "_lengths")

    def __init__(self, anchor: Anchor, patterns: Iterable[tuple[str, int]]) -> None:
        self._anchor = anchor
        merged: dict[str, dict[str, int]] = {}
        for pattern, bits in patterns:
            expression = _spellings(pattern) + (r"\Z" if anchor is Anchor.END else "")
            bucket = merged.setdefault(fold(pattern), {})
            bucket[expression] = bucket.get(expression, 0) | bits
        self._buckets = {
            key: [(re.compile(expression), bits) for expression, bits in bucket.items()]
            for key, bucket in merged.items()
        }
        self._lengths = sorted({len(key) for key in self._buckets})

    def at(self, text: str) -> int:
        key = fold(text)
        found = 0
        if self._anchor is Anchor.WHOLE:
            for expression, bits in self._buckets.get(key, ()):
                if expression.fullmatch(text):
                    found |= bits
            return found
        for length in self._lengths:
            if length > len(key):
                break
            part = key[:length] if self._anchor is Anchor.START else key[len(key) - length :]
            for expression, bits in self._buckets.get(part, ()):
                # A character folds to at least one, so a spelling is never longer than its key.
                start = 0 if self._anchor is Anchor.START else max(0, len(text) - length)
                if (expression.match if self._anchor is Anchor.START else expression.search)(text, start):
                    found |= bits
        return found
