"""What an order would do, and how it is carried out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from poller.policy.actions import Action
from poller.policy.impacts import Batch


@dataclass(frozen=True, slots=True)
class Plan:
    """An order that was understood, and is not carried out yet."""

    impact: tuple[str, ...]
    """Sentences."""
    perform: Callable[[Action], Awaitable[Action]]
    """Gets the stored entry, and returns it as it is then."""
    batch: Batch | None = None
    seconds: float = 5.0
    """For which the person who asked waits at most; then it goes on by itself, and the action log says how it ended."""
    result: dict[str, Any] = field(default_factory=dict)
    """What `perform` found, for the person who asked; empty before."""


def calling(call: Callable[[], Awaitable[object]]) -> Callable[[Action], Awaitable[Action]]:
    """A call that changes nothing of the entry."""

    async def perform(action: Action) -> Action:
        await call()
        return action

    return perform
