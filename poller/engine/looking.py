"""Looks at the source and the function of a new mapping before it is made: do they exist, and may they be used."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from poller.aws.error_reasons import code_of
from poller.aws.transports import Borrowed, Transports
from poller.configuration import EventSourceMapping
from poller.engine.parts import Wiring
from poller.functions.types import FUNCTION_TYPES
from poller.values.errors import CallError, ConfigurationError, PollerError, StreamGone

Result = TypeVar("Result")
SECONDS = 5.0
"""Seconds for all calls together. A part that has not answered by then is accepted; its problem shows once the mapping
runs."""
SAID = {"source_missing": "missing", "access_denied": "denied"}
"""Reasons that a caller can act on."""


@dataclass(slots=True)
class Look:
    """Implements `poller.ports.reach.Tries`: keeps the first refusal."""

    found: str = ""
    """`missing`, `denied`, or empty."""
    action: str = ""
    """IAM's name of the refused action."""
    untried: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.found

    async def attempt(self, action: str, call: Callable[[], Awaitable[Result]]) -> Result | None:
        """See `Tries.attempt`."""
        if self.found:
            return None
        try:
            return await call()
        except StreamGone:
            self.found, self.action = "missing", action
        except CallError as error:
            self.found, self.action = SAID.get(code_of(error), ""), action
        except PollerError:
            # a shard or an iterator ended meanwhile
            return None
        return None

    async def ask(self, action: str, call: Callable[[], Awaitable[object]]) -> None:
        """See `Tries.ask`."""
        await self.attempt(action, call)

    def blocked(self, code: str, said: str) -> None:
        """See `Tries.blocked`: it is there, which is what was asked."""


class Looking:
    """Looks through the connections of the engine."""

    def __init__(self, wiring: Wiring, transports: Transports) -> None:
        self._wiring = wiring
        self._transports = transports

    async def function(self, mapping: EventSourceMapping) -> Look:
        """Whether the mapping's function exists, as far as its type can tell without running it."""
        function = mapping.function
        reach = FUNCTION_TYPES[function.type].reach
        return await self._bounded(lambda transports, look: reach(function, mapping.region, transports, look))

    async def source(self, mapping: EventSourceMapping) -> Look:
        """Whether the mapping's source exists and may be read."""
        reach = self._wiring.builder(mapping).reach
        return await self._bounded(lambda transports, look: reach(mapping, transports, look))

    async def _bounded(self, reach: Callable[[Borrowed, Look], Awaitable[None]]) -> Look:
        look, transports = Look(), self._transports.borrow()
        try:
            async with asyncio.timeout(SECONDS) as bound:
                await reach(transports, look)
        except TimeoutError:
            if not bound.expired():
                raise
        except ConfigurationError:
            # one of its secrets cannot be read, which the mapping reports when it runs
            return Look()
        finally:
            await transports.close()
        return look
