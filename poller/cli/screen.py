"""Fits the status to a terminal: mappings with a problem first, a line for each, with their problems below."""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.cells import cell_len, set_cell_size

from poller.cli.output import clock, of_daemon, times, unaccounted
from poller.daemon.api.notes import span
from poller.support.printable import printable

Json = dict[str, Any]
Line = tuple[str, str]
"""The text of a line, and the state that it shows; empty where it shows none."""
STATES = ("problem", "degraded", "stopping", "starting", "running", "paused", "disabled", "stopped")
"""The order of states: what needs attention comes first."""
NEED_ATTENTION = frozenset({"problem", "degraded"})
LOOKS_BACK = 10.0
"""Seconds over which rates and latencies are taken."""
REFUSED_LINES = 3
"""Most lines of the report on a refused configuration, where lines are scarce."""
DETAIL_LINES = 2
"""Most lines of one reason or error, where lines are scarce."""
COLUMNS = (("state", 9), ("per s", 8), ("latency", 8), ("last ok", 8), ("behind", 10), ("in flight", 9))
"""The columns beside the name, which gets the rest of the width."""


@dataclass(frozen=True, slots=True)
class _Sample:
    moment: float
    delivered: int
    invocations: int
    seconds: float


class Rates:
    """The rates of each mapping, computed from its counters at several looks."""

    def __init__(self) -> None:
        self._samples: dict[str, deque[_Sample]] = {}

    def look(self, mappings: list[Json], now: float) -> None:
        """Take one more look, at `now` in seconds of any steady clock."""
        for mapping in mappings:
            invoked = mapping["invocations"]
            sample = _Sample(now, mapping["counters"]["delivered"], invoked["count"], invoked["seconds"])
            samples = self._samples.setdefault(mapping["uuid"], deque())
            if samples and sample.delivered < samples[-1].delivered:
                # the counters are those of another process
                samples.clear()
            samples.append(sample)
            while now - samples[0].moment > LOOKS_BACK:
                samples.popleft()

    def of(self, uuid: str) -> tuple[float | None, float | None]:
        """Records delivered per second, and seconds per invocation; None where unknown."""
        samples = self._samples.get(uuid, deque())
        if len(samples) < 2:
            return None, None
        first, last = samples[0], samples[-1]
        invocations = last.invocations - first.invocations
        latency = (last.seconds - first.seconds) / invocations if invocations else None
        return (last.delivered - first.delivered) / (last.moment - first.moment), latency


def lines(status: Json, rates: Rates, now: datetime, width: int, height: int | None = None) -> list[Line]:
    """The status of all mappings on a screen of that size; with None as height, on as many lines as it takes.

    Every mapping has its line before any details are shown, and the details of the worst mappings come first.
    """
    mappings = sorted(status["mappings"], key=lambda mapping: STATES.index(mapping["state"]))
    head = [_heading(status, now), *of_daemon(status)[: None if height is None else REFUSED_LINES]]
    if mappings:
        head.append(_row("mapping", [name for name, _ in COLUMNS], width))
    shown: list[Line] = [(_cut(line, width), "") for line in head]
    room = len(mappings) if height is None else height - len(shown)
    fitting = len(mappings) if len(mappings) <= room else max(0, room - 1)
    spare = None if height is None else room - len(mappings)
    for mapping in mappings[:fitting]:
        shown.append((_row(mapping["name"], _cells(mapping, rates, now), width), mapping["state"]))
        details = list(_details(mapping, now, width, None if spare is None else DETAIL_LINES))
        if spare is not None:
            details = details[: max(0, spare)]
            spare -= len(details)
        shown += [(line, "") for line in details]
    if fitting < len(mappings):
        shown.append((_cut(_rest(mappings[fitting:]), width), ""))
    return shown


def _heading(status: Json, now: datetime) -> str:
    counted = Counter(mapping["state"] for mapping in status["mappings"])
    states = ", ".join(f"{counted[state]} {state}" for state in STATES if counted[state]) or "no mappings"
    return f"poller {status['version']}, {now.astimezone():%H:%M:%S}: {states}"


def _rest(mappings: list[Json]) -> str:
    counted = Counter(mapping["state"] for mapping in mappings)
    return "and " + ", ".join(f"{counted[state]} more {state}" for state in STATES if counted[state])


def _cells(mapping: Json, rates: Rates, now: datetime) -> list[str]:
    rate, latency = rates.of(mapping["uuid"])
    succeeded, lag = mapping["last_success_at"], mapping["lag"]
    behind = [f"{lag['records']:,}"] if lag["records"] is not None else []
    behind += [span(lag["seconds"])] if lag["seconds"] is not None and not behind else []
    return [
        mapping["state"],
        "-" if rate is None else f"{rate:,.1f}" if 0 < rate < 10 else f"{rate:,.0f}",
        "-" if latency is None else f"{latency * 1000:.0f} ms" if latency < 10 else span(latency),
        "-" if succeeded is None else span(max(0.0, (now - datetime.fromisoformat(succeeded)).total_seconds())),
        *(behind or ["-"]),
        "-" if mapping["in_flight"] is None else f"{mapping['in_flight']:,}",
    ]


def _row(name: str, cells: list[str], width: int) -> str:
    taken = sum(columns for _, columns in COLUMNS) + len(COLUMNS)
    first = set_cell_size(_ellipsis(printable(name), max(1, width - taken)), max(1, width - taken))
    aligned = [cells[0].ljust(COLUMNS[0][1])]
    aligned += [
        _ellipsis(cell, columns).rjust(columns) for cell, (_, columns) in zip(cells[1:], COLUMNS[1:], strict=True)
    ]
    return _cut(" ".join([first, *aligned]), width)


def _details(mapping: Json, now: datetime, width: int, most: int | None) -> Iterator[str]:
    """The problems of a mapping, each on at most `most` lines."""
    reason, failure = mapping["reason"], mapping["last_failure"]
    said = []
    if mapping["state"] in NEED_ATTENTION and reason is not None:
        # the times come first, because the end may be cut
        said.append(f"{times(reason, now).strip(' ()') or reason['code']}: {reason['text']}")
    if mapping["state"] in NEED_ATTENTION and failure is not None and failure["text"] not in "".join(said):
        said.append(f"last error, {clock(failure['at'], now)}: {failure['text']}")
    said += [f"note: {note['text']}" for note in mapping["notes"]]
    if mapping["unaccounted"]:
        said.append(unaccounted(mapping["unaccounted"]))
    for text in said:
        yield from _wrapped(text, width, most)


def _wrapped(text: str, width: int, most: int | None) -> Iterator[str]:
    """The text, indented, on at most `most` lines; an ellipsis stands for the rest. Only long words are broken."""
    room, rest, made = max(10, width - 4), " ".join(printable(text).split()), 0
    while cell_len(rest) > room and (most is None or made + 1 < most):
        line = set_cell_size(rest, room)
        kept = line.rpartition(" ")[0]
        line = kept if cell_len(kept) > room / 2 else line
        yield f"    {line}"
        rest, made = rest[len(line) :].lstrip(), made + 1
    if rest:
        yield f"    {_ellipsis(rest, room)}"


def _ellipsis(text: str, room: int) -> str:
    return text if cell_len(text) <= room else set_cell_size(text, room - 1).rstrip() + "…"


def _cut(line: str, width: int) -> str:
    return _ellipsis(printable(line), width).rstrip()
