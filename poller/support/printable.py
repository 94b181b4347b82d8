"""Makes text from elsewhere safe to show: error messages of functions and services, names, and all other input.

A terminal obeys escape sequences, and a reader trusts lines. So every character that is not visible is shown as its
escape: control characters, line ends, and the characters that change the direction of text. Every print, table cell and
console log line of the program goes through here.
"""

import json
import sys


def printable(text: str) -> str:
    """The text on one line, with every character that is not printable as its Python escape, such as x1b."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def printable_lines(text: str) -> list[str]:
    """The lines of a text of several lines, such as a log or a traceback, each of them printable."""
    return [printable(line) for line in text.replace("\r\n", "\n").split("\n")]


def say(line: str, *, error: bool = False, flush: bool = False) -> None:
    """Print one line on stdout, or on stderr."""
    print(printable(line), file=sys.stderr if error else sys.stdout, flush=flush)


def say_json(document: object, *, indent: int | None = 2, flush: bool = False) -> None:
    """Print a document as JSON, whose own escapes are harmless to a terminal."""
    for line in json.dumps(document, indent=indent, ensure_ascii=True).split("\n"):
        say(line, flush=flush)
