"""The exact account of every message the stub handed out: the proof that a fast run was also a right one.

Decides: lost, deleted early, duplicate, undone, latency. Refuses to know: sockets, JSON, timers; time is an argument
(seconds of one monotonic clock), messages are numbers from 0.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence


def _zeros(count: int) -> "array[int]":
    return array("L", bytes(array("L").itemsize * count))


def percentile(ordered: Sequence[float], fraction: float) -> float:
    """Nearest rank at or below; 0 of nothing."""
    return ordered[int((len(ordered) - 1) * fraction)] if ordered else 0.0


class Ledger:
    def __init__(self, messages: int, available_at: Callable[[int], float]) -> None:
        """`available_at(i)` is when message `i` could first be received; latency counts from there."""
        self.messages = messages
        self.undone = messages
        self.calls: Counter[str] = Counter()
        self.unknown = 0
        """Messages named by a client that were never handed out under that name, and malformed events."""
        self.out_of_order = 0
        """Records of a stream that succeeded before one that precedes them in their shard, or after a later one."""
        self.wanted: Callable[[int], bool] = lambda _: True
        """Whether a message matches the filter of the one client there is; others are deleted without an invocation."""
        self._available_at = available_at
        self._deliveries = _zeros(messages)
        self._running = _zeros(messages)
        self._succeeded = _zeros(messages)
        self._deletes = _zeros(messages)
        self._invoked = _zeros(messages)
        self._latencies = array("d")
        self._invocations = self._delivered = self._deleted_early = self._reported_failed = self._hidden_again = 0
        self._first_delivery = self._last_delete = 0.0

    def received(self, indexes: Iterable[int], now: float) -> None:
        self._first_delivery = self._first_delivery or now
        for index in indexes:
            self._deliveries[index] += 1
            self._delivered += 1

    def deliveries(self, index: int) -> int:
        return self._deliveries[index]

    def invocations_of(self, index: int) -> int:
        return self._invoked[index]

    def visible_again(self) -> None:
        """A visibility timeout ran out on a message that was not deleted."""
        self._hidden_again += 1

    def invoked(self, indexes: Iterable[int], now: float) -> None:
        """The function was called with these; they run until `answered`."""
        self._invocations += 1
        for index in indexes:
            self._running[index] += 1
            if not self._invoked[index]:
                self._latencies.append(now - self._available_at(index))
            self._invoked[index] += 1

    def answered(self, indexes: Iterable[int], failed: Collection[int]) -> None:
        """The function ended; `failed` are those of them it did not succeed on."""
        for index in indexes:
            self._running[index] -= 1
            if index in failed:
                self._reported_failed += 1
            else:
                self._succeeded[index] += 1

    def is_deleted(self, index: int) -> bool:
        return self._deletes[index] > 0

    def deleted(self, index: int, now: float) -> None:
        """Early: no invocation has succeeded on it yet, or one of them still runs."""
        self._last_delete = now
        if not self._deletes[index]:
            self.undone -= 1
            if self.wanted(index) and (self._running[index] or not self._succeeded[index]):
                self._deleted_early += 1
        self._deletes[index] += 1

    def faults(self) -> dict[str, int]:
        """Every kind of wrong, with its count; empty when the run was exact."""
        pairs = list(zip(self._succeeded, self._deletes, strict=True))
        wanted = self.wanted
        found = {
            "undone": self.undone,
            "lost": sum(1 for index, (done, deletes) in enumerate(pairs) if deletes and not done and wanted(index)),
            "unwanted": sum(1 for index, count in enumerate(self._invoked) if count and not wanted(index)),
            "deleted_early": self._deleted_early,
            "duplicates": sum(succeeded - 1 for succeeded, _ in pairs if succeeded > 1),
            "deleted_again": sum(deletes - 1 for _, deletes in pairs if deletes > 1),
            "unknown": self.unknown,
            "out_of_order": self.out_of_order,
        }
        return {kind: count for kind, count in found.items() if count}

    def report(self) -> dict[str, object]:
        """JSON-ready. Latencies in ms from available to first invoked; `wall_s` from first delivery to last delete."""
        latencies = sorted(self._latencies)
        faults = self.faults()
        return {
            "verdict": "exact" if not faults else "not exact",
            "faults": faults,
            "messages": self.messages,
            "deliveries": self._delivered,
            "invocations": self._invocations,
            "succeeded": sum(1 for succeeded in self._succeeded if succeeded),
            "deleted": self.messages - self.undone,
            "reported_failed": self._reported_failed,
            "visible_again": self._hidden_again,
            "calls": dict(self.calls),
            "latency_ms": {
                "first": 1000 * self._latencies[0] if self._latencies else 0.0,
                "p50": 1000 * percentile(latencies, 0.5),
                "p99": 1000 * percentile(latencies, 0.99),
                "max": 1000 * percentile(latencies, 1.0),
            },
            "wall_s": max(0.0, self._last_delete - self._first_delivery),
        }
