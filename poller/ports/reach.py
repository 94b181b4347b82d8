"""What `poller check --connect` collects while it reaches one target."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

Result = TypeVar("Result")


class Tries(Protocol):
    """Calls to one target, and what each refusal means."""

    untried: list[str]
    """Calls that could not be tried, each with the reason."""

    @property
    def ok(self) -> bool:
        """Whether no problem was noted so far."""
        ...

    async def attempt(self, action: str, call: Callable[[], Awaitable[Result]]) -> Result | None:
        """The answer, or None with the refusal noted under `action`, IAM's name of the call."""
        ...

    async def ask(self, action: str, call: Callable[[], Awaitable[object]]) -> None:
        """Find out whether the target exists, by an `action` that its use does not need."""
        ...

    def blocked(self, code: str, said: str) -> None:
        """Note a problem that makes every further call pointless."""
        ...
