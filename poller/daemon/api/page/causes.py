"""The screen of failures by cause."""

from collections.abc import Iterator
from zlib import crc32

from poller.daemon.api.failures import missing
from poller.daemon.api.page import words
from poller.daemon.api.page.forms import button
from poller.daemon.api.page.html import Markup, join, safe, tag
from poller.daemon.api.page.overview import path
from poller.daemon.api.page.parts import Shown
from poller.daemon.api.page.screen import Screen
from poller.values.texts import counted

MOST_GROUPS = 100
MOST_KEPT = 100


def failures(told: Shown, *, steers: bool) -> Screen:
    """Causes of all mappings as in `/failures`, the one that failed last first, and the events that are kept; buttons
    for those who may steer.
    """
    mappings = told["mappings"]
    found = [(mapping, group) for mapping in mappings for group in mapping["groups"]]
    found.sort(key=lambda one: str(one[1]["last"]["at"]), reverse=True)
    cards = {}
    for mapping, group in found[:MOST_GROUPS]:
        cause = f"{group['error']}\0{group['template']}".encode(errors="replace")
        key = f"f-{mapping['uuid']}-{crc32(cause):x}"
        cards[key] = _cause(key, mapping, group)
    kept = [(mapping, event) for mapping in mappings for event in mapping["kept"]]
    kept.sort(key=lambda one: str(one[1]["at"]), reverse=True)
    events = {f"e-{event['id']}": _kept(event, mapping, steers=steers) for mapping, event in kept[:MOST_KEPT]}
    lines = [tag("p", line, class_="note") for line in missing(told)]
    return Screen({"members": {"missing": tag("div", *lines, id="missing")}, "causes": cards, "kept": events})


def _kept(event: Shown, mapping: Shown, *, steers: bool) -> Markup:
    name, first = event["id"], event["first_record"]
    records = counted(event["records"], "record")
    where = () if first is None else (" from ", words.shortly(first), f" of {event['partition']}")
    hidden = f", {counted(event['redacted'], 'value')} redacted" if event["redacted"] else None
    rerun = button("Run again once", mapping, "rerun", f"event {name}", event=name) if steers else None
    return tag(
        "li",
        tag("p", tag("code", name), " ", tag("strong", event["error"]), f", {records}", *where, hidden, " "),
        tag("p", words.moment(event["at"]), " in ", _link(mapping)),
        tag("p", tag("code", words.cut(event["text"])), class_="error") if event["text"] else None,
        rerun,
        id=f"e-{name}",
    )


def _link(mapping: Shown) -> Markup:
    return tag("a", mapping["name"], href=path(mapping["uuid"]), data_key="open")


def _cause(key: str, mapping: Shown, group: Shown) -> Markup:
    times = "once" if group["count"] == 1 else f"{group['count']:,} times"
    lines = [
        tag(
            "p",
            f"{times}, {counted(group['records'], 'record')}, ",
            words.moment(group["first"]["at"]),
            None if group["count"] == 1 else join(" to ", words.moment(group["last"]["at"])),
            " in ",
            _link(mapping),
            f" ({mapping['function']})",
            f" on {', '.join(group['members'])}" if group["members"] else None,
        ),
        *_more(group),
    ]
    return tag("li", tag("h2", group["error"]), *lines, id=key)


def _more(group: Shown) -> Iterator[Markup]:
    last, smallest = group["last"], group["smallest"]
    if group["began"] is not None:
        yield tag("p", group["began"], class_="note")
    if last["text"]:
        yield tag("p", tag("code", words.cut(last["text"])), class_="error")
    if smallest["first_record"] is not None:
        count = counted(smallest["records"], "record") + ("" if smallest["records"] == 1 else " from")
        where = f" of {smallest['partition']}"
        yield tag("p", f"Smallest batch that failed: {count} ", words.shortly(smallest["first_record"]), where)
    if last["request_id"]:
        yield tag("p", "Last request: ", tag("code", last["request_id"]), class_="quiet")
    if last["logs"]:
        yield tag("pre", Markup("\n".join(map(_line, last["logs"]))), class_="quiet")


def _line(log: str) -> Markup:
    """A line of a function's log; Lambda's runtimes indent a traceback by spaces that do not break."""
    return safe(log.replace("\xa0", " "))


def failures_layout(found: Screen) -> Markup:
    """The screen's frame around its parts."""
    empty = "No function has failed since the daemon's start."
    none = "None is kept; failed_events.keep in the configuration says how many are."
    return join(
        tag("div", found.inside("members"), id="members"),
        tag("ul", found.inside("causes"), id="causes", class_="cards", data_empty=empty),
        tag("h2", "Failed events that are kept"),
        tag("ul", found.inside("kept"), id="kept", class_="cards", data_empty=none),
    )
