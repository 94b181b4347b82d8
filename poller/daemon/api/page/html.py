"""HTML from plain values. Every text is escaped unless it is `Markup`: no name, payload or error becomes code."""

from functools import lru_cache
from html import escape

from poller.support.printable import printable


class Markup(str):
    """HTML that may be sent as it is."""

    __slots__ = ()


Child = str | Markup | None


def safe(value: str) -> Markup:
    """A text of anybody as HTML. Control characters, and those that change the direction of text, show as escapes."""
    return value if isinstance(value, Markup) else _escaped(value)


@lru_cache(maxsize=8192)
def _escaped(value: str) -> Markup:
    """Of plain text; a screen says the same again and again."""
    return Markup(escape(printable(value)))


def tag(name: str, /, *children: Child, **attributes: str | bool | None) -> Markup:
    """An element. An attribute's `_` is a hyphen, a last one is left out; True is an attribute without value, False and
    None are none.
    """
    named = "".join(_attribute(key, value) for key, value in attributes.items())
    return Markup(f"<{name}{named}>{''.join(map(safe, filter(None, children)))}</{name}>")


def void(name: str, /, **attributes: str | bool | None) -> Markup:
    """An element that has no content, such as `input`."""
    return Markup(f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>")


def join(*children: Child) -> Markup:
    """Several children without an element around them."""
    return Markup("".join(map(safe, filter(None, children))))


def _attribute(key: str, value: str | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{safe(value)}"'
