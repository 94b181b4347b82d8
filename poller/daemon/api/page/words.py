"""How values are worded on every screen: states, reasons, times, numbers."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from poller.daemon.api.notes import span
from poller.daemon.api.page.html import Markup, join, tag
from poller.policy.advice import TO_DO, advice_of
from poller.policy.standstill import stuck_words
from poller.ports.status import MappingState, ReasonCode
from poller.values.texts import counted, shortened

MARKS = {
    MappingState.RUNNING: "✓",
    MappingState.STARTING: "…",
    MappingState.DEGRADED: "▲",
    MappingState.PROBLEM: "✕",
    MappingState.STOPPING: "…",
    MappingState.STOPPED: "■",
    MappingState.PAUSED: "‖",
    MappingState.DISABLED: "○",
}
"""Beside the word, so that a state is not told by its colour alone."""
QUIET = frozenset(
    {ReasonCode.NO_DATA, ReasonCode.INVOKING, ReasonCode.SETTLING, ReasonCode.WINDOW, ReasonCode.STARTING}
)
"""Of ordinary work."""
NONE = "-"
"""For what is not known, or not there."""
MOST_TEXT = 600
"""Characters of a text by others."""
LONG = re.compile(r"\b(?:\d{21,}|[0-9A-Fa-f]{32,})\b")
"""Sequence numbers, and tokens of change streams: longer than a person compares digit by digit."""
Json = Mapping[str, Any]


def badge(state: str) -> Markup:
    """A state."""
    mark = tag("span", MARKS[MappingState(state)], aria_hidden="true")
    return tag("span", mark, f" {state}", class_=f"state {state}")


def moment(written: str, shown: Literal["ago", "ahead", "since"] = "ago") -> Markup:
    """A time in ISO 8601. The page's script shows how long ago it was, how far ahead it is, or for how long something
    lasts.
    """
    before = "since " if shown == "since" else ""
    return tag("time", f"{before}{written[11:19]} UTC", datetime=written, data_shown=shown)


def text(found: Json | None) -> str | None:
    """What a reason says, without the advice."""
    return None if found is None else str(found["text"]).partition(TO_DO)[0]


def reason(found: Json | None, instead: str | None = None) -> Markup:
    """A reason with its times; its text, or what is said `instead`. That of ordinary work is quiet."""
    if found is None:
        return Markup("")
    since = None if found["since"] is None else join(" ", moment(found["since"], "since"))
    until = None if found["until"] is None else join(", until ", moment(found["until"], "ahead"))
    next_try = found["next_try_at"]
    again = None if next_try is None else join(", next try ", moment(next_try, "ahead"))
    times = tag("span", since, until, again, class_="quiet")
    told = shortly(cut(instead or text(found) or ""))
    return join(tag("span", told, class_="quiet") if found["code"] in QUIET else told, times)


def stuck(found: Json | None) -> Markup | None:
    """What stands still, and since when."""
    if found is None:
        return None
    told = stuck_words(*(found[name] for name in ("shards", "of", "lanes", "of_lanes", "elsewhere")))
    since = None if found["since"] is None else join(", ", moment(found["since"], "since"))
    return tag("span", told, since, class_="stuck")


def to_do(found: Json | None, *, steers: bool) -> str | None:
    """What a person can do about a reason: with the page's buttons, for those who may steer."""
    if found is None:
        return None
    return advice_of(found["causes"] or [found["code"]], by_button=steers) or None


def cut(text: str) -> str:
    """A text of bounded length."""
    return shortened(text, MOST_TEXT)


def shortly(text: str) -> Markup:
    """A text with its long numbers short, each a button that copies the whole."""
    return join(*_shortened(text))


def _shortened(text: str) -> Iterator[str | Markup]:
    end = 0
    for found in LONG.finditer(text):
        yield text[end : found.start()]
        yield _copied(found[0])
        end = found.end()
    yield text[end:]


def _copied(whole: str) -> Markup:
    short = f"{whole[:4]}…{whole[-4:]}"
    label, key = f"{short}, copy the whole", f"copy-{whole}"
    return tag(
        "button", short, type="button", class_="whole", title=whole, aria_label=label, data_copy=whole, data_key=key
    )


def number(value: float | None) -> str:
    """A number as people read it; a dash where it is not known."""
    if value is None:
        return NONE
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:,.1f}"


def on(batch: Json) -> str:
    """The member of the fleet on which a batch waits, unless it is this one."""
    member = batch.get("member")
    return f" on {member}" if member else ""


def count(value: int | None) -> str:
    """A whole number; a dash where it is not known."""
    return NONE if value is None else f"{value:,}"


def behind(lag: Json) -> str:
    """How far behind the source, in records and time."""
    known = [] if lag["records"] is None else [counted(lag["records"], "record")]
    known += [f"{lag['hidden']:,} received and not deleted"] if lag["hidden"] else []
    known += [] if lag["seconds"] is None else [span(lag["seconds"])]
    return ", ".join(known) or NONE


def expiry(lag: Json) -> str:
    """When the oldest record expires."""
    return NONE if lag["expires_in_seconds"] is None else f"in {span(lag['expires_in_seconds'])}"
