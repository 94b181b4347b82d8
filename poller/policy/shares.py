"""How many concurrent invocations of a limit for the whole fleet are one member's.

The shares that members use at one moment never add up to more than the limit, although each computes its own, from rows
that it read at a time of its own: a newcomer has none until every other member reckons with it, so that they have
shrunk before; and members grow only once another is dead, which is final.
"""

from collections.abc import Collection, Mapping

from poller.policy.leases import weight


def share(me: str, reckoned: Mapping[str, Collection[str]], limit: int, key: str) -> int:
    """The share of member `me` in a limit of the mapping `key`.

    `reckoned` has each member that is not dead and runs the mapping, with the members that it said it reckons with; it
    says so once it uses no more than its share among them.
    """
    if any(me not in others for member, others in reckoned.items() if member != me):
        return 0
    least, more = divmod(limit, len(reckoned))
    order = sorted(reckoned, key=lambda member: weight(member, key))
    return least + (order.index(me) < more)
