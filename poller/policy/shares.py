"""How the worker processes of one daemon share what is limited in total: lanes, slots, rates and bytes.

Workers are numbered from 1. Each computes its own part from the same numbers, and the parts add up to the whole.
"""

from poller.policy.shard_plan import weight


def part(whole: int, place: int, parts: int) -> int:
    """The part of the place (from 0) in `parts` parts of a whole, which differ by 1 at most."""
    return whole // parts + (place < whole % parts)


def ranking(workers: int, key: str) -> list[int]:
    """All workers in an order that differs from key to key, so that small parts do not all fall to the same one."""
    return sorted(range(1, workers + 1), key=lambda number: weight(str(number), key), reverse=True)
