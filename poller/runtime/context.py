"""What the lanes of one partition share."""

from dataclasses import dataclass

from poller.policy.backoff import Chance
from poller.policy.batching import BatchLimits
from poller.ports.function import Function
from poller.ports.status import MappingStatus
from poller.runtime.admission import Admission
from poller.runtime.slots import Slots
from poller.runtime.stop import Stop
from poller.support.rate_limited_log import RateLimitedLog


@dataclass(slots=True)
class LaneContext:
    function: Function
    slots: Slots
    limits: BatchLimits
    report_batch_item_failures: bool
    """Whether what a function names is its own business, and no reason to slow down."""
    admission: Admission
    stop: Stop
    """Of the partition the lanes belong to. Every wait of a lane ends with it."""
    status: MappingStatus
    chance: Chance
    log: RateLimitedLog
    partition: str = ""
    """Its name, for the log."""
    gap_warned: bool = False
    """Whether the one warning about a gap in a message group was given."""
