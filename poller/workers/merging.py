"""The JSON answers of several workers as one, as if one process had given it. Pure.

Numbers of records are summed; what is asked of the source as a whole is taken from the worker that shows it worst.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

Json = dict[str, Any]

WORST_FIRST = ("problem", "degraded", "starting", "stopping", "running", "paused", "disabled", "stopped")
"""States of a mapping; that of the worker that is worst off is the whole mapping's."""
ELSEWHERE = frozenset({"not_mine", "waiting_for_handover"})
"""Reasons of a worker that leaves a partition to another one."""
QUIET = ELSEWHERE | {"no_data"}


def status(documents: Sequence[Json]) -> Json:
    """Of `GET /status`."""
    first = documents[0]
    refused = [one["configuration"] for one in documents if one["configuration"] and one["configuration"]["problems"]]
    return {
        **first,
        "started_at": min(one["started_at"] for one in documents),
        "unhealthy": _union(problem for one in documents for problem in one["unhealthy"]),
        "configuration": refused[0] if refused else first["configuration"],
        "mappings": mappings(documents),
    }


def mappings(documents: Sequence[Json]) -> list[Json]:
    """Those of all workers."""
    return [mapping(same) for same in _by_uuid(documents)]


def _by_uuid(documents: Sequence[Json]) -> list[list[Json]]:
    found: dict[str, list[Json]] = {}
    for document in documents:
        for one in document["mappings"]:
            found.setdefault(one["uuid"], []).append(one)
    return [*found.values()]


def mapping(same: Sequence[Json]) -> Json:
    """One mapping, of those workers that run it."""
    if len(same) == 1:
        return same[0]
    shown = min(same, key=_rank)
    whole = {**shown, "reason": _reason(shown["reason"], [one["reason"] for one in same])}
    for name, both in TOGETHER.items():
        if name in shown:
            whole[name] = both([one[name] for one in same])
    if "last_failure" in shown:
        latest = max(same, key=lambda one: max(one["last_success_at"] or "", _at(one["last_failure"])))
        whole["last_result"] = latest["last_result"]
        whole["partitions"] = _partitions(same)
    return whole


def without_worker(mapping: Json) -> Json:
    """A mapping as it is while the only worker that runs it is started again."""
    text = "the worker process that runs it has ended, and is started again"
    return {
        **mapping,
        **dict.fromkeys(("shadow", "last_result", "last_success_at", "last_failure")),
        "state": "starting",
        "reason": {"code": "starting", "text": text, "causes": [], "since": None, "until": None, "next_try_at": None},
        "notes": [],
        "counters": dict.fromkeys(mapping["counters"], 0),
        "invocations": dict.fromkeys(mapping["invocations"], 0),
        "in_flight": 0,
        "unaccounted": 0,
        "lag": dict.fromkeys(mapping["lag"]),
        "partitions": [],
    }


def _reason(shown: Json | None, reasons: Sequence[Json | None]) -> Json | None:
    """Since the earliest time at which any worker had the reason that is shown."""
    if shown is None:
        return None
    since = [one["since"] for one in reasons if one is not None and one["code"] == shown["code"] and one["since"]]
    return {**shown, "since": min(since, default=shown["since"])}


def _rank(one: Json) -> tuple[int, int]:
    code = None if one["reason"] is None else one["reason"]["code"]
    return WORST_FIRST.index(one["state"]), 2 if code in ELSEWHERE else int(code is None or code in QUIET)


def _at(failure: Json | None) -> str:
    return "" if failure is None else str(failure["at"])


def _sums(counted: Sequence[Json]) -> Json:
    return {name: sum(one[name] for one in counted) for name in counted[0]}


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _lag(lags: Sequence[Json]) -> Json:
    return {
        **{name: _most(lag[name] for lag in lags) for name in lags[0]},
        "expires_in_seconds": min(
            (lag["expires_in_seconds"] for lag in lags if lag["expires_in_seconds"] is not None), default=None
        ),
    }


def _shadow(of_workers: Sequence[Json | None]) -> Json | None:
    shadows = [one for one in of_workers if one]
    if not shadows:
        return None
    failures = [one["last_failure"] for one in shadows if one["last_failure"]]
    counters = _sums([one["counters"] for one in shadows])
    return {**shadows[0], "counters": counters, "last_failure": failures[0] if failures else None}


def _rates(of_workers: Sequence[Sequence[float]]) -> list[float]:
    """The pace over the same times; a worker that began later has fewer, the latest of which is now."""
    longest = max(map(len, of_workers))
    padded = [[*[0.0] * (longest - len(rates)), *rates] for rates in of_workers]
    return [round(sum(at_once), 1) for at_once in zip(*padded, strict=True)]


def _stuck(of_workers: Sequence[Json | None]) -> Json | None:
    """Each worker counts the shards that it reads, lists all, and knows of what waits on other daemons."""
    found = [one for one in of_workers if one]
    if not found:
        return None
    counts = {name: sum(one[name] for one in found) for name in ("shards", "lanes", "of_lanes")}
    since = min((one["since"] for one in found if one["since"]), default=None)
    most = {name: max(one[name] for one in found) for name in ("of", "elsewhere")}
    return {**counts, **most, "since": since}


def _notes(of_workers: Sequence[Sequence[Json]]) -> list[Json]:
    return [*{note["text"]: note for notes in of_workers for note in notes}.values()]


TOGETHER: dict[str, Callable[[Sequence[Any]], Any]] = {
    "notes": _notes,
    "counters": _sums,
    "invocations": _sums,
    "in_flight": _sum,
    "unaccounted": _sum,
    "lag": _lag,
    "rates": _rates,
    "stuck": _stuck,
    "last_success_at": lambda times: max(time or "" for time in times) or None,
    "last_failure": lambda failures: max(failures, key=_at),
    "shadow": _shadow,
    "batches": lambda of_workers: [batch for batches in of_workers for batch in batches],
    "more_batches": sum,
}
"""How a member of a mapping is put together from those of the workers."""


def _partitions(same: Sequence[Json]) -> list[Json]:
    found: dict[str, list[Json]] = {}
    for one in same:
        for partition in one["partitions"]:
            found.setdefault(partition["id"], []).append(partition)
    return [_partition(entries) for entries in found.values()]


def _partition(entries: Sequence[Json]) -> Json:
    """A shard is one worker's; a queue is that of all."""
    here = [one for one in entries if one["reason"] is None or one["reason"]["code"] not in ELSEWHERE] or entries
    telling = [one for one in here if one["reason"] is not None and one["reason"]["code"] not in QUIET]
    shown = (telling or here)[0]
    return {
        **shown,
        "reason": _reason(shown["reason"], [one["reason"] for one in here]),
        "behind_seconds": _most(one["behind_seconds"] for one in here),
        "lanes": [lane for one in here for lane in one["lanes"]],
        "elsewhere": _elsewhere(batch for one in here for batch in one["elsewhere"]),
    }


def _elsewhere(batches: Iterable[Json]) -> list[Json]:
    """Each worker knows of what waits on other daemons; what waits on another worker of this one none of them says."""
    return [*{(one["member"], one["lane"], one["first"]): one for one in batches}.values()]


def reloads(documents: Sequence[Json]) -> Json:
    """Of `POST /reload`, where no worker refused. A mapping that runs on some of them is told by those."""
    names = ("added", "changed", "removed", "warnings")
    return {
        **documents[0],
        **{name: _union(value for one in documents for value in one[name]) for name in names},
        "unchanged": max(one["unchanged"] for one in documents),
    }


def _union(values: Iterable[str]) -> list[str]:
    return [*dict.fromkeys(values)]
