"""The screen of one mapping: why, its batches that wait with what can be done, its account, shards and lanes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from poller.daemon.api.notes import span
from poller.daemon.api.page import forms, history, redrives, words
from poller.daemon.api.page.forms import Given, Told, button
from poller.daemon.api.page.html import Markup, join, tag
from poller.daemon.api.page.overview import curve
from poller.daemon.api.page.parts import Shown
from poller.daemon.api.page.screen import Screen
from poller.policy.actions import Action
from poller.policy.failures import template
from poller.policy.redriving import Redriven
from poller.ports.status import MappingState, ReasonCode
from poller.values.texts import counted

MOST_PARTITIONS = 200
"""Shown one by one; those that wait first."""
MOST_LOOKED_AT = 100
"""Records of a batch that one look shows."""
MOST_AT_ONCE = 3
"""Keys of a batch whose buttons are not folded away."""
LISTS = ("batches", "orders", "undo", "redrives", "more", "partitions")
"""Those of the screen, beside what is said of the mapping itself."""
LOOK = Told("Shows them. Nothing is consumed.")
ASK = Told("Asks its destination at once to accept it.")
RETRY = Told("Invokes the function with it at once instead of later.")
HAND_OVER = Told("Tries it with another function this time only.")
RESET = Told("Tries it at once, and counts its attempts anew.")
SKIP = Told("Gives it up. Its destination hears of it, and it can be redriven.")
ISOLATE = Told("Gives up the records of this key. The destination hears of them.")
ISOLATE_DROPS = Told("Gives up the records of this key, and nobody hears of them.", danger=True)
DROP = Told("Gives it up, and nobody hears of it.", danger=True)
SHORT = 60
"""Characters of a reason that each shard repeats."""
COLUMNS = ("Shard or queue", "Position", "Behind", "Lanes", "Why")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known beside the status."""

    redrives: Sequence[Redriven]
    functions: Sequence[str]
    """Keys of functions that a batch can be handed over to."""
    seek: Action | None = None
    """The last one of the mapping that can be undone."""


def screen(mapping: Shown, known: Known, *, steers: bool) -> Screen:
    """Everything about it; buttons for those who may steer."""
    if mapping["untold"] is not None:
        told = tag("p", words.cut(mapping["untold"]), id="state")
        state = {"state": tag("div", words.badge(mapping["state"]), told, id="state")}
        return Screen({"about": state, **{name: {} for name in LISTS}})
    functions = [one for one in known.functions if one != mapping["function"]]
    return Screen(
        {
            "about": {"state": _state(mapping, steers=steers)},
            "batches": dict(batches(mapping, steers=steers, hands_over=bool(functions))),
            "orders": {"order-mapping": _orders(mapping)} if steers else {},
            "undo": {"undo-seek": forms.undo(mapping, known.seek)} if steers and known.seek is not None else {},
            "redrives": dict(redrives.cards(mapping, known.redrives, steers=steers)),
            "more": {"facts": _facts(mapping)},
            "partitions": dict(partitions(mapping, steers=steers)),
        }
    )


def _state(mapping: Shown, *, steers: bool) -> Markup:
    advice = words.to_do(mapping["reason"], steers=steers)
    told = [tag("p", words.shortly(note["text"]), class_="note") for note in mapping["notes"]]
    return tag(
        "div",
        tag("p", words.badge(mapping["state"]), " ", words.stuck(mapping["stuck"])),
        tag("p", words.reason(mapping["reason"])) if mapping["reason"] is not None else None,
        tag("p", tag("strong", "To do: "), advice) if advice else None,
        *told,
        id="state",
        data_name=mapping["name"],
        data_state=mapping["state"],
    )


def _facts(mapping: Shown) -> Markup:
    lag, counters, rates = mapping["lag"], mapping["counters"], mapping["rates"]
    last = mapping["last_failure"]
    rows: list[tuple[str, Markup | str]] = [
        ("Source", mapping["event_source_arn"]),
        ("Function", mapping["function"]),
        ("Records/s", join(words.number(history.rate(rates)), " ", curve(rates))),
        ("Behind", words.behind(lag)),
        ("Oldest expires", words.expiry(lag)),
        ("In flight", words.count(mapping["in_flight"])),
        (
            "Account",
            ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counters.items() if count) or words.NONE,
        ),
        ("Unaccounted", words.count(mapping["unaccounted"])),
    ]
    shadow = mapping["shadow"]
    if shadow is not None:
        counts = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in shadow["counters"].items())
        rows.append(("Shadow", join(f"{shadow['function']}: {counts} ", words.cut(shadow["last_failure"] or ""))))
    if mapping["last_success_at"] is not None:
        rows.append(("Last success", words.moment(mapping["last_success_at"])))
    if last is not None:
        rows.append(("Last failure", join(words.moment(last["at"]), " ", words.shortly(words.cut(last["text"])))))
    return tag("dl", *(join(tag("dt", name), tag("dd", value)) for name, value in rows), id="facts")


def _orders(mapping: Shown) -> Markup:
    paused = mapping["state"] == MappingState.PAUSED
    buttons = [button("Resume" if paused else "Pause", mapping, "resume" if paused else "pause")]
    if mapping["looks"] and not mapping["seeks"]:
        # a stream has such a button for each shard
        buttons.append(button("Look at messages", mapping, "peek", event=True))
        buttons.append(button("Look at dead letters", mapping, "peek", of="dead_letters", event=True))
        buttons.append(button("Redrive dead letters", mapping, "redrive", of="dead_letters"))
    if mapping["destination"] is not None and mapping["looks"]:
        buttons.append(button("Look at its destination", mapping, "peek", of="destination", event=True))
        buttons.append(button("Redrive its destination", mapping, "redrive", of="destination"))
    note = forms.received(mapping) if mapping["looks"] else None
    return tag("div", tag("div", *buttons, class_="buttons"), note, id="order-mapping")


def batches(mapping: Shown, *, steers: bool, hands_over: bool) -> Iterator[tuple[str, Markup]]:
    """A card for each batch that waits, by its id; buttons for those who may steer."""
    seen: Counter[str] = Counter()
    told = words.text(mapping["reason"])
    for one in (*mapping["batches"], *_elsewhere(mapping)):
        key = f"b-{one['partition']}-{one['lane']}"
        seen[key] += 1
        if seen[key] > 1:
            # a queue's lane of that number, which each worker process and each member of a fleet has
            key = f"{key}-{seen[key]}"
        why = None if told in (one["text"], f"{words.on(one).strip()}: {one['text']}") else one["text"]
        yield key, _batch(key, one, why, _of_batch(mapping, one, hands_over=hands_over) if steers else None)
    if mapping["more_batches"]:
        yield "b-more", tag("li", f"and {mapping['more_batches']} more", id="b-more")


def _elsewhere(mapping: Shown) -> Iterator[Shown]:
    """Batches that wait on other members of the fleet, in the form of those that wait here."""
    for partition in mapping["partitions"]:
        for one in partition["elsewhere"]:
            why = one["reason"]
            where = {"partition": partition["id"], "text": words.text(why), "next_try_at": why["next_try_at"]}
            yield {**one, **where}


def _batch(key: str, one: Shown, why: str | None, buttons: Markup | None) -> Markup:
    count, first, next_try = one["records"], one["first"], one["next_try_at"]
    what = counted(count, "record") if count else "the closing call of a window"
    which = None if first is None else words.shortly(f" {first}" if count == 1 else f" {first} to {one['last']}")
    again = None if next_try is None else join(" Next try ", words.moment(next_try, "ahead"), ".")
    where = f" of {one['partition']}, lane {one['lane']}{words.on(one)}."
    return tag(
        "li",
        tag("p", tag("strong", what), which, where, again),
        tag("p", words.shortly(words.cut(why)), class_="error") if why else None,
        buttons,
        id=key,
    )


def _of_batch(mapping: Shown, one: Shown, *, hands_over: bool) -> Markup:
    destination, rests = mapping["destination"], not one["awaits_destination"]
    which: dict[str, Given] = {"partition": one["partition"], "lane": one["lane"], "first": one["first"]}
    about = f"{one['partition']}, lane {one['lane']}{words.on(one)}"
    buttons = []
    if one["first"] is not None and one["first"].isdecimal() and mapping["looks"] and mapping["seeks"]:
        first, most = one["first"], min(one["records"], MOST_LOOKED_AT)
        place: dict[str, Given] = {"partition": one["partition"], "sequence_number": first, "most": most}
        buttons.append(button("Look at its records", mapping, "peek", about, LOOK, **place, event=True))
    buttons.append(button("Retry now", mapping, "retry", about, RETRY if rests else ASK, **which))
    if hands_over and rests:
        buttons.append(button("Hand over once", mapping, "handover", about, HAND_OVER, **which))
    if one["discards"]:
        again: dict[str, Given] = {**which, "reset_attempts": True}
        buttons.append(button("Retry with attempts reset", mapping, "retry", about, RESET, **again))
        if destination is not None and rests:
            buttons.append(button("Skip to its destination", mapping, "skip", about, SKIP, **which))
        dropped = None if destination is not None else True
        isolating = [
            button(
                f"Isolate {words.cut(key)} ({count:,} of {one['records']:,})",
                mapping, "isolate", about, ISOLATE if dropped is None else ISOLATE_DROPS,
                **which, key=key, drop=dropped,
            )
            for key, count in one["keys"]
        ]  # fmt: skip
        buttons += isolating[:MOST_AT_ONCE]
        others = isolating[MOST_AT_ONCE:]
        text = "Skip without a destination" if destination is None else "Drop without its destination"
        buttons.append(button(text, mapping, "skip", about, DROP, **which, drop=True))
        if others:
            folded = tag("div", *others, class_="buttons")
            return join(
                tag("div", *buttons, class_="buttons"), tag("details", tag("summary", "Isolate another key"), folded)
            )
    return tag("div", *buttons, class_="buttons")


def partitions(mapping: Shown, *, steers: bool) -> Iterator[tuple[str, Markup]]:
    """A row for each shard, or of the queue, by its id."""
    found = sorted(mapping["partitions"], key=_is_quiet)
    said: dict[str, str] = {}
    for partition in found[:MOST_PARTITIONS]:
        name, behind = partition["id"], partition["behind_seconds"]
        key = f"p-{name}"
        look = None
        if steers and mapping["looks"] and mapping["seeks"]:
            look = button("Look at what is next", mapping, "peek", name, partition=name, event=True)
        lanes = Counter(lane["code"].replace("_", " ") for lane in partition["lanes"])
        yield (
            key,
            tag(
                "tr",
                tag("th", name, scope="row"),
                tag("td", words.shortly(partition["position"] or words.NONE)),
                tag("td", words.NONE if behind is None else span(behind), _expiry(partition), class_="number"),
                tag("td", ", ".join(f"{count} {code}" for code, count in lanes.most_common()) or words.NONE),
                tag("td", words.reason(partition["reason"], _as_before(partition, said)), " ", look),
                id=key,
            ),
        )
    if len(found) > MOST_PARTITIONS:
        cell = tag("td", f"and {len(found) - MOST_PARTITIONS:,} more", colspan=str(len(COLUMNS)))
        yield "p-more", tag("tr", cell, id="p-more")


def _expiry(partition: Shown) -> str | None:
    """When the oldest record of a shard expires that waits on another member."""
    told = [one["expires_in_seconds"] for one in partition["elsewhere"] if one["expires_in_seconds"] is not None]
    return f", expires in {span(min(told))}" if told else None


def _is_quiet(partition: Shown) -> bool:
    """Whether nothing of it waits, here or elsewhere."""
    reason = partition["reason"]
    return not partition["elsewhere"] and (reason is None or reason["code"] in (*words.QUIET, ReasonCode.NOT_MINE))


def _as_before(partition: Shown, said: dict[str, str]) -> str | None:
    """What is said in the place of a long reason that a row above has as well, but for its numbers. `said` are the
    rows of the reasons so far, without numbers.
    """
    reason, told = partition["reason"], words.text(partition["reason"])
    if told is None or len(told) <= SHORT:
        return None
    first = said.setdefault(template(told), partition["id"])
    return None if first == partition["id"] else f"{reason['code'].replace('_', ' ')}, as {first}"


def layout(found: Screen, mapping: Shown, *, steers: bool) -> Markup:
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
        forms.peek(mapping) if steers and mapping["looks"] else None,
        forms.redrive(mapping) if steers and mapping["looks"] else None,
        join(forms.seek(mapping, found.inside("undo")), forms.shards(mapping)) if steers and mapping["seeks"] else None,
        tag("div", found.inside("more"), id="more"),
        tag("h2", "Shards and lanes"),
        tag("div", table, class_="wide", tabindex="0", role="region", aria_label="Shards and lanes"),
        tag("h2", "Redrives"),
        tag("ul", found.inside("redrives"), id="redrives", class_="cards", data_empty="Nothing was redriven."),
    )
