"""docs/status.svg: what `poller status --watch` shows of a fixed state, as its own code draws it."""

import io
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from poller.cli.screen import Rates
from poller.cli.status import screen_of
from poller.ports.status import (
    Lag,
    LaneStatus,
    LastFailure,
    MappingState,
    MappingStatus,
    PartitionStatus,
    Reason,
    ReasonCode,
)
from tests.daemon.samples import STARTED_AT, a_daemon, a_mapping, render

PATH = Path(__file__).parents[2] / "docs/status.svg"
COLUMNS = 80
NOW = 720.0
"""The loop's time; the daemon started at 100."""
LOOKED = 10
"""Seconds between the two looks by which rates are taken."""
NO_LAG = Lag()


def picture() -> str:
    """The SVG. It depends on no clock and no time zone."""
    screen = Console(record=True, width=COLUMNS, file=io.StringIO(), markup=False, highlight=False, emoji=False)
    rates = Rates()
    with _utc():
        for later in (0, LOOKED):
            wall = STARTED_AT + NOW - 100.0 + later
            status = render(a_daemon(*_mappings(later), version="0.1.0"), NOW + later, wall)
            rates.look(status["mappings"], float(later))
        screen.print(screen_of(status, rates, COLUMNS, now=datetime.fromtimestamp(wall, UTC)))
    return screen.export_svg(title="poller status --watch", unique_id="status")


def _mappings(later: int) -> Iterator[MappingStatus]:
    now = NOW + LOOKED
    queue, stream = "arn:aws:sqs:eu-west-1:123456789012:", "arn:aws:kinesis:eu-west-1:123456789012:stream/"
    yield _mapping("orders", queue, 87 * later, 0.042, last_success=now, lag=Lag(records=1204), in_flight=18)
    yield _mapping("invoices", queue, 0, 0.0, state=MappingState.PAUSED, reason=Reason(ReasonCode.PAUSED, "paused"))
    yield _mapping("stock", stream, 9 * later, 0.011, last_success=now - 1, lag=Lag(seconds=0.4), in_flight=2)
    failed = LaneStatus()
    text = "retry 3 (no limit), 25 records: function_error: KeyError: 'visitor'"
    failed.wait(ReasonCode.RETRY, now - 48, now + 12, text, ("retry",))
    yield _mapping(
        "clicks",
        stream,
        0,
        0.0,
        partitions=[PartitionStatus("shardId-000000000000", lanes=[failed])],
        last_success=now - 52,
        last_failure=LastFailure(now - 5, "function_error: KeyError: 'visitor'"),
        lag=Lag(seconds=94.0),
        in_flight=25,
    )


def _mapping(
    name: str, arn: str, delivered: int, seconds: float, *, lag: Lag = NO_LAG, in_flight: int = 0, **more: Any
) -> MappingStatus:
    mapping = a_mapping(
        name,
        uuid=f"uuid of {name}",
        event_source_arn=f"{arn}{name}",
        lag=lambda: lag,
        in_flight=lambda: in_flight,
        **more,
    )
    mapping.account.polled, mapping.account.delivered = delivered + in_flight, delivered
    if delivered:
        mapping.account.count_invocation("succeeded", delivered, seconds)
    return mapping


@contextmanager
def _utc() -> Iterator[None]:
    """The screen shows local time."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()
