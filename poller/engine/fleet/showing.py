"""Batches that wait: what this member says of its own, and what the others say of theirs.

It is said with the beats that are sent anyway. So it changes only as batches do: times are instants instead of
countdowns, and a batch that is tried just now stays as it was.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import Any

from poller.engine.fleet.life import Life
from poller.engine.fleet.requests import WORKER, parent_of
from poller.policy.waiting import MOST_BATCHES, MOST_KEYS, MOST_OF_MAPPING, Waiting, in_turn, read, row
from poller.ports.elsewhere import Elsewhere
from poller.ports.fleet import MemberRow, MemberState
from poller.ports.status import MappingStatus, PartitionStatus
from poller.values.texts import clean

WAITS = "waits"
"""The fact of a member that has its batches that wait, by uuid of the mapping."""
SAID_AFTER = 2.0
"""Seconds for which a batch has waited before others hear of it: most failures are over by then."""
LONGEST_NAME = 100
STEADY_SECONDS = 1.0
"""A step of the wall clock by less than this changes nothing that was said."""
SAME_SECONDS = 2.0
"""An oldest record whose age is measured otherwise by less than this is the same."""


@dataclass(slots=True)
class Showing:
    """See `poller.policy.waiting` for the form and its bounds."""

    life: Life
    process: str | None
    """Names this process among several workers. The parent puts together what they show, so each shows its own."""
    statuses: Callable[[], Iterable[MappingStatus]]
    wall: Callable[[], float]
    """Seconds since the epoch."""
    _said: dict[tuple[str, str, int], Waiting] = field(default_factory=dict)
    """By uuid, partition and lane, as of the last beat."""
    _offset: float = 0.0
    """Of the wall clock to the loop's."""
    _shown: bool = False
    """Whether another member has a batch that waits."""

    def facts(self) -> Mapping[str, Any]:
        """What the others have to know."""
        now = asyncio.get_running_loop().time()
        if abs(self.wall() - now - self._offset) >= STEADY_SECONDS:
            self._offset = self.wall() - now
        statuses = {status.uuid: status for status in self.statuses()}
        lanes = {uuid: [*_waiting(status, now - SAID_AFTER)] for uuid, status in statuses.items()}
        total = {uuid: len(waiting) for uuid, waiting in lanes.items() if waiting}
        retention = {uuid: statuses[uuid].lag().retention for uuid in total}
        longest = {uuid: nsmallest(MOST_OF_MAPPING, lanes[uuid], key=lambda lane: lane[:3]) for uuid in total}
        picked: list[tuple[str, Waiting]] = []
        for uuid, (since, _, number, partition) in in_turn(longest):
            if len(picked) == MOST_BATCHES:
                break
            one = self._one(uuid, since, number, partition, retention[uuid])
            if one is not None:
                picked.append((uuid, one))
            else:
                total[uuid] -= 1
        self._said = {(uuid, one.batch.partition, one.batch.lane): one for uuid, one in picked}
        found = row(picked, {uuid: count for uuid, count in total.items() if count})
        return {WAITS: found} if found else {}

    def _one(
        self, uuid: str, since: float, number: int, partition: PartitionStatus, retention: float | None
    ) -> Waiting | None:
        """None for a batch that was not said before and is tried just now."""
        lane, said = partition.lanes[number], self._said.get((uuid, partition.id, number))
        held = lane.held
        if held is None:
            return said
        batch = held.batch(partition.id, number)
        behind = partition.behind()
        oldest = None if behind is None else asyncio.get_running_loop().time() - behind
        expires = None if oldest is None or retention is None else oldest + retention
        keys, causes = tuple(held.keys_to_offer(MOST_KEYS)), lane.causes
        found = Waiting(batch, lane.code.value, lane.text, since, lane.next_try, keys, causes, oldest, expires)
        return found.at(self._offset).as_steady_as(said, SAME_SECONDS)

    def note(self, rows: Iterable[MemberRow], alive_until: Callable[[str], float]) -> None:
        """These are the members now; `alive_until` says by this member's clock until when one counts as alive."""
        others = [one for one in rows if self._is_told(one)]
        if not others and not self._shown:
            return
        self._shown = bool(others)
        now = asyncio.get_running_loop().time()
        offset, ahead = self.wall() - now, now - self.life.now()
        for status in self.statuses():
            told = []
            for one in others:
                waiting, more = _of(one, status, self.wall())
                if waiting or more:
                    until = alive_until(one.id) + ahead
                    told.append(Elsewhere(one.id, _name(one), until, [found.at(-offset) for found in waiting], more))
            status.elsewhere = told

    def _is_told(self, one: MemberRow) -> bool:
        if one.id == self.life.id or one.state is MemberState.DEAD or not isinstance(one.facts.get(WAITS), dict):
            return False
        worker = one.facts.get(WORKER)
        return self.process is None or not isinstance(worker, str) or parent_of(worker) != parent_of(self.process)


def _waiting(status: MappingStatus, until: float) -> Iterable[tuple[float, str, int, PartitionStatus]]:
    """The lanes whose batch waits since `until` or longer."""
    for partition in status.partitions:
        for number, lane in enumerate(partition.lanes):
            if lane.waiting_for is not None and lane.waiting_for[1] <= until:
                yield lane.waiting_for[1], partition.id, number, partition


def _of(one: MemberRow, status: MappingStatus, now: float) -> tuple[Sequence[Waiting], int]:
    runs = one.facts.get("mappings")
    if not isinstance(runs, dict) or runs.get(status.uuid) != status.event_source_arn:
        return (), 0
    return read(one.facts[WAITS].get(status.uuid), now)


def _name(one: MemberRow) -> str:
    name = one.facts.get("name")
    return (clean(name, LONGEST_NAME) if isinstance(name, str) else "") or "another daemon"
