"""A fleet keeps its promises whatever happens to its daemons and its store: random hours by seed."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import pytest

from poller.engine.fleet.hold import MemberHold
from poller.engine.fleet.life import Life
from poller.engine.fleet.shards import MemberShards
from poller.ports.fleet import Write
from poller.sources.sharded.api import Shard
from poller.state.memory.fleet import MemoryFleet
from tests.journeys.streams.fleet import LEASE_SECONDS
from tests.journeys.streams.fleet_random import schedule, shrunk, tell


def test_a_fleet(fleet_seed: int) -> None:
    seed = fleet_seed
    incidents = schedule(seed)
    wrong = tell(seed, incidents)
    if wrong is not None:
        least = "\n".join(map(str, shrunk(seed, incidents)))
        raise AssertionError(f"{wrong}\nby seed {seed} and:\n{least}")


def always(self: MemberHold) -> bool:
    """Asked, it says yes as long as nobody has said otherwise."""
    return not self.over


def not_adopted(_self: MemberShards, _shard: str) -> bool:
    """A claim whose answer was lost is nobody's."""
    return False


class FromTheAnswer(Life):
    """Counts its lease from the answer to a beat."""

    def renew(self, until: float) -> None:
        super().renew(self.now() + 0.9 * LEASE_SECONDS)


class Unversioned(MemoryFleet):
    """Takes every write of the owner, also one that comes late."""

    async def write(self, member: str, writes: Sequence[Write]) -> set[tuple[str, str]]:
        for one in writes:
            leases = self.rows.leases.get(one.uuid, {})
            row = leases.get(one.shard_id)
            if row is not None and row.version >= one.version:
                leases[one.shard_id] = replace(row, version=one.version - 1)
        return await super().write(member, writes)


def parentless(shards: Sequence[Shard], finished: Collection[str], running: Collection[str]) -> list[Shard]:
    """Children may be read while their parents are."""
    return [shard for shard in shards if shard.id not in finished and shard.id not in running]


PLANTED = {
    "it asks no clock before it begins": ("poller.engine.fleet.hold.MemberHold.valid", always),
    "it adopts no claim of its own": ("poller.engine.fleet.shards.MemberShards.is_mine", not_adopted),
    "it counts its lease from the answer": ("poller.engine.fleet.member.Life", FromTheAnswer),
    "its store takes late writes": ("tests.journeys.streams.fleet.MemoryFleet", Unversioned),
    "it reads children beside their parents": ("poller.sources.sharded.topology.may_start", parentless),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stories can tell a fleet that keeps its promises from one that does not."""
    monkeypatch.setattr(*PLANTED[fault])
    assert any(tell(seed, schedule(seed)) is not None for seed in range(60))
