"""Draws the live view of the demo from a picture: where the orders are, how fast they move, and why."""

from collections import Counter
from collections.abc import Sequence

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

from poller.demo.functions import FUNCTION
from poller.demo.picture import History, Picture, StreamPicture
from poller.demo.shop import QUEUE
from poller.support.printable import printable

EVENT_LINES = 3
MOST_LANES = 30
SPARKS = "▁▂▃▄▅▆▇█"
"""Most marks drawn; the numbers beside them count all."""
LANES = {"invoking": ("●", "green"), "settling": ("◐", "cyan")}
SHOWN_ELSEWHERE = ("timestamp", "level", "event", "mapping", "function", "event_source_arn")
"""Fields of a log event that the picture shows already."""
OTHER_LANE = ("·", "dim")
STATION_WIDTH = 17
"""Least columns of a station, so that four of them fit on 80."""


class Whereabouts:
    """One bar as wide as the screen, in which every order has its place."""

    def __init__(self, shares: Sequence[tuple[int, str]], total: int) -> None:
        """`shares` are numbers with colours, from the left. The rest up to `total` stays empty."""
        missing = max(0, total - sum(number for number, _ in shares))
        self._shares = [("█", number, Style(color=colour)) for number, colour in shares]
        self._shares.append(("░", missing, Style(dim=True)))

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        cells = proportional([number for _, number, _ in self._shares], options.max_width)
        for (mark, _, style), width in zip(self._shares, cells, strict=True):
            yield Segment(mark * width, style)
        yield Segment.line()


def proportional(numbers: Sequence[int], width: int) -> list[int]:
    """Divide `width` cells in proportion, but so that even a single order is visible."""
    total = sum(numbers) or 1
    cells = [max(int(number > 0), width * number // total) for number in numbers]
    cells[cells.index(max(cells))] += width - sum(cells)
    return cells


def draw(picture: Picture, history: History, seconds: float) -> RenderableType:
    """Draw everything; `seconds` is how long orders are produced."""
    return Group(
        _head(picture, seconds),
        Text(),
        _stations(picture, history),
        Text(),
        *_orders(picture),
        Text(),
        _inside(picture),
    )


def _head(picture: Picture, seconds: float) -> Table:
    head = Table.grid(padding=(0, 2), expand=True)
    head.add_column(no_wrap=True)
    head.add_column(ratio=1)
    head.add_column(justify="right", no_wrap=True)
    bar = ProgressBar(total=seconds, completed=min(picture.elapsed, seconds), complete_style="cyan")
    head.add_row(Text("poller demo", style="bold"), bar, Text(f"{picture.elapsed:4.1f} s  {picture.phase}"))
    return head


def _stations(picture: Picture, history: History) -> Table:
    depth = picture.depth
    boxes = [
        _station(
            "producer",
            "cyan",
            f"{picture.produced:,} of {picture.planned:,}",
            "{:.0f}/s",
            history.rates(_produced),
        ),
        _station(
            f"SQS {QUEUE}",
            "blue",
            f"{depth.visible:,} waiting",
            f"{picture.to_retry:,} to retry",
            history.levels(_left),
        ),
        _station("poller", "yellow", f"{picture.in_flight:,} in flight", "{:.0f}/s received", history.rates(_received)),
        _station(
            FUNCTION,
            "green",
            f"{picture.shipped:,} delivered",
            "{:.0f}/s",
            history.rates(_shipped),
        ),
    ]
    row = Table.grid(expand=True)
    cells: list[RenderableType] = []
    for number, station in enumerate(boxes):
        if number:
            row.add_column(width=3, justify="center", vertical="middle")
            cells.append(Text("\n\n→", style="bold"))
        row.add_column(ratio=1, min_width=STATION_WIDTH)
        cells.append(station)
    row.add_row(*cells)
    return row


def _station(title: str, colour: str, first: str, second: str, values: list[float]) -> Panel:
    lately = sum(values[-3:]) / 3 if values else 0.0
    content = Text(no_wrap=True, overflow="crop")
    content.append(f"{first}\n", style="bold")
    content.append(f"{second.format(lately)}\n", style="dim")
    content.append(_spark(values), style=colour)
    return Panel(content, title=title, title_align="left", border_style=colour, box=box.ROUNDED, padding=(0, 1))


def _produced(picture: Picture) -> int:
    return picture.produced


def _left(picture: Picture) -> int:
    return picture.depth.left


def _received(picture: Picture) -> int:
    return picture.count("polled")


def _shipped(picture: Picture) -> int:
    return picture.shipped


def _spark(values: list[float]) -> str:
    highest = max(values, default=0.0) or 1.0
    return "".join(SPARKS[round(max(0.0, value) / highest * (len(SPARKS) - 1))] for value in values)


def _orders(picture: Picture) -> list[RenderableType]:
    depth = picture.depth
    shares = [
        ("delivered", picture.shipped, "green"),
        ("in flight", picture.in_flight, "yellow"),
        ("to retry", picture.to_retry, "magenta"),
        ("waiting", depth.visible, "blue"),
        ("dead letters", depth.dead, "red"),
    ]
    legend = Text()
    for name, number, colour in shares:
        legend.append("■ ", style=colour)
        legend.append(f"{name} ", style="dim")
        legend.append(f"{number:,}  ", style="bold" if number else "dim")
    return [Whereabouts([(number, colour) for _, number, colour in shares], picture.planned), legend]


def _inside(picture: Picture) -> Table:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True, min_width=7)
    rows.add_column(no_wrap=True, overflow="ellipsis")
    received = picture.count("invoked")
    each = received / picture.batches if picture.batches else 0.0
    rows.add_row(
        "batches",
        f"{picture.batches:,} of {each:.1f} orders, {picture.count('returned'):,} receives failed and returned",
    )
    rows.add_row("lanes", _lanes(picture.lanes))
    rows.add_row("why", picture.reason)
    for stream in picture.streams:
        rows.add_row(stream.name, _stream(stream))
    events = [event_line(event) for event in picture.events][-EVENT_LINES:]
    for number in range(EVENT_LINES):
        rows.add_row("" if number else "log", events[number] if number < len(events) else "")
    return rows


def _stream(stream: StreamPicture) -> Text:
    shown = Text(f"{stream.delivered:,} of {stream.produced:,} delivered", style="bold")
    if stream.failed:
        shown.append(f", {stream.failed:,} batches failed and halved", style="magenta")
    if stream.given_up:
        shown.append(f", {stream.given_up:,} in the destination", style="red")
    return shown.append(f"  {stream.service}: {stream.reason}", style="dim")


def _lanes(codes: list[str]) -> Text:
    shown = Text()
    for code in codes[:MOST_LANES]:
        mark, style = LANES.get(code, OTHER_LANE)
        shown.append(mark, style=style)
    counts = ", ".join(f"{number} {code.replace('_', ' ')}" for code, number in Counter(codes).most_common())
    return shown.append(f"  {counts}", style="dim")


def event_line(event: dict[str, object]) -> Text:
    """One event of the daemon's log."""
    line = Text(f"{str(event.get('timestamp', ''))[11:19]} ", style="dim")
    line.append(printable(str(event["event"])), style="yellow" if event.get("level") == "warning" else "cyan")
    rest = {name: value for name, value in event.items() if name not in SHOWN_ELSEWHERE}
    return line.append("".join(printable(f" {name}={value}") for name, value in rest.items()), style="dim")


def plain(picture: Picture) -> str:
    """Print the picture in one line, where there is no terminal."""
    depth = picture.depth
    return (
        f"{picture.elapsed:5.1f} s  {picture.phase}: {picture.produced:,} produced, {picture.shipped:,} delivered, "
        f"{picture.count('returned'):,} returned, {picture.in_flight:,} in flight, {picture.to_retry:,} to be retried, "
        f"{depth.visible:,} waiting, {depth.dead:,} in the dead-letter queue ({picture.reason or 'starting'})"
    ) + "".join(_plain_stream(stream) for stream in picture.streams)


def _plain_stream(stream: StreamPicture) -> str:
    return (
        f"; {stream.name}: {stream.produced:,} produced, {stream.delivered:,} delivered, {stream.given_up:,} given up"
    )
