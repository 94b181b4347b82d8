"""The pace of each mapping over the last minutes, sampled whether or not anybody looks."""

from collections import deque
from collections.abc import Iterable
from itertools import pairwise

from poller.ports.status import MappingStatus

SAMPLE_SECONDS = 5.0
KEPT = 61
"""Samples of a mapping: five minutes."""
RATE_SAMPLES = 3
"""Samples over which the present rate is taken: ten seconds."""
WIDTH, HEIGHT = 120, 24
"""Units of a curve."""


class History:
    """Samples by uuid."""

    def __init__(self) -> None:
        self._samples: dict[str, deque[tuple[float, int]]] = {}
        self._curves: dict[str, str] = {}
        """Made since the last sample."""

    def sample(self, mappings: Iterable[MappingStatus], now: float) -> None:
        """Note how far each mapping is; those that are gone are forgotten."""
        kept = {}
        for mapping in mappings:
            kept[mapping.uuid] = samples = self._samples.get(mapping.uuid) or deque(maxlen=KEPT)
            samples.append((now, _done(mapping)))
        self._samples, self._curves = kept, {}

    def rate(self, uuid: str) -> float | None:
        """Records that a mapping was done with per second; None while that is not known."""
        samples = [*self._samples.get(uuid, ())]
        if len(samples) < 2:
            return None
        (before, done_before), (at, done) = samples[-min(RATE_SAMPLES, len(samples))], samples[-1]
        return (done - done_before) / (at - before) if at > before else None

    def curve(self, uuid: str) -> str:
        """The rates as the points of an SVG polyline, the oldest first; empty while there are none."""
        found = self._curves.get(uuid)
        if found is None:
            found = self._curves[uuid] = _curve([*self._samples.get(uuid, ())])
        return found


def _curve(samples: list[tuple[float, int]]) -> str:
    rates = [
        (done - done_before) / (at - before) for (before, done_before), (at, done) in pairwise(samples) if at > before
    ]
    most = max(rates, default=0.0)
    if len(rates) < 2:
        return ""
    step = WIDTH / (KEPT - 2)
    left = WIDTH - step * (len(rates) - 1)
    return " ".join(
        f"{left + step * number:.0f},{HEIGHT - 1 - (HEIGHT - 2) * (rate / most if most else 0.0):.0f}"
        for number, rate in enumerate(rates)
    )


def _done(mapping: MappingStatus) -> int:
    account = mapping.account
    return account.filtered + account.delivered + account.destination + account.dropped + account.expired
