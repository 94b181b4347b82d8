"""The screen of all mappings: state, why, pace, lag and expiry, those with a problem first."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from urllib.parse import quote

from poller.daemon.api.page import history, words
from poller.daemon.api.page.history import HEIGHT, WIDTH
from poller.daemon.api.page.html import Markup, join, tag
from poller.daemon.api.page.parts import Shown
from poller.daemon.api.page.screen import Screen
from poller.daemon.api.streaming import SLICE
from poller.ports.status import MappingState

WORST_FIRST = (MappingState.PROBLEM, MappingState.DEGRADED)
_RANK: dict[str, int] = {state: rank for rank, state in enumerate(WORST_FIRST)}
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


async def screen(mappings: Sequence[Shown], rows_made: Rows) -> Screen:
    """The rows, and a line that counts them by state. Gives the loop its turn between rows."""
    rows: list[tuple[int, str, Markup]] = []
    states: Counter[str] = Counter()
    time = asyncio.get_running_loop().time
    turn_ends = time() + SLICE
    for mapping in mappings:
        if time() > turn_ends:
            await asyncio.sleep(0)
            turn_ends = time() + SLICE
        state = mapping["state"]
        states[state] += 1
        rows.append((_RANK.get(state, len(_RANK)), f"m-{mapping['uuid']}", _row(mapping, rows_made)))
    rows_made.keep({mapping["uuid"] for mapping in mappings})
    # the sort is stable, so that mappings stay as they are configured
    rows.sort(key=lambda row: row[0])
    summary = ", ".join(f"{count} {state}" for state, count in states.most_common()) or "no mappings"
    line = tag("p", summary, id="summary", class_="quiet")
    return Screen({"head": {"summary": line}, "rows": {key: row for _, key, row in rows}})


def path(uuid: str) -> str:
    """Where the screen of a mapping is."""
    return f"/mappings/{quote(uuid, safe='')}"


def _row(mapping: Shown, rows: Rows) -> Markup:
    reason, lag = mapping["reason"], mapping["lag"]
    if reason is not None and reason["code"] in words.QUIET:
        # how long a step of ordinary work takes is for the mapping's own screen
        reason = {**reason, "since": None, "until": None, "next_try_at": None}
    behind, expiry = words.behind(lag), words.expiry(lag)
    shown = {**mapping, "reason": reason, "lag": (behind, expiry)}
    return rows.row(mapping["uuid"], shown, lambda: _made(mapping, reason, behind, expiry))


def _made(mapping: Shown, reason: Shown | None, behind: str, expiry: str) -> Markup:
    state = tag("td", words.badge(mapping["state"]), " ", words.stuck(mapping["stuck"]))
    if mapping["untold"] is not None:
        return _tr(mapping, state, tag("td", words.cut(mapping["untold"]), colspan="4"))
    rates = mapping["rates"]
    return _tr(
        mapping,
        state,
        tag("td", words.reason(reason)),
        tag("td", words.number(history.rate(rates)), " ", curve(rates), class_="number"),
        tag("td", behind, class_="number"),
        tag("td", expiry, class_="number"),
    )


def _tr(mapping: Shown, *cells: Markup) -> Markup:
    uuid, name = mapping["uuid"], mapping["name"]
    link = tag("a", name, href=path(uuid), data_key="open")
    source = mapping["event_source_arn"].rpartition(":")[2]
    about = tag("span", f"{source} → {mapping['function']}", class_="about")
    head = tag("th", link, about, scope="row")
    return tag("tr", head, *cells, id=f"m-{uuid}", data_name=name, data_state=mapping["state"])


def curve(rates: Sequence[float]) -> Markup | None:
    """The pace of the last five minutes."""
    points = history.curve(rates)
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
