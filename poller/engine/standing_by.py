"""What lets one of several processes poll a queue alone."""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from poller.configuration import EventSourceMapping
from poller.ports.holdings import Fleet
from poller.runtime.standby import Standby
from poller.sources.kinds import KINDS

if TYPE_CHECKING:
    from poller.engine.workers import Workers


def standby_of(
    fleet: Fleet, workers: "Workers | None", mapping: EventSourceMapping, until: AsyncExitStack
) -> Standby | None:
    """For one run of a mapping; None for a stream, and where there is no other process."""
    standby = None if workers is None else workers.standby(mapping)
    if KINDS[mapping.source.kind].steady or not fleet.shared:
        return standby
    standby = standby or Standby()
    until.callback(fleet.attend(mapping.uuid, mapping.event_source_arn, standby))
    return standby
