"""Prometheus's text format and OpenMetrics, written line by line.

Own code, since the library for it builds an object for every sample and the whole text at once: with ten thousand
mappings that would keep the loop for seconds.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Literal

from poller.values.histogram import Histogram

_ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_END = b"# EOF\n"
LINES = 200
"""Made at a time: a fraction of a millisecond."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric's name without its suffix, and what its samples have in common."""

    name: str
    text: str
    kind: Literal["gauge", "counter", "histogram"] = "gauge"


class Writer:
    """Writes one of the two formats."""

    def __init__(self, *, openmetrics: bool) -> None:
        self._openmetrics = openmetrics
        self.end = _END if openmetrics else b""

    def head(self, family: Family) -> bytes:
        """The lines before a family's samples."""
        # a counter's samples end in _total; OpenMetrics leaves that out of the family's name
        name = family.name if self._openmetrics or family.kind != "counter" else f"{family.name}_total"
        return f"# HELP {name} {family.text}\n# TYPE {name} {family.kind}\n".encode()

    def samples(self, family: Family, samples: Iterable[tuple[str, float]]) -> Iterator[bytes]:
        """The family's lines, some hundred at a time. Each sample has its labels as `labelled` writes them."""
        name = f"{family.name}_total" if family.kind == "counter" else family.name
        lines = (f"{name}{{{labels}}} {value!r}\n" if labels else f"{name} {value!r}\n" for labels, value in samples)
        while some := list(islice(lines, LINES)):
            yield _encoded(some)

    def histograms(self, family: Family, histograms: Iterable[tuple[str, Histogram]]) -> Iterator[bytes]:
        """The same of histograms, one at a time."""
        name = family.name
        ends: dict[tuple[float, ...], list[str]] = {}
        for labels, histogram in histograms:
            if (bounds := ends.get(histogram.bounds)) is None:
                bounds = ends[histogram.bounds] = [f',le="{bound}"}} ' for bound in (*histogram.bounds, "+Inf")]
            counts = list(accumulate(histogram.buckets))
            start = f"{name}_bucket{{{labels}"
            lines = [f"{start}{end}{count}\n" for end, count in zip(bounds, counts, strict=True)]
            lines.append(f"{name}_count{{{labels}}} {counts[-1]}\n{name}_sum{{{labels}}} {histogram.total!r}\n")
            yield _encoded(lines)

    def without_end(self, text: bytes) -> bytes:
        """What the library wrote in the same format, without the line that ends a whole answer."""
        return text.removesuffix(_END)


def labelled(**labels: str) -> str:
    """Labels as they stand between the braces."""
    return ",".join(f'{name}="{value.translate(_ESCAPED)}"' for name, value in labels.items())


def _encoded(lines: list[str]) -> bytes:
    # half a surrogate pair in a name is the one thing UTF-8 cannot hold
    return "".join(lines).encode("utf-8", "replace")
