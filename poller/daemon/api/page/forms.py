"""Buttons and forms that give orders, each after its impact. Forms are no live parts, so that what is typed stays.

The script makes the body of an order of a form's fields. The field `place` says two things in one: `to=LATEST` is the
member `to`, and `timestamp` is the member of that name with what the field `value` has.
"""

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from zlib import crc32

from poller.daemon.api.moments import iso
from poller.daemon.api.page import words
from poller.daemon.api.page.html import Markup, join, tag, void
from poller.daemon.api.page.parts import Shown
from poller.policy.actions import Action

Given = str | int | float | bool | None
OLDEST, INSTANT, NUMBER = "the oldest record", "an instant (UTC)", "a sequence number"
MOST_SHARDS = 200
EXAMPLE = "10 min ago"
"""Or a time in ISO 8601."""


class Told(NamedTuple):
    """What is said below a button, also to screen readers."""

    text: str
    danger: bool = False
    """Whether something is lost by it."""


def button(
    text: str, mapping: Shown, order: str, about: str = "", told: Told | None = None, /, **given: Given
) -> Markup:
    """A button that previews an order; `given` are members of its body, `about` tells equal buttons apart."""
    body = {key: value for key, value in given.items() if value is not None}
    key = "-".join([order, *map(str, body.values())])
    described = None if told is None else f"told-{crc32(key.encode(errors='replace')):x}"
    found = tag(
        "button",
        text,
        type="button",
        class_="danger" if told is not None and told.danger else None,
        aria_label=f"{text}: {about}" if about else None,
        aria_describedby=described,
        data_mapping=mapping["uuid"],
        data_order=order,
        data_key=key,
        # in ASCII, because other texts are shown with escapes where they have control characters
        data_given=json.dumps(body),
    )
    return found if told is None else tag("span", found, tag("small", told.text, id=described), class_="told")


def seek(mapping: Shown, undo: Markup) -> Markup:
    """Where the position is moved, and back."""
    places = {
        "to=TRIM_HORIZON": OLDEST,
        "to=LATEST": "what comes from now on",
        "timestamp": INSTANT,
        "sequence_number": NUMBER,
    }
    place = _text("Instant or number", "value", EXAMPLE)
    fields = join(_choice("Read on from", "place", places), place, _shard("Shard, or all"), tag("button", "Seek"))
    live = tag("div", undo, id="undo")
    form = _form("seek", mapping, fields)
    # open while there is a way back, so that nobody has to look for it
    return tag("details", tag("summary", "Move the position"), form, live, open=bool(undo))


def undo(mapping: Shown, seek: Action) -> Markup:
    """The way back to where the position was before a seek."""
    by = f" by {seek.who}" if seek.who else ""
    about = tag("span", " of ", words.moment(iso(seek.at)), by, class_="quiet")
    return tag("p", button("Undo the last seek", mapping, "undo"), about, id="undo-seek")


def peek(mapping: Shown) -> Markup:
    """What is looked at."""
    fields = join(
        _choice("What", "of", dict(_what(mapping))),
        _of_stream() if mapping["seeks"] else None,
        _text("Only what matches", "pattern", '{"data": {"kind": ["refund"]}}'),
        _number("At most", "most", value="10", min="1", max="100", step="1"),
        tag("button", "Look"),
    )
    return tag("details", tag("summary", "Look at records"), _form("peek", mapping, fields, event=True))


def received(mapping: Shown) -> Markup | None:
    """What a look at a queue does, beside its button: nobody is asked to confirm it."""
    if mapping["seeks"] and mapping["destination"] is None:
        return None
    what = "a queue as its destination" if mapping["seeks"] else "a queue"
    text = f"A look at {what} receives messages and gives them back at once. It counts as a receive of each message."
    return tag("p", text, class_="quiet")


def _of_stream() -> Markup:
    places = {"": "what is next", "trim_horizon=true": OLDEST, "timestamp": INSTANT, "sequence_number": NUMBER}
    return join(_choice("From", "place", places), _text("Instant or number", "value", EXAMPLE), _shard("Shard"))


def redrive(mapping: Shown) -> Markup:
    """What is delivered once more."""
    what = {f"of={key}": text for key, text in _what(mapping) if key != "source"}
    if mapping["seeks"]:
        what = {"of=source": "an interval of the stream", **what}
    what["resume=true"] = "what is left of the last one"
    fields = join(
        _choice("What", "place", what),
        _text("From (UTC), or the oldest", "begin", EXAMPLE) if mapping["seeks"] else None,
        _text("Until (UTC), or now", "end", EXAMPLE) if mapping["seeks"] else None,
        _shard("Shard, or all") if mapping["seeks"] else None,
        _number("Most records per second", "rate", value="10", min="0.01", max="10000", step="any"),
        _number("Most in one invocation", "batch", min="1", max="10000", step="1", placeholder="those of a second"),
        tag("label", void("input", type="checkbox", name="pass_over"), " Leave what failed again (of the last one)"),
        tag("button", "Redrive"),
    )
    return tag("details", tag("summary", "Deliver once more"), _form("redrive", mapping, fields))


def _what(mapping: Shown) -> Iterator[tuple[str, str]]:
    yield "source", "its records" if mapping["seeks"] else "its messages"
    if not mapping["seeks"]:
        yield "dead_letters", "its dead letters"
    if mapping["destination"] is not None:
        yield "destination", "its on-failure destination"


def _form(order: str, mapping: Shown, fields: Markup, **given: Given) -> Markup:
    return tag(
        "form",
        fields,
        id=order,
        class_="tools",
        data_mapping=mapping["uuid"],
        data_order=order,
        data_given=json.dumps(given),
    )


def _choice(label: str, name: str, options: Mapping[str, str]) -> Markup:
    return tag(
        "label",
        f"{label} ",
        tag("select", *(tag("option", text, value=key) for key, text in options.items()), name=name),
    )


def shards(mapping: Shown) -> Markup:
    """What fields for a shard offer."""
    return tag(
        "datalist", *(void("option", value=one["id"]) for one in mapping["partitions"][:MOST_SHARDS]), id="shards"
    )


def _shard(label: str) -> Markup:
    return tag("label", f"{label} ", void("input", name="partition", list="shards", autocomplete="off"))


def _text(label: str, name: str, example: str | None = None) -> Markup:
    return tag("label", f"{label} ", void("input", name=name, placeholder=example, autocomplete="off"))


def _number(label: str, name: str, **bounds: str) -> Markup:
    return tag("label", f"{label} ", void("input", type="number", name=name, **bounds))
