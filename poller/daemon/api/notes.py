"""Notes on a mapping beside its reason: what will become a problem later.

Decides from the status values alone; each note has a code for tools and a sentence for people.
"""

from math import inf

from poller.policy.waiting import Waiting
from poller.ports.status import Lag, MappingStatus

FILTERED_IN_A_ROW = 1000
"""Records in a row that did not match before a person is asked whether the filter is right."""
EXPIRY_SOON = 6 * 3600.0
"""Seconds before data expires at which a person should know: a night. With a short retention a quarter of that."""
LOSS_AHEAD = 24 * 3600.0
"""Seconds that a loss may be ahead and worth a note: a measured pace says nothing of the day after tomorrow."""


def notes(mapping: MappingStatus, lag: Lag, there: tuple[str, Waiting] | None = None) -> list[tuple[str, str]]:
    """Code and sentence of each. `there` is the member with a batch that waits, where the lag is that one's."""
    found = []
    if mapping.filtered_in_a_row >= FILTERED_IN_A_ROW:
        found.append(
            (
                "filter_passes_nothing",
                f"none of the last {mapping.filtered_in_a_row:,} records matched the filter criteria; are they right?",
            )
        )
    expires = lag.expires_in_seconds
    soon = EXPIRY_SOON if lag.retention is None else min(EXPIRY_SOON, lag.retention / 4)
    if expires is not None and expires < soon:
        text = f"the oldest record not yet delivered expires at the source in {span(expires)}"
        drained = None if there is not None else mapping.trend.drained_in
        if drained is None or drained > expires:
            text += ", before it is delivered at the present rate"
        found.append(("data_expires", text))
    if (falling := _falls_behind(mapping, lag, there)) is not None:
        found.append(("falls_behind", falling))
    left = None if mapping.run is None else mapping.run.credentials_end_in()
    if left is not None:
        text = f"the AWS credentials expire in less than {span(left)}, and renewing them has failed so far"
        found.append(("credentials_expire", text))
    return found


def _falls_behind(mapping: MappingStatus, lag: Lag, there: tuple[str, Waiting] | None) -> str | None:
    """When data is lost at the present pace, and what would save it."""
    needed = mapping.rescue()
    if there is not None and mapping.seeks and lag.expires_in_seconds is not None:
        # it stands still, so it is lost when it expires
        lost_in, (name, waiting) = lag.expires_in_seconds, there
        if lost_in <= min(LOSS_AHEAD, needed.lost_in or inf):
            text = f"falls behind: records of {waiting.batch.partition} on {name} are lost in {span(lost_in)}"
            return f"{text}, because a batch waits there; more lanes would not help: see why it waits"
    if needed.lost_in is None or needed.lost_in > LOSS_AHEAD:
        return None
    text = f"falls behind: at the present pace records are lost in {span(needed.lost_in)}"
    if needed.factor == inf:
        return (
            f"{text}; the oldest one is not done with, whatever else is, so more lanes would not help: see why it waits"
        )
    lanes = sum(len(partition.lanes) for partition in mapping.partitions)
    if needed.lanes > lanes:
        text += f"; it needs {needed.lanes} lanes (it has {lanes})"
        if needed.seconds_per_record is not None and needed.seconds_now is not None:
            text += (
                f", or {_milliseconds(needed.seconds_per_record)} a record (now {_milliseconds(needed.seconds_now)})"
            )
    return text


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else span(seconds)


def span(seconds: float) -> str:
    """Seconds as people say them."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
