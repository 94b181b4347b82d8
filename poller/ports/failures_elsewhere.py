"""What functions failed of on the other members of the fleet."""

from collections.abc import Sequence
from dataclasses import dataclass

from poller.policy.failures_told import Told


@dataclass(frozen=True, slots=True)
class FailuresElsewhere:
    """As they answered when they were asked last."""

    member: str | None = None
    """The name of this one; None for a daemon by itself."""
    told: Sequence[tuple[str, Told]] = ()
    """By the name of the member."""
    silent: Sequence[str] = ()
    """Names of members that gave no answer."""
    asking: bool = False
    """Whether the first answers are still awaited."""


NOBODY = FailuresElsewhere()
