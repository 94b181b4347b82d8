"""Parses X-Amzn-Trace-Id headers, and converts them to W3C's traceparent."""

import re
from typing import NamedTuple

_HEADER = re.compile(r"Root=1-([0-9a-f]{8})-([0-9a-f]{24})(?:;.*)?;Parent=([0-9a-f]{16})(?:;|$)")


class TraceHeader(NamedTuple):
    """The parsed header, in lower-case hexadecimal."""

    trace_id: str
    """32 digits."""
    span_id: str
    """16 digits."""
    sampled: bool


def parse_trace_header(header: str) -> TraceHeader | None:
    """Parse a header; None if it is malformed or names no parent."""
    found = _HEADER.match(header)
    return None if found is None else TraceHeader(found[1] + found[2], found[3], "Sampled=0" not in header)


def traceparent(header: str) -> str | None:
    """The equivalent W3C header; None if the header names no parent."""
    found = parse_trace_header(header)
    return None if found is None else f"00-{found.trace_id}-{found.span_id}-{int(found.sampled):02x}"
