"""The circuit breaker of one function, shared by its mappings: its waiting batches, its listeners and probe timers."""

import asyncio
from collections.abc import Callable

from poller.policy.backoff import Chance
from poller.policy.circuit import THROUGH_AFTER, Circuit
from poller.policy.response import NotInvoked, Outcome
from poller.runtime.stop import Stop

CIRCUIT_OPEN = "circuit_open"
"""Code of the breaker's own refusals."""


class Breaker:
    """Made without a running loop, used within one."""

    def __init__(self, chance: Chance) -> None:
        self.circuit = Circuit()
        self.is_open = False
        """Whether only probes may invoke. A plain attribute, because every invocation and receive reads it."""
        self._calm = True
        """Whether a success would change nothing."""
        self._chance = chance
        self.held = 0
        """Batches that wait for a probe or for the circuit to close."""
        self.listeners: dict[object, Callable[[], None]] = {}
        """Called whenever `may_receive` or `until` may change."""
        self._waiting: set[asyncio.Future[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def text(self) -> str:
        """Why it is open."""
        why = self.circuit.why
        assert why is not None, "it has not opened yet"
        return f"the function cannot be invoked ({why.code}: {why.detail}); it is probed until it can"

    @property
    def causes(self) -> tuple[str, ...]:
        """What it is open of, as keys of the advice."""
        why = self.circuit.why
        return () if why is None else (f"function.{why.code}",)

    def until(self, now: float) -> float:
        """The loop's time of the next probe, if it is known."""
        return now + self.circuit.opens_in(now)

    def may_receive(self, now: float) -> bool:
        """Whether a batch may be received: the circuit is closed, or a probe is due and no lane holds a batch for
        it.
        """
        return not self.is_open or (not self.held and self.circuit.admits(now))

    def refusal(self, now: float) -> NotInvoked | None:
        """The refusal of an invocation now, with the time to wait; None if it may begin."""
        if self.circuit.admits(now):
            return None
        return NotInvoked(CIRCUIT_OPEN, self.text, self.circuit.opens_in(now))

    def begin(self) -> int:
        """An invocation begins. Pass the returned number to its `end`."""
        if not self.is_open:
            return 0
        self._set_timer(THROUGH_AFTER, self._through)
        return self.circuit.begin()

    def end(self, outcome: Outcome | None, now: float, probe: int) -> bool:
        """An invocation ended; without an outcome it was cancelled. Returns whether the circuit opened or closed."""
        if self._calm and not isinstance(outcome, NotInvoked):
            return False
        was_open = self.is_open
        if outcome is None:
            changed = self.circuit.abandoned(now, probe)
        elif isinstance(outcome, NotInvoked):
            changed = self.circuit.refused(outcome, now, self._chance, probe)
        else:
            changed = self.circuit.reached()
        self._calm = self.circuit.calm
        if changed:
            self._changed(now)
        return was_open != self.is_open

    def probe_now(self) -> None:
        """Let the next probe begin at once, if the circuit is open."""
        if self.is_open:
            now = asyncio.get_running_loop().time()
            self.circuit.hasten(now)
            self._changed(now)

    def renewed(self) -> None:
        """The function has new code or workers: forget the refusals, and let all batches that wait try at once."""
        self._through()

    def _through(self) -> None:
        """The probe has run for so long that it must have reached the function."""
        self.circuit.reached()
        self._calm = True
        self._changed(asyncio.get_running_loop().time())

    def _changed(self, now: float) -> None:
        self.is_open = self.circuit.opened_at is not None
        if self.is_open:
            self._set_timer(self.circuit.opens_in(now), self._due)
        else:
            if self._timer is not None:
                self._timer.cancel()
            self._wake()
        self._notify()

    def _due(self) -> None:
        """A probe is due. All batches wake and one of them probes, because the previous prober may have stopped."""
        self._wake()
        self._notify()

    def _wake(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def _set_timer(self, seconds: float, call: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, call)

    def _notify(self) -> None:
        for listener in list(self.listeners.values()):
            listener()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` whenever `may_receive` or `until` may change. Returns a function that removes the
        listener.
        """
        key = object()
        self.listeners[key] = listener
        return lambda: self.listeners.pop(key, None) and None

    async def wait(self, seconds: float, stop: Stop) -> bool:
        """Hold a batch for `seconds`, or until a probe is due, the circuit closes or a soft stop. Returns whether it
        stopped.
        """
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not over.done():
                over.set_result(None)

        timer = loop.call_later(seconds, wake)
        ignore = stop.listen(wake)
        self._waiting.add(over)
        self.held += 1
        try:
            await over
        finally:
            self.held -= 1
            self._waiting.discard(over)
            timer.cancel()
            ignore()
            if self.is_open and not self.held:
                # the next probe needs another batch, unless this one waits again in the same step
                loop.call_soon(self._notify)
        return stop.soft
