"""The screen of failures by cause, and that of the action log."""

from collections.abc import Iterator, Sequence

from poller.daemon.api.page import words
from poller.daemon.api.page.forms import button
from poller.daemon.api.page.html import Markup, join, tag
from poller.daemon.api.page.overview import path
from poller.daemon.api.page.screen import Screen
from poller.daemon.api.page.words import ToWall
from poller.policy.actions import Action, Stage
from poller.policy.failed_events import FailedEvent
from poller.policy.failures import FailureGroup, began
from poller.ports.daemon_status import ConfigurationStatus
from poller.ports.status import MappingStatus

MOST_GROUPS = 100
MOST_ACTIONS = 200
MOST_KEPT = 100
STAGES = {Stage.DONE: "done", Stage.FAILED: "not done", Stage.BEGUN: "begun; the daemon ended before it was known"}
ACTION_COLUMNS = ("When", "Mapping", "Action", "Effect", "By", "Why")


def failures(
    mappings: Sequence[MappingStatus],
    configuration: ConfigurationStatus | None,
    kept: Sequence[FailedEvent],
    to_wall: ToWall,
    *,
    steers: bool,
) -> Screen:
    """Causes of all mappings, the one that failed last first, and the events that are kept; buttons for those who may
    steer.
    """
    found = [(mapping, group) for mapping in mappings for group in mapping.failures.newest_first()]
    found.sort(key=lambda one: one[1].last.at, reverse=True)
    cards = {}
    for mapping, group in found[:MOST_GROUPS]:
        key = f"f-{mapping.uuid}-{group.number}"
        cards[key] = _cause(key, mapping, group, configuration, to_wall)
    by_uuid = {mapping.uuid: mapping for mapping in mappings}
    events = {
        f"e-{event.id}": _kept(event, by_uuid[event.uuid], steers=steers)
        for event in kept[:MOST_KEPT]
        if event.uuid in by_uuid
    }
    return Screen({"causes": cards, "kept": events})


def _kept(event: FailedEvent, mapping: MappingStatus, *, steers: bool) -> Markup:
    records = "1 record" if event.records == 1 else f"{event.records:,} records"
    first = () if event.first is None else (" from ", tag("code", event.first), f" of {event.partition}")
    hidden = f", {event.redacted:,} values redacted" if event.redacted else None
    rerun = button("Run again once", mapping, "rerun", f"event {event.id}", event=event.id) if steers else None
    return tag(
        "li",
        tag("p", tag("code", event.id), " ", tag("strong", event.error), f", {records}", *first, hidden, " "),
        tag("p", words.moment(event.at), " in ", tag("a", mapping.name, href=path(mapping), data_key="open")),
        tag("p", tag("code", words.cut(event.text)), class_="error") if event.text else None,
        rerun,
        id=f"e-{event.id}",
    )


def _cause(
    key: str, mapping: MappingStatus, group: FailureGroup, configuration: ConfigurationStatus | None, to_wall: ToWall
) -> Markup:
    times = "once" if group.count == 1 else f"{group.count:,} times"
    lines = [
        tag(
            "p",
            f"{times}, {group.records:,} records, ",
            words.moment(to_wall(group.first.at)),
            None if group.count == 1 else join(" to ", words.moment(to_wall(group.last.at))),
            " in ",
            tag("a", mapping.name, href=path(mapping), data_key="open"),
            f" ({mapping.function})",
        ),
        *_more(group, configuration, to_wall),
    ]
    return tag("li", tag("h2", group.error), *lines, id=key)


def _more(group: FailureGroup, configuration: ConfigurationStatus | None, to_wall: ToWall) -> Iterator[Markup]:
    if configuration is not None:
        sentence = began(to_wall(group.first.at), configuration.loaded_at, configuration.loads)
        if sentence is not None:
            yield tag("p", sentence, class_="note")
    if group.last.text:
        yield tag("p", tag("code", words.cut(group.last.text)), class_="error")
    smallest = group.smallest
    if smallest.first is not None:
        count = "1 record" if smallest.records == 1 else f"{smallest.records:,} records from"
        yield tag(
            "p", f"Smallest batch that failed: {count} ", tag("code", smallest.first), f" of {smallest.partition}"
        )
    if group.last.request_id:
        yield tag("p", "Last request: ", tag("code", group.last.request_id), class_="quiet")
    if group.last.logs:
        yield tag("pre", group.last.logs, class_="quiet")


def failures_layout(found: Screen) -> Markup:
    """The screen's frame around its parts."""
    empty = "No function has failed since the daemon's start."
    none = "None is kept; failed_events.keep in the configuration says how many are."
    return join(
        tag("ul", found.inside("causes"), id="causes", class_="cards", data_empty=empty),
        tag("h2", "Failed events that are kept"),
        tag("ul", found.inside("kept"), id="kept", class_="cards", data_empty=none),
    )


def actions_table(actions: Sequence[Action]) -> Markup:
    """What people did by hand, the latest first."""
    if not actions:
        return tag("p", "Nothing was done by hand.")
    head = tag("tr", *(tag("th", column, scope="col") for column in ACTION_COLUMNS))
    rows = [
        tag(
            "tr",
            tag("td", words.moment(action.at)),
            tag("th", action.mapping, scope="row"),
            tag("td", action.what, tag("span", STAGES[action.stage], class_="about")),
            tag("td", action.effect),
            tag("td", f"{action.who or 'somebody'}, {action.via}"),
            tag("td", action.why or words.NONE),
        )
        for action in actions[:MOST_ACTIONS]
    ]
    caption = tag("caption", "The action log", class_="hidden")
    table = tag("table", caption, tag("thead", head), tag("tbody", *rows))
    return tag("div", table, class_="wide", tabindex="0", role="region", aria_label="The action log")
