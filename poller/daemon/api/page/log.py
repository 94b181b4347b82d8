"""The screen of the action log."""

from collections.abc import Sequence

from poller.daemon.api.moments import iso
from poller.daemon.api.page import words
from poller.daemon.api.page.html import Markup, tag
from poller.policy.action_words import progress, title
from poller.policy.actions import Action
from poller.policy.redriving import Redriven

MOST_ACTIONS = 200
COLUMNS = ("When", "Mapping", "Action", "Effect", "By", "Why")


def table(actions: Sequence[Action], redrives: Sequence[Redriven], wall: float) -> Markup:
    """What people did by hand, the latest first."""
    if not actions:
        return tag("p", "Nothing was done by hand.")
    head = tag("tr", *(tag("th", column, scope="col") for column in COLUMNS))
    rows = [
        tag(
            "tr",
            tag("td", words.moment(iso(action.at)), class_="number"),
            tag("th", action.mapping, scope="row"),
            tag("td", title(action.what), tag("span", progress(action, actions, redrives, wall), class_="about")),
            tag("td", words.shortly(action.effect)),
            tag("td", f"{action.who or 'somebody'}, {action.via}", class_="word"),
            tag("td", action.why or words.NONE),
        )
        for action in actions[:MOST_ACTIONS]
    ]
    caption = tag("caption", "The action log", class_="hidden")
    found = tag("table", caption, tag("thead", head), tag("tbody", *rows))
    return tag("div", found, class_="wide", tabindex="0", role="region", aria_label="The action log")
