"""The context that the lanes of one partition share."""

from collections.abc import Callable
from dataclasses import dataclass

from poller.policy.backoff import Chance
from poller.policy.batching import BatchLimits
from poller.policy.failures import Failure
from poller.ports.function import Function
from poller.ports.holdings import Permit
from poller.ports.status import MappingStatus
from poller.runtime.admission import Admission
from poller.runtime.slots import Slots
from poller.runtime.stop import Stop
from poller.support.rate_limited_log import RateLimitedLog

KeepFailed = Callable[[bytes, Failure, str], None]
"""Gets the event, the failure and the partition's name."""


@dataclass(slots=True)
class LaneContext:
    function: Function
    slots: Slots
    limits: BatchLimits
    report_batch_item_failures: bool
    """Whether the function answers with partial batch responses; then failures are no reason to lower the pace."""
    admission: Admission
    stop: Stop
    """The partition's stop. Every wait of a lane ends with it."""
    status: MappingStatus
    chance: Chance
    log: RateLimitedLog
    keep_failed: KeepFailed | None = None
    """Keeps a failed event for people; hands over and returns."""
    permit: Permit | None = None
    """The partition's right to begin work; None where work may always begin."""
    partition: str = ""
    """The partition's name, for the log."""
    gap_warned: bool = False
    """Whether the single warning about a gap in a message group was logged."""
