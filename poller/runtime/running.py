"""The parts of a mapping's present run, put together for the questions that its status asks."""

from collections.abc import Callable
from dataclasses import dataclass

from poller.ports.status import Lag, Reason, RunningSource
from poller.runtime.admission import Admission


def _unknown() -> None:
    return None


@dataclass(slots=True)
class Running:
    """A `RunningParts`: each question goes to the part that knows."""

    source: RunningSource
    admission: Admission
    credentials_end_in: Callable[[], float | None] = _unknown
    function_problem: Callable[[], Reason | None] = _unknown

    def in_flight(self) -> int:
        return self.source.in_flight()

    def lag(self) -> Lag:
        return self.source.lag()

    async def look(self, max_age: float) -> None:
        await self.source.look(max_age)

    def unanswered_since(self, now: float) -> float | None:
        return self.source.unanswered_since(now)

    def waits(self, now: float) -> Reason | None:
        return self.source.waits(now)

    def standstill(self, now: float, shown: Reason | None) -> Reason | None:
        return self.admission.standstill(now, shown)
