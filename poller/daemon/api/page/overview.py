"""The screen of all mappings: state, why, pace, lag and expiry, those with a problem first."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from urllib.parse import quote

from poller.daemon.api.isolation import Isolation
from poller.daemon.api.page import words
from poller.daemon.api.page.history import HEIGHT, WIDTH, History
from poller.daemon.api.page.html import Markup, join, tag
from poller.daemon.api.page.screen import Screen
from poller.daemon.api.page.words import ToWall
from poller.daemon.api.shown_reasons import mapping_reason, state_of
from poller.daemon.api.streaming import SLICE
from poller.ports.status import MappingState, MappingStatus, Reason, ReasonCode

QUIET = frozenset(
    {ReasonCode.NO_DATA, ReasonCode.INVOKING, ReasonCode.SETTLING, ReasonCode.WINDOW, ReasonCode.STARTING}
)
"""Of ordinary work."""
WORST_FIRST = (MappingState.PROBLEM, MappingState.DEGRADED)
_RANK = {state: rank for rank, state in enumerate(WORST_FIRST)}
COLUMNS = ("Mapping", "State", "Why", "Records/s", "Behind", "Oldest expires")


class Rows:
    """The rows that were made last, each with what it was made of: most of them show the same a second later."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[object, Markup]] = {}

    def row(self, uuid: str, shown: object, make: Callable[[], Markup]) -> Markup:
        """The row of a mapping, made anew only where what it shows has changed."""
        made = self._made.get(uuid)
        if made is None or made[0] != shown:
            made = self._made[uuid] = shown, make()
        return made[1]

    def keep(self, uuids: AbstractSet[str]) -> None:
        """Forget the rows of all other mappings."""
        for gone in self._made.keys() - uuids:
            del self._made[gone]


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a row shows."""

    name: str
    source: str
    function: str
    state: MappingState
    reason: Reason | None
    rate: str
    curve: str
    behind: str
    expiry: str


async def screen(
    mappings: Sequence[MappingStatus],
    history: History,
    isolation: Isolation,
    rows_made: Rows,
    to_wall: ToWall,
) -> Screen:
    """The rows, and a line that counts them by state. Gives the loop its turn between rows."""
    now = asyncio.get_running_loop().time()
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
            lambda mapping=mapping: _row(mapping, history, now, to_wall, rows_made),  # type: ignore[misc]
            lambda problem, mapping=mapping: _untold(mapping, problem),  # type: ignore[misc]
        )
        states[state.value] += 1
        rows.append((_RANK.get(state, len(_RANK)), f"m-{mapping.uuid}", row))
    rows_made.keep({mapping.uuid for mapping in mappings})
    # the sort is stable, so that mappings stay as they are configured
    rows.sort(key=lambda row: row[0])
    summary = ", ".join(f"{count} {state}" for state, count in states.most_common()) or "no mappings"
    line = tag("p", summary, id="summary", class_="quiet")
    return Screen({"head": {"summary": line}, "rows": {key: row for _, key, row in rows}})


def path(mapping: MappingStatus) -> str:
    """Where the screen of a mapping is."""
    return f"/mappings/{quote(mapping.uuid, safe='')}"


def _row(
    mapping: MappingStatus, history: History, now: float, to_wall: ToWall, rows: Rows
) -> tuple[MappingState, Markup]:
    reason, lag = mapping_reason(mapping, now), mapping.lag()
    state = state_of(mapping, reason)
    if reason is not None and reason.code in QUIET:
        # how long a step of ordinary work takes is for the mapping's own screen
        reason = Reason(reason.code)
    shown = _Shown(
        mapping.name,
        mapping.event_source_arn,
        mapping.function,
        state,
        reason,
        words.number(history.rate(mapping.uuid)),
        history.curve(mapping.uuid),
        words.behind(lag),
        words.expiry(lag),
    )
    return state, rows.row(mapping.uuid, shown, lambda: _made(mapping, shown, to_wall))


def _made(mapping: MappingStatus, shown: _Shown, to_wall: ToWall) -> Markup:
    cells = (
        tag("td", words.badge(shown.state)),
        tag("td", words.reason(shown.reason, to_wall)),
        tag("td", shown.rate, " ", curve(shown.curve), class_="number"),
        tag("td", shown.behind, class_="number"),
        tag("td", shown.expiry, class_="number"),
    )
    return _tr(mapping, shown.state, *cells)


def _untold(mapping: MappingStatus, problem: str) -> tuple[MappingState, Markup]:
    told = tag("td", words.cut(f"the status of this mapping could not be told: {problem}"), colspan="4")
    return mapping.state, _tr(mapping, mapping.state, tag("td", words.badge(mapping.state)), told)


def _tr(mapping: MappingStatus, state: MappingState, *cells: Markup) -> Markup:
    link = tag("a", mapping.name, href=path(mapping), data_key="open")
    about = tag("span", f"{mapping.event_source_arn.rpartition(':')[2]} → {mapping.function}", class_="about")
    head = tag("th", link, about, scope="row")
    return tag("tr", head, *cells, id=f"m-{mapping.uuid}", data_name=mapping.name, data_state=state.value)


def curve(points: str) -> Markup | None:
    """The pace of the last five minutes."""
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
