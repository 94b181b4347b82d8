"""The screen of one mapping: why, its batches that wait with what can be done, its account, shards and lanes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from poller.daemon.api.isolation import Isolation
from poller.daemon.api.notes import notes, span
from poller.daemon.api.page import forms, redrives, words
from poller.daemon.api.page.forms import Given, button
from poller.daemon.api.page.history import History
from poller.daemon.api.page.html import Markup, join, tag
from poller.daemon.api.page.overview import QUIET, curve
from poller.daemon.api.page.screen import Screen
from poller.daemon.api.page.words import ToWall
from poller.daemon.api.shown_reasons import mapping_reason, partition_reason, state_of
from poller.policy.advice import TO_DO
from poller.policy.redriving import Redriven
from poller.ports.held import Held
from poller.ports.status import LaneStatus, MappingState, MappingStatus

MOST_PARTITIONS = 200
"""Shown one by one; those that wait first."""
MOST_HELD = 50
MOST_COUNTED = 200
"""Records of a batch whose keys are counted, once a second for each viewer."""
MOST_KEYS = 3
MOST_OF_KEY = 60
"""Characters of a key that a button shows."""
COLUMNS = ("Shard or queue", "Position", "Behind", "Lanes", "Why")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known beside the status."""

    history: History
    redrives: Sequence[Redriven]
    functions: Sequence[str]
    """Keys of functions that a batch can be handed over to."""


def screen(
    mapping: MappingStatus, known: Known, isolation: Isolation, now: float, to_wall: ToWall, *, steers: bool
) -> Screen:
    """Everything about it; buttons for those who may steer."""
    functions = [one for one in known.functions if one != mapping.function]

    def made() -> Screen:
        return Screen(
            {
                "about": {"state": _state(mapping, now, to_wall)},
                "batches": dict(_batches(mapping, to_wall, steers=steers, hands_over=bool(functions))),
                "orders": {"order-mapping": _orders(mapping)} if steers else {},
                "redrives": dict(redrives.cards(mapping, known.redrives, steers=steers)),
                "more": {"facts": _facts(mapping, known.history, to_wall)},
                "partitions": dict(_partitions(mapping, now, to_wall, steers=steers)),
            }
        )

    return isolation.ask(mapping, made, lambda problem: _untold(mapping, problem))


def _untold(mapping: MappingStatus, problem: str) -> Screen:
    told = tag("p", words.cut(f"the status of this mapping could not be told: {problem}"), id="state")
    state = {"state": tag("div", words.badge(mapping.state), told, id="state")}
    return Screen({"about": state, "batches": {}, "orders": {}, "redrives": {}, "more": {}, "partitions": {}})


def _state(mapping: MappingStatus, now: float, to_wall: ToWall) -> Markup:
    reason = mapping_reason(mapping, now)
    advice = words.to_do(reason)
    state = state_of(mapping, reason)
    told = [tag("p", text, class_="note") for _, text in notes(mapping, mapping.lag())]
    return tag(
        "div",
        tag("p", words.badge(state), " ", words.reason(reason, to_wall)),
        tag("p", tag("strong", "To do: "), advice) if advice else None,
        *told,
        id="state",
        data_name=mapping.name,
        data_state=state.value,
    )


def _facts(mapping: MappingStatus, history: History, to_wall: ToWall) -> Markup:
    lag, account, in_flight = mapping.lag(), mapping.account, mapping.in_flight()
    counters = account.counters()
    last = mapping.last_failure
    rows: list[tuple[str, Markup | str]] = [
        ("Source", mapping.event_source_arn),
        ("Function", mapping.function),
        ("Records/s", join(words.number(history.rate(mapping.uuid)), " ", curve(history.curve(mapping.uuid)))),
        ("Behind", words.behind(lag)),
        ("Oldest expires", words.expiry(lag)),
        ("In flight", f"{in_flight:,}"),
        (
            "Account",
            ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counters.items() if count) or words.NONE,
        ),
        ("Unaccounted", f"{account.unaccounted(in_flight):,}"),
    ]
    if mapping.shadow is not None:
        counts = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in mapping.shadow.counts().items())
        rows.append(("Shadow", join(f"{mapping.shadow.function}: {counts} ", words.cut(mapping.shadow.last_failure))))
    if mapping.last_success is not None:
        rows.append(("Last success", words.moment(to_wall(mapping.last_success))))
    if last is not None:
        rows.append(("Last failure", join(words.moment(to_wall(last.at)), " ", words.cut(last.text))))
    return tag("dl", *(join(tag("dt", name), tag("dd", value)) for name, value in rows), id="facts")


def _orders(mapping: MappingStatus) -> Markup:
    paused = mapping.state is MappingState.PAUSED
    buttons = [button("Resume" if paused else "Pause", mapping, "resume" if paused else "pause")]
    if mapping.looks and not mapping.seeks:
        # a stream has such a button for each shard
        buttons.append(button("Look at messages", mapping, "peek", event=True))
        buttons.append(button("Look at dead letters", mapping, "peek", of="dead_letters", event=True))
        buttons.append(button("Redrive dead letters", mapping, "redrive", of="dead_letters"))
    if mapping.destination is not None and mapping.looks:
        buttons.append(button("Look at its destination", mapping, "peek", of="destination", event=True))
        buttons.append(button("Redrive its destination", mapping, "redrive", of="destination"))
    return tag("div", *buttons, id="order-mapping", class_="buttons")


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A batch that waits, and where."""

    partition: str
    number: int
    lane: LaneStatus
    held: Held

    @property
    def key(self) -> str:
        return f"b-{self.partition}-{self.number}"


def _batches(
    mapping: MappingStatus, to_wall: ToWall, *, steers: bool, hands_over: bool
) -> Iterator[tuple[str, Markup]]:
    found = [
        _Waiting(partition.id, number, lane, lane.held)
        for partition in mapping.partitions
        for number, lane in enumerate(partition.lanes)
        if lane.held is not None
    ]
    for one in found[:MOST_HELD]:
        yield one.key, _batch(one, to_wall, _of_batch(mapping, one, hands_over=hands_over) if steers else None)
    if len(found) > MOST_HELD:
        yield "b-more", tag("li", f"and {len(found) - MOST_HELD} more", id="b-more")


def _batch(one: _Waiting, to_wall: ToWall, buttons: Markup | None) -> Markup:
    held, next_try = one.held, one.lane.next_try
    count = len(held.part.records)
    what = "the closing call of a window" if not count else "1 record" if count == 1 else f"{count:,} records"
    which = "" if held.first is None else f" {held.first}" if count == 1 else f" {held.first} to {held.last}"
    again = None if next_try is None else join(" Next try ", words.moment(to_wall(next_try), "ahead"), ".")
    where = f" of {one.partition}, lane {one.number}."
    return tag(
        "li",
        tag("p", tag("strong", what), tag("code", which), where, again),
        tag("p", words.cut(one.lane.text.partition(TO_DO)[0]), class_="error"),
        buttons,
        id=one.key,
    )


def _of_batch(mapping: MappingStatus, one: _Waiting, *, hands_over: bool) -> Markup:
    held = one.held
    which: dict[str, Given] = {"partition": one.partition, "lane": one.number, "first": held.first}
    about = f"{one.partition}, lane {one.number}"
    buttons = [button("Retry now", mapping, "retry", about, **which)]
    if hands_over and held.part.awaiting is None:
        buttons.append(button("Hand over once", mapping, "handover", about, **which))
    if held.discards:
        buttons.append(button("Retry with attempts reset", mapping, "retry", about, **which, reset_attempts=True))
        if mapping.destination is not None and held.part.awaiting is None:
            buttons.append(button("Skip to its destination", mapping, "skip", about, **which))
        for key, count in _keys(mapping, held):
            buttons.append(button(f"Isolate {words.cut(key)} ({count:,})", mapping, "isolate", about, **which, key=key))
        text = "Skip" if mapping.destination is None else "Drop without its destination"
        buttons.append(button(text, mapping, "skip", about, **which, drop=True))
    return tag("div", *buttons, class_="buttons")


def _keys(mapping: MappingStatus, held: Held) -> list[tuple[str, int]]:
    """The keys that can be given up by a button: the few that a small batch has most records of."""
    if mapping.destination is None or held.part.awaiting is not None or len(held.part.records) > MOST_COUNTED:
        return []
    keys = held.keys()
    return keys[:MOST_KEYS] if len(keys) > 1 else []


def _partitions(mapping: MappingStatus, now: float, to_wall: ToWall, *, steers: bool) -> Iterator[tuple[str, Markup]]:
    found = [(partition, partition_reason(partition, now)) for partition in (*mapping.partitions, *mapping.waiting)]
    found.sort(key=lambda one: one[1] is None or one[1].code in QUIET)
    for partition, reason in found[:MOST_PARTITIONS]:
        key = f"p-{partition.id}"
        behind = partition.behind()
        look = None
        if steers and mapping.looks and mapping.seeks:
            look = button("Look at what is next", mapping, "peek", partition.id, partition=partition.id, event=True)
        lanes = Counter(lane.code.value.replace("_", " ") for lane in partition.lanes)
        yield (
            key,
            tag(
                "tr",
                tag("th", partition.id, scope="row"),
                tag("td", tag("code", partition.position or words.NONE)),
                tag("td", words.NONE if behind is None else span(behind), class_="number"),
                tag("td", ", ".join(f"{count} {code}" for code, count in lanes.most_common()) or words.NONE),
                tag("td", words.reason(reason, to_wall), look),
                id=key,
            ),
        )
    if len(found) > MOST_PARTITIONS:
        cell = tag("td", f"and {len(found) - MOST_PARTITIONS:,} more", colspan=str(len(COLUMNS)))
        yield "p-more", tag("tr", cell, id="p-more")


def layout(found: Screen, mapping: MappingStatus, *, steers: bool) -> Markup:
    """The screen's frame around its parts."""
    head = tag("tr", *(tag("th", column, scope="col") for column in COLUMNS))
    body = tag("tbody", found.inside("partitions"), id="partitions")
    table = tag("table", tag("caption", "Shards or queue", class_="hidden"), tag("thead", head), body)
    return join(
        tag("div", found.inside("about"), id="about"),
        tag("h2", "Batches that wait for another try"),
        tag("ul", found.inside("batches"), id="batches", class_="cards", data_empty="None waits."),
        tag("h2", "The mapping"),
        tag("div", found.inside("orders"), id="orders"),
        forms.peek(mapping) if steers and mapping.looks else None,
        forms.redrive(mapping) if steers and mapping.looks else None,
        join(forms.seek(mapping), forms.shards(mapping)) if steers and mapping.seeks else None,
        tag("div", found.inside("more"), id="more"),
        tag("h2", "Shards and lanes"),
        tag("div", table, class_="wide", tabindex="0", role="region", aria_label="Shards and lanes"),
        tag("h2", "Redrives"),
        tag("ul", found.inside("redrives"), id="redrives", class_="cards", data_empty="Nothing was redriven."),
    )
