"""Moments as they are shown."""

from datetime import UTC, datetime


def iso(seconds: float) -> str:
    """Render seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
