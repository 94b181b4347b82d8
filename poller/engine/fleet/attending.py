"""Which queues this member attends, so that the others rest, and which of them it can leave to others."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from poller.engine.fleet.life import Life
from poller.policy.attendance import before
from poller.ports.fleet import MemberRow, MemberState
from poller.ports.holdings import Rests

ATTENDS = "attends"
"""The fact of a member: the uuids of the mappings whose queues it attends."""
TOLD_SECONDS = 1.0
"""Shortest time between two beats that only tell of queues: the facts of a member with thousands of them are long."""


def _attended(row: MemberRow) -> Mapping[str, str]:
    """By uuid the ARN of each queue that a member attends."""
    said, runs = row.facts.get(ATTENDS), row.facts.get("mappings")
    if row.state is not MemberState.ACTIVE or not isinstance(said, list) or not isinstance(runs, dict):
        return {}
    return {uuid: runs[uuid] for uuid in said if isinstance(uuid, str) and uuid in runs}


@dataclass(slots=True)
class Attending:
    """See `poller.policy.attendance` for the rules."""

    life: Life
    _queues: dict[str, tuple[str, Rests]] = field(default_factory=dict)
    """By uuid of a mapping, the ARN of its queue, and what can rest."""
    _told_at: float = -inf
    _timer: asyncio.TimerHandle | None = None

    def add(self, uuid: str, event_source_arn: str, rests: Rests) -> Callable[[], None]:
        """See `Fleet.attend`."""
        found = self._queues[uuid] = (event_source_arn, rests)
        leave = rests.join(self._tell)

        def end() -> None:
            leave()
            if self._queues.get(uuid) is found:
                del self._queues[uuid]
                self._tell()

        return end

    def _tell(self) -> None:
        """A queue is attended no longer, and the others should hear it."""
        loop = asyncio.get_running_loop()
        if self._timer is None:
            self._timer = loop.call_at(max(loop.time(), self._told_at + TOLD_SECONDS), self._hurry)

    def _hurry(self) -> None:
        self._timer, self._told_at = None, asyncio.get_running_loop().time()
        self.life.hurry()

    def close(self) -> None:
        """Nothing is told any more."""
        if self._timer is not None:
            self._timer.cancel()

    def facts(self) -> Mapping[str, Any]:
        """What the others have to know."""
        if self.life.state is not MemberState.ACTIVE:
            return {}
        found = sorted(uuid for uuid, (_, rests) in self._queues.items() if rests.attends())
        return {ATTENDS: found} if found else {}

    def note(self, rows: Iterable[MemberRow], alive_until: Callable[[str], float]) -> None:
        """These are the members now; `alive_until` says by this member's clock until when one counts as alive."""
        if not self._queues:
            return
        now, me = asyncio.get_running_loop().time() - self.life.now(), self.life.id
        others = {row.id: (row, _attended(row)) for row in rows if row.id != me}
        for uuid, (arn, rests) in self._queues.items():
            attending = [member for member, (_, attended) in others.items() if attended.get(uuid) == arn]
            until = {alive_until(member): member for member in before(me, attending, uuid)}
            if not until:
                rests.rest(-inf, "")
                continue
            name = others[until[max(until)]][0].facts.get("name")
            text = f"{name}, another daemon of the fleet, polls the queue while it can take all of it"
            rests.rest(now + max(until), text)

    def life_ended(self) -> None:
        """What this member read of the others may be old."""
        for _, rests in self._queues.values():
            rests.rest(-inf, "")
