"""What the process offers to people who act on a mapping by hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from poller.policy.actions import Action, Asked, Order
from poller.policy.failed_events import FailedEvent
from poller.policy.impacts import Batch
from poller.policy.redriving import Redriven
from poller.ports.failures_elsewhere import FailuresElsewhere
from poller.ports.status import MappingStatus


@dataclass(frozen=True, slots=True)
class Acted:
    """What an order did, or would do."""

    status: MappingStatus
    impact: tuple[str, ...]
    """Sentences."""
    batch: Batch | None = None
    """The single batch that is meant, where the order is about batches."""
    action: Action | None = None
    """The entry in the action log; None for a preview."""
    result: Mapping[str, Any] = field(default_factory=dict)
    """What an order found that looks at something; empty for a preview, and while it is not done."""


class Mappings(Protocol):
    """The steered part of the engine."""

    async def act(self, name: str, order: Order, asked: Asked, *, dry_run: bool) -> Acted:
        """Carry an order out, and store it in the action log; with `dry_run` only say what it would do.

        Raises UnknownMapping, NotPossible, and StateError where it could not be stored: then nothing was done.
        """
        ...

    async def actions(self) -> list[Action]:
        """The action log, the latest first. Raises StateError."""
        ...

    async def redrives(self) -> list[Redriven]:
        """The redrives that are kept, the latest first. Raises StateError."""
        ...

    async def failed_events(self) -> list[FailedEvent]:
        """The failed events that are kept, the latest first, as of a few seconds ago."""
        ...

    async def failures_elsewhere(self, *, waits: bool) -> FailuresElsewhere:
        """What functions failed of on the other members of the fleet. With `waits` they are asked for it, which takes
        some seconds; else it is what they answered lately.
        """
        ...

    def functions(self) -> list[str]:
        """Keys of the functions that an order may name, in the order of the alphabet."""
        ...

    def restart_function(self, name: str) -> None:
        """Begin to restart the workers of a function. Raises UnknownFunction."""
        ...
