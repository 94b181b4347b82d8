"""Which daemons of a fleet are alive, as one of them judges from their beats. No clocks are synchronised.

A member may act until 0.9 of the lease after it sent its last successful beat. An observer waits for the whole lease
from when it saw that beat, which is later. So as long as two clocks run at rates within 10 % of each other, a member
has stopped acting before anybody may declare it dead. Times are in seconds of the judging daemon's own clock, which
must not stop while the machine is suspended.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

ACTS_FOR = 0.9
"""Part of the lease for which a member acts after a beat."""


def valid_until(sent: float, lease_seconds: float) -> float:
    """Until when a member may act whose last successful beat was sent at `sent`, before the call."""
    return sent + ACTS_FOR * lease_seconds


@dataclass(slots=True)
class _Seen:
    beat: int | None
    """None for one that owns a shard and has no row."""
    since: float
    """When this beat was first seen."""


class Membership:
    """The members that are not dead, and since when each has not moved."""

    def __init__(self, lease_seconds: float, now: float) -> None:
        self.quiet_since = now
        """When a member last came or went."""
        self._lease_seconds = lease_seconds
        self._seen: dict[str, _Seen] = {}
        self._dead: set[str] = set()

    @property
    def live(self) -> frozenset[str]:
        """Members that are not dead, as far as is known."""
        return frozenset(self._seen)

    def observe(self, beats: Iterable[tuple[str, int]], dead: Iterable[str], now: float) -> bool:
        """Note what was read: the beats of the living, and who is dead. Returns whether a member came or went."""
        before = self.live
        self._dead = set(dead)
        there = {member: beat for member, beat in beats if member not in self._dead}
        # one without a row is watched for as long as its shards name it: see `owning`
        self._seen = {
            member: seen for member, seen in self._seen.items() if member in there or self._is_rowless(member)
        }
        for member, beat in there.items():
            seen = self._seen.get(member)
            if seen is None or seen.beat is None or beat > seen.beat:
                self._seen[member] = _Seen(beat, now)
        return self._changed(before, now)

    def owning(self, owners: Iterable[str], now: float) -> None:
        """These own shards. One without a row is observed like one whose beat stands still: it may have joined since
        the rows were read.
        """
        before, named = self.live, set(owners)
        for member in named - self._dead:
            self._seen.setdefault(member, _Seen(None, now))
        self._seen = {
            member: seen for member, seen in self._seen.items() if member in named or not self._is_rowless(member)
        }
        self._changed(before, now)

    def _is_rowless(self, member: str) -> bool:
        return self._seen[member].beat is None and member not in self._dead

    def _changed(self, before: frozenset[str], now: float) -> bool:
        if self.live == before:
            return False
        self.quiet_since = now
        return True

    def buried(self, member: str, now: float) -> None:
        """A member is dead now."""
        before = self.live
        self._seen.pop(member, None)
        self._dead.add(member)
        self._changed(before, now)

    def expired(self, now: float, me: str) -> list[tuple[str, int | None]]:
        """The members other than `me` that may be declared dead, each with the beat last seen."""
        return [
            (member, seen.beat)
            for member, seen in self._seen.items()
            if member != me and now - seen.since >= self._lease_seconds
        ]

    def alive_until(self, member: str) -> float:
        """Until when a member counts as alive unless its beat moves; minus infinity for one that is not."""
        seen = self._seen.get(member)
        return -inf if seen is None else seen.since + self._lease_seconds

    def next_expiry(self, me: str) -> float | None:
        """When the first of the others expires unless it moves; None without others."""
        ends = [seen.since + self._lease_seconds for member, seen in self._seen.items() if member != me]
        return min(ends, default=None)
