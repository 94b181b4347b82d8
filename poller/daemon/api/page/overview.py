"""The screen of all mappings: state, why, pace, lag and expiry, those with a problem first."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from urllib.parse import quote

from poller.daemon.api.isolation import Isolation
from poller.daemon.api.page import words
from poller.daemon.api.page.history import HEIGHT, WIDTH, History
from poller.daemon.api.page.html import Markup, join, tag
from poller.daemon.api.page.screen import Screen
from poller.daemon.api.page.words import ToWall
from poller.daemon.api.shown_reasons import mapping_reason, state_of
from poller.daemon.api.streaming import SLICE
from poller.ports.status import MappingState, MappingStatus

WORST_FIRST = (MappingState.PROBLEM, MappingState.DEGRADED)
_RANK = {state: rank for rank, state in enumerate(WORST_FIRST)}
COLUMNS = ("Mapping", "State", "Why", "Records/s", "Behind", "Oldest expires")


async def screen(
    mappings: Sequence[MappingStatus], history: History, isolation: Isolation, now: float, to_wall: ToWall
) -> Screen:
    """The rows, and a line that counts them by state. Gives the loop its turn between rows."""
    rows: list[tuple[int, str, Markup]] = []
    states: Counter[str] = Counter()
    time = asyncio.get_running_loop().time
    turn_ends = time() + SLICE
    for mapping in list(mappings):
        if time() > turn_ends:
            await asyncio.sleep(0)
            turn_ends = time() + SLICE
        isolation.sample((mapping,), now)
        state, row = isolation.ask(
            mapping,
            lambda mapping=mapping: _row(mapping, history, now, to_wall),  # type: ignore[misc]
            lambda problem, mapping=mapping: _untold(mapping, problem),  # type: ignore[misc]
        )
        states[state.value] += 1
        rows.append((_RANK.get(state, len(_RANK)), f"m-{mapping.uuid}", row))
    # the sort is stable, so that mappings stay as they are configured
    rows.sort(key=lambda row: row[0])
    summary = ", ".join(f"{count} {state}" for state, count in states.most_common()) or "no mappings"
    line = tag("p", summary, id="summary", class_="quiet")
    return Screen({"head": {"summary": line}, "rows": {key: row for _, key, row in rows}})


def path(mapping: MappingStatus) -> str:
    """Where the screen of a mapping is."""
    return f"/mappings/{quote(mapping.uuid, safe='')}"


def _row(mapping: MappingStatus, history: History, now: float, to_wall: ToWall) -> tuple[MappingState, Markup]:
    reason, lag = mapping_reason(mapping, now), mapping.lag()
    state = state_of(mapping, reason)
    cells = (
        tag("td", words.badge(state)),
        tag("td", words.reason(reason, to_wall)),
        tag("td", words.number(history.rate(mapping.uuid)), " ", curve(history, mapping), class_="number"),
        tag("td", words.behind(lag), class_="number"),
        tag("td", words.expiry(lag), class_="number"),
    )
    return state, _tr(mapping, state, *cells)


def _untold(mapping: MappingStatus, problem: str) -> tuple[MappingState, Markup]:
    told = tag("td", words.cut(f"the status of this mapping could not be told: {problem}"), colspan="4")
    return mapping.state, _tr(mapping, mapping.state, tag("td", words.badge(mapping.state)), told)


def _tr(mapping: MappingStatus, state: MappingState, *cells: Markup) -> Markup:
    link = tag("a", mapping.name, href=path(mapping), data_key="open")
    about = tag("span", f"{mapping.event_source_arn.rpartition(':')[2]} → {mapping.function}", class_="about")
    head = tag("th", link, about, scope="row")
    return tag("tr", head, *cells, id=f"m-{mapping.uuid}", data_name=mapping.name, data_state=state.value)


def curve(history: History, mapping: MappingStatus) -> Markup | None:
    """The pace of the last five minutes."""
    points = history.curve(mapping.uuid)
    if not points:
        return None
    line = tag("polyline", points=points)
    return tag("svg", line, class_="curve", viewBox=f"0 0 {WIDTH} {HEIGHT}", aria_hidden="true", focusable="false")


def layout(found: Screen) -> Markup:
    """The screen's frame around its parts."""
    head = tag("tr", *(tag("th", column, scope="col") for column in COLUMNS))
    body = tag("tbody", found.inside("rows"), id="rows")
    rows = tag("table", tag("caption", "All mappings", class_="hidden"), tag("thead", head), body)
    label = tag("label", "Filter ", Markup('<input id="filter" type="search" autocomplete="off">'))
    return join(
        tag("div", found.inside("head"), id="head"),
        tag("div", label, class_="tools"),
        tag("div", rows, class_="wide", tabindex="0", role="region", aria_label="Mappings"),
    )
