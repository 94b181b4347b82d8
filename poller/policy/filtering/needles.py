r"""Words without which no payload can match: looked for before a payload is parsed, which costs many times as much.

Each alternative that compares a text needs that text somewhere in the payload, any other the name of one of its fields.
JSON may spell a character as `\u006e`, so a payload with such an escape is always parsed.
"""

from collections.abc import Iterable, Sequence

from poller.policy.filtering.compile import Alternative
from poller.policy.filtering.conditions import Condition, Text
from poller.policy.filtering.folding import Anchor

# More words are not worth it, because each is a search through the payload.
_MOST = 8
# Shorter texts are found nearly everywhere.
_SHORTEST_TEXT = 3
_OPENING, _CLOSING = frozenset("{["), frozenset("}]")


class Needles:
    """The words of one filter."""

    __slots__ = ("_bytewise", "words")

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self._bytewise = [word.encode().decode("latin-1") for word in words]

    def rule_out(self, payload: str | bytes) -> bool:
        """Whether this looks like JSON and cannot match. The parser finds out what is not JSON."""
        words = self.words
        if not isinstance(payload, str):
            # searching text is faster than searching bytes, by more than this costs
            payload, words = payload.decode("latin-1"), self._bytewise
        for word in words:
            if word in payload:
                return False
        if payload[:1] not in _OPENING or payload[-1:] not in _CLOSING:
            return False
        return "\\" not in payload or "\\u" not in payload


def needles(alternatives: Iterable[Alternative], key: str) -> Needles | None:
    """What `alternatives` need of the payload named `key`; None where that would be nothing, or too much."""
    found: dict[str, None] = {}
    for alternative in alternatives:
        words = _needed(alternative, key)
        if not words:
            return None
        found.update(dict.fromkeys(words))
    return Needles(list(found)) if 0 < len(found) <= _MOST else None


def _needed(alternative: Alternative, key: str) -> list[str]:
    """The test that at least one of these words is present."""
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
    r"""Whether JSON can spell it in no other way but by `\u`."""
    return bool(text) and text.isprintable() and not {'"', "\\", "/"} & set(text)
