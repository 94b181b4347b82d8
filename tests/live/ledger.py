"""What a function under test was given and how it judged it: the other side of the daemon's own account.

The body of a message says how it wants to be judged: {"key": …, "group": …, "plan": ["item", "batch"]} fails in its
first two deliveries, once by its name in `batchItemFailures` and once with its whole batch. A failure that would be the
third of any message, its neighbours included, does not take place, so that every message fails at most twice.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_FAILURES = 2
WHOLE = frozenset({"batch", "huge", "garbage", "text", "never"})
"""Plans that fail the whole batch, by an answer of that kind."""
WAIT_SECONDS = 120.0
"""Long enough for a loaded machine; what is waited for normally takes a second or twelve."""


@dataclass(frozen=True, slots=True)
class Verdict:
    kind: str = "answer"
    """One of WHOLE, or `answer` with the names that failed."""
    failed: Sequence[str] = ()


@dataclass(slots=True)
class Ledger:
    """Thread-safe; every change notifies whoever waits."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    running: int = 0
    invocations: int = 0
    refused: int = 0
    """Requests that were answered before anything was judged."""
    verdicts: Counter[str] = field(default_factory=Counter)
    succeeded: Counter[str] = field(default_factory=Counter)
    """Successful deliveries by key."""
    succeeded_ids: set[str] = field(default_factory=set)
    """Message ids."""
    failures: Counter[str] = field(default_factory=Counter)
    """Failed deliveries by key."""
    receives: dict[str, list[int]] = field(default_factory=dict)
    """ApproximateReceiveCount at each delivery, by key."""
    order: dict[str, list[str]] = field(default_factory=dict)
    """Keys of a group in the order of their first success."""
    overlaps: list[str] = field(default_factory=list)
    """Groups that were delivered while an earlier delivery of theirs was not answered yet."""
    _groups: Counter[str] = field(default_factory=Counter)

    def begin(self, records: Sequence[Any]) -> None:
        with self.changed:
            self.running += 1
            self.invocations += 1
            for group in _groups_of(records):
                if self._groups[group]:
                    self.overlaps.append(group)
                self._groups[group] += 1
            for record in records:
                key = json.loads(record["body"])["key"]
                count = int(record["attributes"]["ApproximateReceiveCount"])
                self.receives.setdefault(key, []).append(count)
            self.changed.notify_all()

    def end(self, records: Sequence[Any]) -> Verdict:
        """Judge by plan, before the answer leaves."""
        orders = [(record["messageId"], json.loads(record["body"])) for record in records]
        with self.changed:
            self.running -= 1
            self._groups.subtract(_groups_of(records))
            verdict = self._judge(orders)
            self.verdicts[verdict.kind] += 1
            self.verdicts["item"] += len(verdict.failed)
            for message, order in orders:
                key = order["key"]
                if verdict.kind != "answer" or message in verdict.failed:
                    self.failures[key] += 1
                    continue
                if key not in self.succeeded and order.get("group"):
                    self.order.setdefault(order["group"], []).append(key)
                self.succeeded[key] += 1
                self.succeeded_ids.add(message)
            self.changed.notify_all()
            return verdict

    def refuse(self) -> None:
        with self.changed:
            self.refused += 1
            self.changed.notify_all()

    def _judge(self, orders: Sequence[tuple[str, Any]]) -> Verdict:
        wanted = {message: self._wants(order) for message, order in orders}
        may_fail = {message: self.failures[order["key"]] < MOST_FAILURES for message, order in orders}
        if all(may_fail.values()):
            for kind in wanted.values():
                if kind in WHOLE:
                    return Verdict(kind)
        failed: list[str] = []
        stopped: set[str] = set()
        for index, (message, order) in enumerate(orders):
            group = order.get("group")
            # a function of a FIFO queue stops at the first failure of a group
            behind = [other for other, later in orders[index:] if group and later.get("group") == group]
            if group in stopped:
                failed.append(message)
            elif wanted[message] and all(may_fail[one] for one in (message, *behind)):
                failed.append(message)
                stopped |= {group} if group else set()
        return Verdict(failed=failed)

    def _wants(self, order: Any) -> str | None:
        plan, failures = order.get("plan", ()), self.failures[order["key"]]
        return plan[failures] if failures < len(plan) else None

    def wait_for(self, condition: Callable[[], bool], what: str, seconds: float = WAIT_SECONDS) -> None:
        """Return once `condition`, asked at each change, holds. AssertionError says that `what` never came."""
        with self.changed:
            assert self.changed.wait_for(condition, seconds), f"waited {seconds:g} s for {what}"

    def holds(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Whether `condition` comes to hold within so many seconds."""
        with self.changed:
            return self.changed.wait_for(condition, seconds)

    def without_success(self, messages: set[str]) -> set[str]:
        """Those of these message ids that have not succeeded by now."""
        with self.changed:
            return messages - self.succeeded_ids


def _groups_of(records: Sequence[Any]) -> set[str]:
    return {group for record in records if (group := record["attributes"].get("MessageGroupId"))}
