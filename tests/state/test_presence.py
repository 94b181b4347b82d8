"""Daemons in no fleet, on one shared store: the second refuses while the first one lives, and only then."""

import asyncio
import os
import subprocess
import sys

import pytest

from poller.ports.fleet import MemberState
from poller.state.contents import unused
from poller.state.memory.fleet import MemoryFleet, Rows
from poller.state.presence import LEASE_SECONDS, alive, present, refuse_beside_one_alone, this_process
from poller.state.sole import alone
from poller.values.errors import EnvironmentProblem, StateError, StoreAway
from tests.fakes.queue import loop_time

WHERE = "postgresql://db/poller"
ONE = "11111111-0000-4000-8000-000000000000"


@pytest.fixture
def rows():
    return Rows()


class Away(MemoryFleet):
    """Answers nothing while `away`."""

    away = False

    def __getattribute__(self, name):
        if name in ("join", "beat", "members", "leave") and self.away:
            raise StateError("the store does not answer")
        return super().__getattribute__(name)


async def dies(rows, facts):
    """A daemon that was there."""
    await MemoryFleet(rows).join(ONE, facts)


async def test_a_second_daemon_refuses_while_the_first_one_beats(rows):
    async with alone(MemoryFleet(rows), WHERE):
        await asyncio.sleep(100.0)
        with pytest.raises(EnvironmentProblem, match=r"in use by .*a poller without `fleet`; stop that one, give this"):
            async with alone(MemoryFleet(rows), WHERE):
                pass
        # the first one has noticed nothing
        await asyncio.sleep(100.0)
    async with alone(MemoryFleet(rows), WHERE) as store:
        assert store.problem() is None


async def test_after_one_that_stopped_a_daemon_starts_at_once(rows):
    async with alone(MemoryFleet(rows), WHERE):
        pass
    began = loop_time()
    async with alone(MemoryFleet(rows), WHERE):
        assert loop_time() == began
        # its own row is the only one
        assert len(rows.members) == 1


async def test_after_one_that_died_a_daemon_waits_for_its_lease(rows):
    await dies(rows, {"alone": True, "process": "another machine 1"})
    began = loop_time()
    async with alone(MemoryFleet(rows), WHERE):
        assert LEASE_SECONDS <= loop_time() - began <= LEASE_SECONDS + 2


@pytest.fixture
def ended():
    """A process of this machine that is over."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    mine = this_process()
    assert mine is not None
    return mine.removesuffix(str(os.getpid())) + str(process.pid)


async def test_a_daemon_whose_process_is_known_to_have_ended_is_not_waited_for(rows, ended):
    await dies(rows, {"alone": True, "process": ended})
    began = loop_time()
    async with alone(MemoryFleet(rows), WHERE):
        assert loop_time() == began


async def test_a_daemon_that_was_taken_for_dead_asks_for_a_restart(rows):
    async with alone(MemoryFleet(rows), WHERE) as store:
        for row in [*rows.members.values()]:
            await MemoryFleet(rows).bury(row.id, row.beat)
        await asyncio.sleep(LEASE_SECONDS)
        assert "took this one for dead" in str(store.problem())


async def test_an_outage_of_the_store_ends_no_daemon(rows):
    store = Away(rows)
    async with alone(store, WHERE) as sole:
        store.away = True
        await asyncio.sleep(1000.0)
        store.away = False
        await asyncio.sleep(10.0)
        assert sole.problem() is None
        assert await alive(MemoryFleet(rows), lambda _: True) is not None
        store.away = True


async def test_a_store_that_is_away_at_the_start_is_told_as_such(rows):
    store = Away(rows)
    store.away = True
    with pytest.raises(StoreAway):
        async with present(store, ONE, WHERE):
            pass
    with pytest.raises(StoreAway):
        await refuse_beside_one_alone(store, WHERE, "poller")


async def test_a_member_of_a_fleet_refuses_beside_one_alone_and_one_alone_beside_a_member(rows):
    fleet = MemoryFleet(rows)
    async with alone(MemoryFleet(rows), WHERE):
        with pytest.raises(EnvironmentProblem, match="has the positions of the fleet poller; stop that one first"):
            await refuse_beside_one_alone(fleet, WHERE, "poller")
    await refuse_beside_one_alone(fleet, WHERE, "poller")
    await fleet.join(ONE, {"name": "host", "mappings": {}})
    beating = asyncio.ensure_future(beats(fleet))
    await refuse_beside_one_alone(fleet, WHERE, "poller")
    with pytest.raises(EnvironmentProblem, match="in use by host, a member of a fleet"):
        async with alone(MemoryFleet(rows), WHERE):
            pass
    beating.cancel()


async def beats(fleet):
    for beat in range(1, 1000):
        await asyncio.sleep(5.0)
        await fleet.beat(ONE, beat, MemberState.ACTIVE, 0)


async def test_a_position_is_given_up_only_while_no_daemon_has_its_mapping(rows):
    fleet = MemoryFleet(rows)
    await fleet.join(ONE, {"name": "host", "mappings": {"u": "arn:stream"}, "lease_seconds": 60})
    beating = asyncio.ensure_future(beats(fleet))
    await unused(fleet, "other")
    with pytest.raises(EnvironmentProblem, match="host, a poller that is running, may have the mapping"):
        await unused(fleet, "u")
    beating.cancel()
    # it died
    began = loop_time()
    await unused(fleet, "u")
    assert loop_time() - began >= 60
