"""The redrives of one mapping on its screen: how far each came, with what can be done."""

from collections.abc import Iterator, Sequence

from poller.daemon.api.moments import iso
from poller.daemon.api.page import words
from poller.daemon.api.page.forms import button
from poller.daemon.api.page.html import Markup, join, tag
from poller.daemon.api.page.parts import Shown
from poller.policy.redrive_words import taken_from
from poller.policy.redriving import Redriven, State

MOST = 10
"""Shown of a mapping."""
MOST_FAILED = 5
"""Identifiers that are named."""


def cards(mapping: Shown, redrives: Sequence[Redriven], *, steers: bool) -> Iterator[tuple[str, Markup]]:
    """One for each; buttons for those who may steer."""
    stopped = next((one.id for one in redrives if one.state is not State.FINISHED), None)
    for one in redrives[:MOST]:
        key = f"r-{one.id}"
        head = tag("p", tag("strong", one.state.value), f", {taken_from(one)}, begun ", words.moment(iso(one.began)))
        more = f" and {len(one.failures) - MOST_FAILED:,} more" if len(one.failures) > MOST_FAILED else None
        failed = tag("p", "Failed again: ", words.shortly(", ".join(one.failures[-MOST_FAILED:])), more)
        buttons = _buttons(mapping, one, last=one.id == stopped) if steers else None
        how_far = tag("p", words.shortly(words.cut(one.words)), class_="error" if one.failed else None)
        yield key, tag("li", head, how_far, failed if one.failures else None, buttons, id=key)


def _buttons(mapping: Shown, one: Redriven, *, last: bool) -> Markup | None:
    """Those of a redrive; only the last one that is not over can go on."""
    if not last:
        return None
    if one.state is State.RUNNING:
        return tag("div", button("Stop the redrive", mapping, "redrive", stop=True), class_="buttons")
    again = button("Resume", mapping, "redrive", one.id, resume=True, rate=one.rate)
    without = None
    if one.failures:
        without = button(
            "Resume without what failed", mapping, "redrive", one.id, resume=True, rate=one.rate, pass_over=True
        )
    return tag("div", join(again, without), class_="buttons")
