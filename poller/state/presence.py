"""Who uses a shared store now, by the beats in its rows; and the row of a daemon that is in no fleet.

Positions are safe without this, because each shard has a fence. But two daemons that are in no fleet would both read
every shard, and deliver everything twice. So the second one sees the beats of the first, and refuses to start.
"""

import asyncio
import os
import random
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from poller.policy.backoff import Chance
from poller.ports.fleet import FleetStore, MemberRow, MemberState
from poller.values.errors import EnvironmentProblem, StateError, StoreAway

LEASE_SECONDS = 15.0
"""A daemon that is in no fleet counts as dead once its beat stood still for so long."""
BEATS = 3
"""Beats in one lease."""
JITTER = 0.05
LOOK_SECONDS = 1.0
"""Between two readings of the members, and after a beat that was not stored."""
ALONE, MAPPINGS, LEASE, PROCESS = "alone", "mappings", "lease_seconds", "process"
"""Facts of a member: that it is in no fleet, the mappings that it runs, its lease, and which process it is."""


def is_alone(row: MemberRow) -> bool:
    """Whether the row is that of a daemon in no fleet."""
    return bool(row.facts.get(ALONE))


def may_run(row: MemberRow, uuid: str) -> bool:
    """Whether the member may run a mapping."""
    return is_alone(row) or uuid in row.facts.get(MAPPINGS, ())


def this_process() -> str | None:
    """Names the processes among which the id of this one is unique, and the id; None where that cannot be told."""
    try:
        machine = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{machine} {Path('/proc/self/ns/pid').readlink()} {os.getpid()}"
    except OSError:
        return None


def _has_ended(row: MemberRow) -> bool:
    """Whether the member's process is known to be over: it ran among the processes of this one, and is not there."""
    among, _, number = str(row.facts.get(PROCESS, "")).rpartition(" ")
    mine = (this_process() or "").rpartition(" ")[0]
    if not among or among != mine or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


async def alive(store: FleetStore, concerns: Callable[[MemberRow], bool]) -> MemberRow | None:
    """A member that `concerns` names and that is alive, for its beat moves. None where there is none; those that did
    not beat for the length of their lease are declared dead then. Raises StateError.
    """
    now = asyncio.get_running_loop().time
    seen: dict[str, tuple[int, float]] = {}
    while True:
        left = 0
        for row in await store.members():
            if row.state is MemberState.DEAD or not concerns(row):
                continue
            beat, since = seen.setdefault(row.id, (row.beat, now()))
            if row.beat != beat:
                return row
            if _has_ended(row) or now() - since >= _lease_of(row):
                await store.bury(row.id, row.beat)
            else:
                left += 1
        if not left:
            return None
        await asyncio.sleep(LOOK_SECONDS)


def _lease_of(row: MemberRow) -> float:
    found = row.facts.get(LEASE)
    return float(found) if isinstance(found, int | float) else LEASE_SECONDS


def _name(row: MemberRow) -> str:
    return str(row.facts.get("name") or row.id)


async def refuse_beside_one_alone(store: FleetStore, where: str, fleet: str) -> None:
    """For a member of a fleet, before it joins. Raises EnvironmentProblem where a daemon that is in no fleet has the
    same rows.
    """
    try:
        found = await alive(store, is_alone)
    except StateError as error:
        raise StoreAway(str(error)) from error
    if found is not None:
        raise EnvironmentProblem(
            f"the store {where} is in use by {_name(found)}, a poller without `fleet`, which has the positions of the "
            f"fleet {fleet}; stop that one first, and this one goes on from its positions"
        )


class Presence:
    """The row of a daemon that is in no fleet."""

    def __init__(self, store: FleetStore, member: str, chance: Chance = random.random) -> None:
        """`member` is new in each life."""
        self.problem: str | None = None
        """Why the daemon should be restarted; None while it is right."""
        self._store = store
        self._member = member
        self._chance = chance

    async def join(self) -> None:
        """Raises StateError."""
        facts: Mapping[str, Any] = {
            "name": socket.gethostname(),
            ALONE: True,
            LEASE: LEASE_SECONDS,
            PROCESS: this_process(),
        }
        await self._store.join(self._member, facts)

    async def beat(self) -> None:
        """Until cancelled, or others have declared this daemon dead."""
        number = 0
        while True:
            await asyncio.sleep(LEASE_SECONDS / BEATS * (1 - JITTER + JITTER * self._chance()))
            number += 1
            while self.problem is None:
                try:
                    if not await self._store.beat(self._member, number, MemberState.ACTIVE, 0):
                        self.problem = (
                            "another poller took this one for dead, and may read the same shards; after a restart this "
                            "one sees whether it does"
                        )
                    break
                except StateError:
                    number += 1
                    await asyncio.sleep(LOOK_SECONDS)
            if self.problem is not None:
                return

    async def refuse_beside_others(self, where: str) -> None:
        """Raises EnvironmentProblem where another daemon uses the rows, and StateError."""
        found = await alive(self._store, lambda row: row.id != self._member)
        if found is not None:
            kind = "a poller without `fleet`" if is_alone(found) else "a member of a fleet"
            raise EnvironmentProblem(
                f"the store {where} is in use by {_name(found)}, {kind}; stop that one, give this one another `state`, "
                "or make both members of one `fleet`"
            )

    async def sweep(self) -> None:
        """Delete the rows of daemons that are dead. Raises StateError."""
        dead = [row.id for row in await self._store.members() if row.state is MemberState.DEAD]
        if dead:
            await self._store.sweep(dead)


@asynccontextmanager
async def present(store: FleetStore, member: str, where: str) -> AsyncIterator[Presence]:
    """Use the rows as the only daemon. Raises EnvironmentProblem where another one does, and StoreAway."""
    presence = Presence(store, member)
    beating: asyncio.Task[None] | None = None
    try:
        try:
            await presence.join()
            # before the others are watched, who may watch this one
            beating = asyncio.create_task(presence.beat(), name="beats in the state")
            await presence.refuse_beside_others(where)
            await presence.sweep()
        except StateError as error:
            raise StoreAway(str(error)) from error
        yield presence
    finally:
        if beating is not None:
            beating.cancel()
            await asyncio.wait({beating})
        # otherwise the next daemon waits for the lease
        with suppress(StateError):
            await store.leave(member)
