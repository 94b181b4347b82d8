"""Which queues this member attends, so that the others rest, and which of them it can leave to others."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from poller.engine.fleet.life import Life
from poller.policy.attendance import before
from poller.ports.fleet import MemberRow, MemberState
from poller.ports.holdings import Rests

ATTENDS = "attends"
"""The fact of a member: the uuids of the mappings whose queues it attends."""


def _attends(row: MemberRow, uuid: str, event_source_arn: str) -> bool:
    said, runs = row.facts.get(ATTENDS), row.facts.get("mappings")
    if row.state is not MemberState.ACTIVE or not isinstance(said, list) or not isinstance(runs, dict):
        return False
    return uuid in said and runs.get(uuid) == event_source_arn


@dataclass(slots=True)
class Attending:
    """See `poller.policy.attendance` for the rules."""

    life: Life
    _queues: dict[str, tuple[str, Rests]] = field(default_factory=dict)
    """By uuid of a mapping, the ARN of its queue, and what can rest."""

    def add(self, uuid: str, event_source_arn: str, rests: Rests) -> Callable[[], None]:
        """See `Fleet.attend`."""
        found = self._queues[uuid] = (event_source_arn, rests)
        rests.join(self.life.hurry)

        def end() -> None:
            rests.leave()
            if self._queues.get(uuid) is found:
                del self._queues[uuid]
                self.life.hurry()

        return end

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
        now, members, me = asyncio.get_running_loop().time() - self.life.now(), [*rows], self.life.id
        for uuid, (arn, rests) in self._queues.items():
            attending = {row.id: row for row in members if row.id != me and _attends(row, uuid, arn)}
            others = {alive_until(member): attending[member] for member in before(me, attending, uuid)}
            until = max(others, default=0.0)
            name = others[until].facts.get("name") if others else ""
            rests.rest(now + until, f"{name}, another daemon of the fleet, polls the queue while it can take all of it")

    def life_ended(self) -> None:
        """What this member read of the others may be old."""
        for _, rests in self._queues.values():
            rests.rest(0.0, "")
