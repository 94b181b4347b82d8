"""Words without which no payload can match: looked for before a payload is parsed, which costs many times as much.

Each alternative that compares a text needs that text somewhere in the payload, any other the name of one of its fields.
An escape in JSON may spell a word in another way, so a payload with a backslash is always parsed.
"""

from collections.abc import Iterable, Sequence

from poller.policy.filtering.compile import Alternative
from poller.policy.filtering.conditions import Condition, Text
from poller.policy.filtering.folding import Anchor

# More are not worth it: each is a walk through the payload.
_MOST = 8
# Shorter texts are found nearly everywhere.
_SHORTEST_TEXT = 3


class Needles:
    """For payloads of one kind, text or bytes."""

    __slots__ = ("_closing", "_escape", "_opening", "_words")

    def __init__(self, words: Sequence[str], *, binary: bool) -> None:
        self._words: Sequence[str | bytes] = [word.encode() for word in words] if binary else words
        self._escape: str | bytes = b"\\" if binary else "\\"
        self._opening: frozenset[str | bytes] = frozenset((b"{", b"[") if binary else ("{", "["))
        self._closing: frozenset[str | bytes] = frozenset((b"}", b"]") if binary else ("}", "]"))

    def rule_out(self, payload: str | bytes) -> bool:
        """Whether this looks like JSON and cannot match. What does not look like JSON is told apart by the parser."""
        for word in self._words:
            if word in payload:  # type: ignore[operator]
                return False
        looks_like_json = payload[:1] in self._opening and payload[-1:] in self._closing
        return looks_like_json and self._escape not in payload  # type: ignore[operator]


def needles(alternatives: Iterable[Alternative], key: str, *, binary: bool) -> Needles | None:
    """What `alternatives` need of the payload named `key`; None where that would be nothing, or too much."""
    found: dict[str, None] = {}
    for alternative in alternatives:
        words = _needed(alternative, key)
        if not words:
            return None
        found.update(dict.fromkeys(words))
    return Needles(list(found), binary=binary) if 0 < len(found) <= _MOST else None


def _needed(alternative: Alternative, key: str) -> list[str]:
    """One of these words at least."""
    texts: list[list[str]] = []
    names: list[str] = []
    for path, condition in alternative.items():
        if path == key:
            return []  # compares the payload as plain text
        if path.startswith(f"{key}.") and not condition.absent:
            texts.append(_texts(condition))
            names += [name for name in path.split(".")[1:] if _is_plain(name)]
    texts = [words for words in texts if words]
    if texts:
        return min(texts, key=len)
    return [max(names, key=len)] if names else []


def _texts(condition: Condition) -> list[str]:
    words = []
    for test in condition.tests:
        if not isinstance(test, Text) or test.ignore_case or test.anchor is Anchor.END:
            return []
        if len(test.text) < _SHORTEST_TEXT or not _is_plain(test.text):
            return []
        words.append(f'"{test.text}"' if test.anchor is Anchor.WHOLE else f'"{test.text}')
    return words


def _is_plain(text: str) -> bool:
    """Whether JSON without a backslash can hold it."""
    return bool(text) and text.isprintable() and '"' not in text and "\\" not in text
