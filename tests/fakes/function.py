"""A function behind the port of that name, scripted outcome by outcome; for tests of the lane without any HTTP."""

import asyncio
from collections import deque
from collections.abc import Callable

from poller.policy.response import Outcome, Succeeded
from tests.fakes.invocations import Invocations, parsed_event
from tests.fakes.lambda_service import Noting
from tests.fakes.ledger import Ledger
from tests.fakes.queue import loop_time

Scripted = Outcome | Callable[[bytes], Outcome]


class ScriptedFunction:
    """A `Function`. `otherwise` answers when the script is over. With a ledger, successes are noted as proofs."""

    def __init__(
        self,
        *script: Scripted,
        otherwise: Scripted | None = None,
        ledger: Noting | None = None,
        delay: float = 0.0,
        timeout: float = 30.0,
        payload_limit: int = 6_291_456,
        name: str = "scripted",
    ) -> None:
        self.name = name
        self.timeout = timeout
        self.payload_limit = payload_limit
        self.delay = delay
        """Seconds each invocation takes."""
        self.invocations = Invocations()
        self.gate = asyncio.Event()
        """Invocations wait for it; open from the start."""
        self.gate.set()
        self.closed = False
        self.traces: list[str | None] = []
        self._script = deque(script)
        self._otherwise = otherwise or Succeeded(b"")
        self._ledger: Noting = ledger or Ledger()

    @property
    def batches(self) -> list[list[str]]:
        """The message ids of each invocation so far."""
        return [invocation.identifiers for invocation in self.invocations.all]

    def script(self, *outcomes: Scripted) -> None:
        self._script.extend(outcomes)

    async def invoke(self, event: bytes, trace: str | None = None) -> Outcome:
        self.traces.append(trace)
        scripted = self._script.popleft() if self._script else self._otherwise
        invocation = self.invocations.begin(event, parsed_event(event), loop_time())
        self._ledger.note("invoked", invocation.identifiers, loop_time())
        ended, succeeded = None, frozenset[str]()
        try:
            await self.gate.wait()
            await asyncio.sleep(self.delay)
            outcome = scripted(event) if callable(scripted) else scripted
            ended = loop_time()
            if isinstance(outcome, Succeeded):
                succeeded = invocation.passed(outcome.body)
                self._ledger.note("succeeded", succeeded, ended)
                self._ledger.note("proved", succeeded, ended)
        finally:
            self.invocations.end(invocation, ended, succeeded)
        return outcome

    async def close(self) -> None:
        self.closed = True
