"""Notes on a mapping beside its reason: what will become a problem later.

Decides from the status values alone; each note has a code for tools and a sentence for people.
"""

from poller.ports.status import Lag, MappingStatus

FILTERED_IN_A_ROW = 1000
"""Records in a row that did not match before a person is asked whether the filter is right."""
EXPIRY_SOON = 6 * 3600.0
"""Seconds before data expires at which a person should know: a night. With a short retention a quarter of that."""


def notes(mapping: MappingStatus, lag: Lag) -> list[tuple[str, str]]:
    """Code and sentence of each."""
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
        drained = mapping.trend.drained_in
        if drained is None or drained > expires:
            text += ", before it is delivered at the present rate"
        found.append(("data_expires", text))
    left = None if mapping.run is None else mapping.run.credentials_end_in()
    if left is not None:
        text = f"the AWS credentials expire in less than {span(left)}, and renewing them has failed so far"
        found.append(("credentials_expire", text))
    return found


def span(seconds: float) -> str:
    """Seconds as people say them."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
