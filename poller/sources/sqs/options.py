"""A mapping's options for its queue, beyond AWS's own parameters."""

from dataclasses import dataclass

from poller.policy.visibility import LONGEST_HOLD
from poller.sources.sqs.envelopes import Open
from poller.sources.sqs.queue import LONG_POLL


@dataclass(frozen=True, slots=True)
class SqsOptions:
    maximum_hold_seconds: float = LONGEST_HOLD
    failure_visibility_timeout_seconds: float | None = None
    receive_wait_seconds: int = LONG_POLL
    """The longest WaitTimeSeconds of a receive."""
    unwrap: Open | None = None
    """Opens the envelope that each message is; None hands messages over as they are."""
