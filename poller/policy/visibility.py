"""Decides about SQS visibility: when to extend it, when to stop holding, when a failed message becomes visible again.

Each extension is for the queue's own timeout, renewed at half of it, so that a crash hides messages no longer than
the queue's owner chose.
"""

import math
from dataclasses import dataclass

SHORTEST_EXTENSION = 10.0
"""Seconds. For a queue with a shorter timeout, renewals at half of it would be a steady load of calls."""

LONGEST_HOLD = 11 * 3600 + 45 * 60.0
"""Seconds after the receive. Whatever was requested, the service shows a message 12 hours after its receive."""

SERVICE_HOLD = 12 * 3600.0
"""Seconds after the receive beyond which the service refuses to extend."""

SLACK = 0.5
"""Seconds by which a message may appear later than asked for without a call to correct it."""


@dataclass(frozen=True, slots=True)
class Visibility:
    """The rule for one queue. All times are of one monotonic clock, in seconds."""

    queue_timeout: float
    longest_hold: float = LONGEST_HOLD
    failure_timeout: float | None = None
    """Seconds the user set, to make failed messages visible sooner than the queue's timeout does."""

    @property
    def extension(self) -> int:
        """Whole seconds requested at a receive and at each renewal."""
        return math.ceil(max(self.queue_timeout, SHORTEST_EXTENSION))

    @property
    def explicit_on_receive(self) -> bool:
        """Whether the receive itself must name a timeout, because the queue's own is too short to renew."""
        return self.queue_timeout < SHORTEST_EXTENSION

    def first_visible_at(self, received: float) -> float:
        """When a message becomes visible again if its visibility is never changed."""
        return received + (self.extension if self.explicit_on_receive else self.queue_timeout)

    def renew_at(self, extended: float) -> float:
        """When to renew visibility that was set at `extended`."""
        return extended + self.extension / 2

    def release_at(self, received: float) -> float:
        """When to release a message that could not be delivered."""
        return received + self.longest_hold

    def renewal(self, now: float, received: float) -> int:
        """Whole seconds to request at a renewal: an extension, or the rest the service allows; 0 for no renewal."""
        return max(0, min(self.extension, math.ceil(received + SERVICE_HOLD - now) - 1))

    def after_failure(self, now: float, received: float, visible_at: float) -> int | None:
        """Seconds to request after a failed invocation; None if the message becomes visible in time by itself.

        A message becomes visible one second after the failure or one queue timeout after its receive, whichever is
        later; a timeout set for failures may bring that forward.
        """
        target = max(now + 1.0, received + self.queue_timeout)
        if self.failure_timeout is not None:
            target = min(target, now + self.failure_timeout)
        if visible_at <= target + SLACK:
            return None
        return max(0, math.ceil(target - now))
