"""Trace headers, taken apart and written again."""

import pytest

from poller.policy.trace_header import TraceHeader, parse_trace_header, traceparent

TRACE, SPAN = "5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
HEADER = f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={SPAN};Sampled=1"


def test_a_whole_header_says_the_same_in_both_ways():
    assert parse_trace_header(HEADER) == TraceHeader(TRACE, SPAN, sampled=True)
    assert traceparent(HEADER) == f"00-{TRACE}-{SPAN}-01"


def test_what_is_not_sampled_stays_so():
    assert traceparent(HEADER.replace("Sampled=1", "Sampled=0")) == f"00-{TRACE}-{SPAN}-00"


def test_what_stands_between_or_behind_does_not_matter():
    assert parse_trace_header(HEADER.replace(";Parent", ";Self=1-2-3;Parent") + ";Lineage=a:1") is not None


@pytest.mark.parametrize("header", ["", HEADER.partition(";")[0], f"x{HEADER}", HEADER.replace(SPAN, "1")])
def test_a_header_without_a_parent_names_none(header):
    assert parse_trace_header(header) is None
    assert traceparent(header) is None
