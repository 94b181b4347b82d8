"""How many concurrent invocations of a limit for the whole fleet are one member's.

Each member computes its part by itself, from rows that it read at a time of its own, and the parts in use at one moment
never add up to more than the limit:

    a newcomer has none until every other member says that it reckons with it
    a member says so once it uses no more than its part beside the newcomer
    a member grows only once another is dead, or runs the mapping no more; it comes back as a newcomer

So of two members that have a part each reckons with the other, and a part never grows with the number of members.
"""

from collections.abc import Collection, Mapping

from poller.policy.shard_plan import weight
from poller.policy.shares import part


def part_of(me: str, members: Collection[str], limit: int, key: str) -> int:
    """The part of `me` among `members`, of which it is one, in the limit of the mapping `key`."""
    order = sorted(members, key=lambda member: weight(member, key))
    return part(limit, order.index(me), len(order))


def is_reckoned_with(me: str, others: Mapping[str, Collection[str]]) -> bool:
    """Whether every other member says that it reckons with `me`."""
    return all(me in members for members in others.values())
