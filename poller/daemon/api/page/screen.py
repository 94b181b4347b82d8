"""A screen as its live parts: lists of elements by id, so that only what has changed is sent again."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from poller.daemon.api.page.html import Markup
from poller.support import codec

Parts = Mapping[str, Markup]
"""Elements by their id, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Screen:
    """What a screen shows at one moment."""

    lists: Mapping[str, Parts] = field(default_factory=dict)
    """By the id of the element around the parts."""

    def inside(self, name: str) -> Markup:
        """The parts of one list, for the first answer."""
        return Markup("".join(self.lists[name].values()))


NOTHING = Screen()


def changes(before: Screen, after: Screen) -> dict[str, object]:
    """What a viewer of `before` needs to see `after`: by list the order of its parts, where that changed, and those
    that are new or other.
    """
    found: dict[str, object] = {}
    for name, parts in after.lists.items():
        old = before.lists.get(name, {})
        changed: dict[str, object] = {}
        other = {key: html for key, html in parts.items() if old.get(key) != html}
        if other:
            changed["set"] = other
        # also of a list that is empty, for a viewer whose own may not be
        if name not in before.lists or [*old] != [*parts]:
            changed["order"] = [*parts]
        if changed:
            found[name] = changed
    return found


def event(found: dict[str, object], wall: float) -> bytes:
    """A server-sent event with these changes, and the time on our clock."""
    return b"data: " + codec.dumps({"now": wall, "lists": found}) + b"\n\n"
