"""The pace of each mapping over the last minutes, sampled whether or not anybody looks."""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import pairwise

from poller.ports.status import MappingStatus

SAMPLE_SECONDS = 5.0
KEPT = 61
"""Samples of a mapping: five minutes."""
RATE_SAMPLES = 2
"""Times between samples over which the present rate is taken: ten seconds."""
WIDTH, HEIGHT = 120, 24
"""Units of a curve."""


class History:
    """Samples by uuid."""

    def __init__(self) -> None:
        self._samples: dict[str, deque[tuple[float, int]]] = {}
        self._rates: dict[str, list[float]] = {}
        """Made since the last sample."""

    def sample(self, mappings: Iterable[MappingStatus], now: float) -> None:
        """Note how far each mapping is; those that are gone are forgotten."""
        kept = {}
        for mapping in mappings:
            kept[mapping.uuid] = samples = self._samples.get(mapping.uuid) or deque(maxlen=KEPT)
            samples.append((now, _done(mapping)))
        self._samples, self._rates = kept, {}

    def rates(self, uuid: str) -> list[float]:
        """Records that a mapping was done with per second, over each time between two samples, the latest last."""
        found = self._rates.get(uuid)
        if found is None:
            found = self._rates[uuid] = [
                round((done - done_before) / (at - before), 1)
                for (before, done_before), (at, done) in pairwise(self._samples.get(uuid, ()))
                if at > before
            ]
        return found


def rate(rates: Sequence[float]) -> float | None:
    """The present pace; None while it is not known."""
    latest = rates[-RATE_SAMPLES:]
    return sum(latest) / len(latest) if latest else None


def curve(rates: Sequence[float]) -> str:
    """The rates as the points of an SVG polyline, the oldest first; empty while there are none."""
    if len(rates) < 2:
        return ""
    most, step = max(rates), WIDTH / (KEPT - 2)
    left = WIDTH - step * (len(rates) - 1)
    return " ".join(
        f"{left + step * number:.0f},{HEIGHT - 1 - (HEIGHT - 2) * (rate / most if most else 0.0):.0f}"
        for number, rate in enumerate(rates)
    )


def _done(mapping: MappingStatus) -> int:
    account = mapping.account
    return account.filtered + account.delivered + account.destination + account.dropped + account.expired
