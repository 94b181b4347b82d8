"""Keeps the mappings of a member to its parts of the limits of concurrency that hold for the whole fleet."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from poller.engine.fleet.life import Life
from poller.policy.fleet_shares import is_reckoned_with, part_of
from poller.ports.fleet import MemberRow, MemberState
from poller.ports.holdings import Resizable

SHARES, AS, RECKONS = "shares", "as", "reckons"
"""The fact of a member: by uuid of each mapping that it runs with a limit, as what it takes part, and with which others
it reckons.
"""


@dataclass(slots=True)
class _Limited:
    limit: int
    slots: Resizable
    run: int
    """Tells one run of the mapping from the next, which the others must reckon with anew."""
    active: bool = False
    """Whether every other run has reckoned with this one."""
    reckoned: Collection[str] = ()
    """What the next beat says."""


def _said(facts: Mapping[str, Any], uuid: str) -> tuple[str, list[str]] | None:
    """As what a member takes part, and with whom it reckons; None where it runs the mapping without a limit, or not at
    all.
    """
    shares = facts.get(SHARES)
    found = shares.get(uuid) if isinstance(shares, dict) else None
    return (str(found[AS]), list(found[RECKONS])) if isinstance(found, dict) else None


@dataclass(slots=True)
class Shares:
    """See `poller.policy.fleet_shares` for the rules."""

    life: Life
    look: Callable[[], None]
    """The members are to be read soon."""
    _limited: dict[str, _Limited] = field(default_factory=dict)
    _runs: "count[int]" = field(default_factory=count)

    def add(self, uuid: str, limit: int, slots: Resizable) -> Callable[[], None]:
        """See `Fleet.share`. Until the others reckon with this run there is no slot."""
        limited = self._limited[uuid] = _Limited(limit, slots, next(self._runs))
        slots.resize(0)
        self.life.hurry()
        self.look()

        def end() -> None:
            if self._limited.get(uuid) is limited:
                del self._limited[uuid]
                self.life.hurry()

        return end

    def _name(self, one: _Limited) -> str:
        return f"{self.life.id}/{one.run}"

    def facts(self) -> Mapping[str, Any]:
        """What the others have to know."""
        if not self._limited:
            return {}
        limited = self._limited.items()
        return {SHARES: {uuid: {AS: self._name(one), RECKONS: sorted(one.reckoned)} for uuid, one in limited}}

    def note(self, rows: Iterable[MemberRow]) -> None:
        """These are the members now."""
        if not self._limited:
            return
        alive = [row for row in rows if row.state is not MemberState.DEAD]
        for uuid, one in self._limited.items():
            me, known = self._name(one), dict(filter(None, (_said(row.facts, uuid) for row in alive)))
            # what the row says of this run itself was stored before those of the others were read
            if known.pop(me, None) is None:
                continue
            one.active = one.active or is_reckoned_with(me, known)
            everyone = {me, *known}
            mine = part_of(me, everyone, one.limit, uuid) if one.active else 0
            if mine != one.slots.limit:
                one.slots.resize(mine)
            if {*one.reckoned} != everyone and one.slots.taken <= mine:
                one.reckoned = everyone
                self.life.hurry()

    def life_ended(self) -> None:
        """Others have declared this member dead, and share without it."""
        for one in self._limited.values():
            one.active, one.reckoned = False, ()
            one.slots.resize(0)
