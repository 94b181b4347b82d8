"""A function that keeps in its state what it has seen of a window, and the account of all windows it was given."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from poller.policy.windows import STATE_LIMIT
from tests.fakes.invocations import identifier_of
from tests.fakes.lambda_service import Answer
from tests.virtual_time import EPOCH

Key = tuple[str, float, float]
"""Shard, start and end of a window."""


@dataclass
class Closing:
    """One call that closed a window, or tried to."""

    shard: str
    start: float
    """Epoch seconds."""
    end: float
    state: dict[str, Any]
    early: bool
    succeeded: bool = False

    @property
    def seen(self) -> list[str]:
        """Sequence numbers."""
        found: list[str] = self.state.get("seen", [])
        return found


@dataclass
class Summing:
    """`plan` says what fails, as without windows."""

    plan: Any = None
    blow_up: Any = lambda: False
    """Whether the next answer's state is too large."""
    ballast: int = 0
    """Bytes that every state holds beside what it is for."""
    closings: list[Closing] = field(default_factory=list)
    _numbers: Any = field(default_factory=count)

    def __call__(self, event: dict[str, Any]) -> Any:
        assert list(event) == [
            *("Records", "window", "state", "shardId", "eventSourceARN"),
            *("isFinalInvokeForWindow", "isWindowTerminatedEarly"),
        ]
        assert event["isFinalInvokeForWindow"] == (not event["Records"])
        refusal = None if self.plan is None else self.plan(event)
        if not event["Records"]:
            return self._close(event, refusal)
        if refusal is not None and refusal.error is not None:
            return refusal
        numbers = [identifier_of(record) for record in event["Records"]]
        failures = [] if refusal is None else json.loads(refusal.body)["batchItemFailures"]
        named = {failure["itemIdentifier"] for failure in failures}
        reached = next((index for index, number in enumerate(numbers) if number in named), len(numbers))
        state = {"id": next(self._numbers), "seen": []} | event["state"]
        state["seen"] = state["seen"] + numbers[:reached]
        if self.ballast:
            state["weight"] = "x" * self.ballast
        if self.blow_up():
            state["ballast"] = "x" * STATE_LIMIT
        return {"state": state, "batchItemFailures": failures}

    def _close(self, event: dict[str, Any], refusal: Answer | None) -> Any:
        start, end = (datetime.fromisoformat(event["window"][which]).timestamp() for which in ("start", "end"))
        closing = Closing(event["shardId"], start, end, event["state"], early=event["isWindowTerminatedEarly"])
        closing.succeeded = refusal is None
        self.closings.append(closing)
        return refusal or {"state": {}}

    def check(self, world: Any, *, once: bool = False) -> None:
        """Sums over windows are the sums over records; every window was closed, and with one state only. `once` where
        nothing happened that makes repetitions legal.
        """
        self._check_states(once=once)
        windows = {closing.state.get("id", (closing.shard, closing.start)): closing for closing in self.closings}
        seen = [number for closing in windows.values() for number in closing.seen]
        assert len(seen) == len(set(seen)), "a record was counted twice"
        gone = {number for number, entry in world.ledger.entries.items() if entry.discarded}
        # an invocation that never arrived at the function may have been an attempt as well
        gone |= {number for window in world.windows_given_up for number in json.loads(window.state).get("seen", [])}
        assert set(world.ledger.entries) - set(seen) - gone == set(), "a record is in no window"
        assert set(seen) <= set(world.ledger.entries)
        for closing in windows.values():
            for number in closing.seen:
                assert closing.start <= EPOCH + world.ledger[number].put < closing.end
                assert world.ledger[number].shard == closing.shard

    def _check_states(self, *, once: bool) -> None:
        states: dict[Key, list[Any]] = defaultdict(list)
        for closing in self.closings:
            assert closing.early == ("ballast" in closing.state)
            if not closing.early:
                states[closing.shard, closing.start, closing.end].append(closing)
        for key, closings in states.items():
            assert len({json.dumps(one.state) for one in closings}) == 1, f"{key} was closed with different states"
            succeeded = sum(one.succeeded for one in closings)
            assert not once or succeeded == 1, f"{key} was closed {succeeded} times"
