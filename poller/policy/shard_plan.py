"""Which member of a fleet works on which shard of one mapping: every member computes the same plan from the same rows.

Nobody leads. Where two members see different rows they plan differently, and a conditional write of one of them fails;
that costs time, never safety. The plan is by count: with n shards and m members each has n // m, or one more. It is
sticky: a shard moves only from a member that has too many to one that has too few. A member takes orphans only; what
another live one holds is given by that one.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class Plan:
    """What one member does now."""

    claim: tuple[str, ...] = ()
    """Orphans that are its own to take, in the order in which to take them."""
    give: Mapping[str, str] = field(default_factory=dict)
    """Shards that it holds, and the member that each goes to."""


def weight(*parts: str) -> bytes:
    """A hash that decides ties: the same for everybody, and without a pattern in names that are alike."""
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).digest()


def plan(me: str, live: Collection[str], owners: Mapping[str, str | None], key: str) -> Plan:
    """The part of member `me` in the plan for the mapping `key`.

    `live` are the members that may hold its shards: alive, running the mapping, not about to leave. `owners` are the
    shards that may be worked on, each with its owner; one who is not in `live` counts as none. Where `me` is not in
    `live`, its own shards are given to those they would be orphans for.
    """
    if not live:
        return Plan()
    held: dict[str, list[str]] = {member: [] for member in sorted(live)}
    orphans = []
    for shard in sorted(owners):
        owner = owners[shard]
        if owner in held:
            held[owner].append(shard)
        else:
            orphans.append(shard)
    room, surplus = _room(held, len(owners), key)
    claim, give = [], {}
    for shard in (*orphans, *surplus):
        to = max((member for member in held if room[member] > 0), key=lambda one: weight(one, key, shard))
        room[to] -= 1
        if owners[shard] == me:
            give[shard] = to
        elif to == me and owners[shard] not in held:
            claim.append(shard)
    return Plan(tuple(claim), give)


def _room(held: Mapping[str, list[str]], shards: int, key: str) -> tuple[dict[str, int], list[str]]:
    """How many shards each member has too few, and those that members have too many."""
    least, more = divmod(shards, len(held))
    # those that hold most keep the odd ones, so that nothing moves for the sake of a tie
    order = sorted(held, key=lambda member: (-len(held[member]), weight(member, key)))
    room, surplus = {}, []
    for place, member in enumerate(order):
        target = least + (place < more)
        kept = sorted(held[member], key=lambda shard: weight(member, key, shard), reverse=True)
        surplus += kept[target:]
        room[member] = max(0, target - len(kept))
    return room, surplus
