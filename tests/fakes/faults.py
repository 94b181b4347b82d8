"""What goes wrong on the way to a fake service, by plan: in order, always, or at random by seed."""

import random
from collections import defaultdict, deque
from dataclasses import dataclass
from enum import Enum, auto

from poller.values.errors import AnswerLost, NotSent, ServiceError


class Way(Enum):
    """How a call goes wrong."""

    NOT_SENT = auto()
    """No byte was written; the service knows nothing of it."""
    LOST_BEFORE = auto()
    """The request went out and was never carried out."""
    LOST_AFTER = auto()
    """It was carried out; its answer never came."""
    HANG = auto()
    """Neither carried out nor answered: the caller's timeout ends it."""
    REFUSED = auto()
    """The service answered with an error."""


@dataclass(frozen=True, slots=True)
class Fault:
    way: Way
    status: int = 500
    code: str = "InternalError"
    message: str = ""
    retry_after: float | None = None

    def error(self) -> NotSent | AnswerLost | ServiceError:
        if self.way is Way.REFUSED:
            return ServiceError(self.status, self.code, self.message, retry_after=self.retry_after)
        return NotSent("connection refused") if self.way is Way.NOT_SENT else AnswerLost("connection reset")


NOT_SENT = Fault(Way.NOT_SENT)
LOST_BEFORE = Fault(Way.LOST_BEFORE)
LOST_AFTER = Fault(Way.LOST_AFTER)
HANG = Fault(Way.HANG)


def refused(status: int, code: str, message: str = "", *, retry_after: float | None = None) -> Fault:
    return Fault(Way.REFUSED, status, code, message, retry_after)


THROTTLED = refused(400, "ThrottlingException", "Rate exceeded")
INTERNAL = refused(500, "InternalError")
ACCESS_DENIED = refused(403, "AccessDenied", "User is not authorized to perform this operation")


class FaultPlan:
    """Scripted faults of an operation come first, then its standing one, then chance. `operation` is the API's name."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._scripts: dict[str, deque[Fault | None]] = defaultdict(deque)
        self._standing: dict[str, Fault] = {}
        self._chances: dict[str, tuple[float, tuple[Fault, ...]]] = {}
        self._entry_scripts: dict[str, deque[str | None]] = defaultdict(deque)
        self._entry_chances: dict[str, float] = {}

    def script(self, operation: str, *faults: Fault | None) -> None:
        """The next calls of `operation` go wrong in this order; None lets one pass."""
        self._scripts[operation].extend(faults)

    def always(self, operation: str, fault: Fault) -> None:
        """Every call goes wrong until `clear`."""
        self._standing[operation] = fault

    def at_random(self, operation: str, rate: float, *faults: Fault) -> None:
        """Each call goes wrong with probability `rate`, in one of these ways."""
        self._chances[operation] = (rate, faults)

    def script_entries(self, operation: str, *codes: str | None) -> None:
        """The next entries of batch calls fail alone, with this code; None lets one pass."""
        self._entry_scripts[operation].extend(codes)

    def entries_at_random(self, operation: str, rate: float) -> None:
        """Each entry of a batch call fails alone with probability `rate`, as the service's own fault."""
        self._entry_chances[operation] = rate

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        for plan in (self._scripts, self._standing, self._chances, self._entry_scripts, self._entry_chances):
            plan.clear()

    def draw(self, operation: str) -> Fault | None:
        if self._scripts[operation]:
            return self._scripts[operation].popleft()
        if operation in self._standing:
            return self._standing[operation]
        rate, faults = self._chances.get(operation, (0.0, ()))
        return self._random.choice(faults) if self._random.random() < rate else None

    def draw_entry(self, operation: str) -> str | None:
        if self._entry_scripts[operation]:
            return self._entry_scripts[operation].popleft()
        return "InternalError" if self._random.random() < self._entry_chances.get(operation, 0.0) else None
