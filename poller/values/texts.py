"""Texts for people: of bounded length, with numbers that agree with their nouns."""

ELLIPSIS = "…"
SPACES = " \n\t"


def shortened(text: str, most: int) -> str:
    """The text in at most `most` characters. A longer one ends behind a whole word, with an ellipsis; within a word
    only where the word alone is longer than half of the bound.
    """
    if len(text) <= most:
        return text
    head = text[: most - len(ELLIPSIS)]
    words = head if text[len(head)].isspace() else head[: max(map(head.rfind, SPACES)) + 1]
    return (words if len(words) >= most // 2 else head).rstrip(SPACES + ",;:") + ELLIPSIS


def counted(count: int, noun: str) -> str:
    """A number of things: `1 record`, `2,000 records`."""
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"


def clean(text: str, most: int) -> str:
    """The text on one line, cut at a word, and without what a database or a terminal could mind."""
    line = " ".join(text[: 4 * most].split())
    return shortened("".join(one if one.isprintable() else "?" for one in line), most)
