"""The metrics of several workers as one exposition in Prometheus's text format: parsed, merged, written. Pure.

Counters and histograms are summed. Gauges are by their meaning the sum, the least or else the greatest of all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from poller.workers.merging import WORST_FIRST

SUMMED = frozenset(
    {
        "poller_in_flight_events",
        "poller_unaccounted_events",
        "poller_desired_lanes",
        "poller_lease_shards",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
    }
)
LEAST = frozenset(
    {
        "poller_seconds_until_expiry",
        "poller_mapping_status_told",
        "poller_lease_valid",
        "poller_config_last_reload_successful",
        "poller_config_last_reload_success_timestamp_seconds",
        "process_start_time_seconds",
    }
)
STATE, REASON = "poller_mapping_state", "poller_mapping_reason"
EXACT = 2.0**53
"""Whole numbers below it are written as such."""
NOT_MINE = ',reason="not_mine"}'


@dataclass(slots=True)
class Family:
    """The samples of one metric."""

    kind: str = "untyped"
    text: str = ""
    samples: dict[str, float] = field(default_factory=dict)
    """By name and labels, as written."""

    @property
    def adds_up(self) -> bool:
        """Whether it only ever rises, in one process."""
        return self.kind in ("counter", "histogram", "summary")


Families = dict[str, Family]


def parsed(text: str) -> Families:
    """The families of an exposition, by name."""
    families: Families = {}
    family = Family()
    for line in text.splitlines():
        if line.startswith("# "):
            word, name, rest = (line[2:] + "  ").split(" ", 2)
            family = families.setdefault(name, Family())
            if word == "TYPE":
                family.kind = rest.strip()
            elif word == "HELP":
                family.text = rest.strip()
        elif line:
            key, _, value = line.rpartition(" ")
            family.samples[key] = float(value)
    return families


def merged(all_families: Sequence[Families]) -> Families:
    """All of them as one."""
    whole: Families = {}
    for families in all_families:
        for name, family in families.items():
            own = whole.setdefault(name, Family(family.kind, family.text))
            for key, value in family.samples.items():
                own.samples[key] = _both(name, family, own.samples[key], value) if key in own.samples else value
    if STATE in whole:
        _one_state(whole[STATE])
    if REASON in whole:
        _no_reason_elsewhere(whole[REASON], [families.get(REASON, Family()) for families in all_families])
    return whole


def _both(name: str, family: Family, one: float, other: float) -> float:
    if family.adds_up or name in SUMMED:
        return one + other
    return min(one, other) if name in LEAST else max(one, other)


def _one_state(family: Family) -> None:
    """A mapping is in the worst of the states in which workers have it."""
    found: dict[str, list[str]] = {}
    for key, value in family.samples.items():
        if value:
            mapping, _, state = key.rpartition(',state="')
            found.setdefault(mapping, []).append(state.rstrip('"}'))
    for mapping, states in found.items():
        worst = min(states, key=WORST_FIRST.index)
        for state in states:
            family.samples[f'{mapping},state="{state}"}}'] = int(state == worst)


def _no_reason_elsewhere(family: Family, of_workers: Sequence[Family]) -> None:
    """A worker that leaves a mapping to the others says nothing of it."""
    for key in [key for key in family.samples if key.endswith(NOT_MINE)]:
        mapping = key.removesuffix(NOT_MINE)
        others = [other for other in family.samples if other != key and other.startswith(f"{mapping},")]
        if others or any(of.samples and key not in of.samples for of in of_workers):
            del family.samples[key]


def text_of(families: Families) -> str:
    """The exposition."""
    lines = []
    for name, family in families.items():
        lines += [f"# HELP {name} {family.text}", f"# TYPE {name} {family.kind}"]
        lines += [f"{key} {_number(value)}" for key, value in family.samples.items()]
    return "\n".join([*lines, ""])


def _number(value: float) -> str:
    whole = float(value).is_integer() and abs(value) < EXACT
    return str(int(value)) if whole else repr(float(value))


def merged_metrics(of_workers: Sequence[Families], answered: int, starts: Mapping[str, int]) -> str:
    """The exposition of all workers, and what the parent knows of them: how many answer, and how often each began."""
    whole = merged(of_workers)
    whole["poller_workers"] = Family("gauge", "Worker processes that answer", {"poller_workers": answered})
    begun = {f'poller_worker_starts_total{{worker="{number}"}}': float(count) for number, count in starts.items()}
    whole["poller_worker_starts_total"] = Family("counter", "How often a worker process was started", begun)
    return text_of(whole)
