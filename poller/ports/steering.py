"""What the process offers to people who act on a mapping by hand."""

from dataclasses import dataclass
from typing import Protocol

from poller.policy.actions import Action, Asked, Batch, Order
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

    def restart_function(self, name: str) -> None:
        """Begin to restart the workers of a function. Raises UnknownFunction."""
        ...
