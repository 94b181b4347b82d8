"""Comparison that ignores case, character by character as the engine does it.

A character of the pattern accepts its lower case and its upper case, nothing further: `ß` accepts `ß` and `SS`, but
`ss` does not accept `ß`. Many patterns are looked up at once by a key that all accepted spellings share.
"""

import re
from collections.abc import Iterable
from enum import Enum


class Anchor(Enum):
    """The part of the value that the pattern must cover."""

    WHOLE = "whole"
    START = "start"
    END = "end"


def fold(text: str) -> str:
    """A key equal for all spellings one pattern accepts, and for a few more. Character by character."""
    return text.lower() if text.isascii() else text.upper().casefold()


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
            expression = _spellings(pattern) + ("" if anchor is Anchor.START else r"\Z")
            bucket = merged.setdefault(fold(pattern), {})
            bucket[expression] = bucket.get(expression, 0) | bits
        self._buckets = {
            key: [(re.compile(expression), bits) for expression, bits in bucket.items()]
            for key, bucket in merged.items()
        }
        self._lengths = sorted({len(key) for key in self._buckets})

    def at(self, text: str) -> int:
        key = fold(text)
        if self._anchor is Anchor.WHOLE:
            return self._check(key, text) if key in self._buckets else 0
        found, size = 0, len(key)
        from_start = self._anchor is Anchor.START
        for length in self._lengths:
            if length > size:
                break
            part = key[:length] if from_start else key[size - length :]
            if part in self._buckets:
                found |= self._check(part, text)
        return found

    def _check(self, key: str, text: str) -> int:
        """The bits of the patterns with this key that accept the text character by character."""
        found = 0
        # a character folds to at least one, so a match at the end is never longer than its key
        start = max(0, len(text) - len(key)) if self._anchor is Anchor.END else 0
        for expression, bits in self._buckets[key]:
            search = expression.search if self._anchor is Anchor.END else expression.match
            if search(text, start):
                found |= bits
        return found
