"""Lineage of shards: which may be read now, which are finished, and whether the hash-key space is covered.

A shard is finished when it is listed as closed, was read to its end and everything read from it is settled. Neither
being closed nor an answer without an iterator is enough. A child starts after all its parents finished. A parent that
is no longer listed was trimmed; it delays no child, unless poller is still reading it.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol, TypeVar

HASH_KEYS = 2**128
"""Hash keys of a Kinesis stream: 0 to 2 ** 128 - 1."""


class Listed(Protocol):
    """A shard as its service lists it."""

    @property
    def id(self) -> str:
        """Unique within the stream."""
        ...

    @property
    def parents(self) -> tuple[str, ...]:
        """The shards that had its hash keys before."""
        ...

    @property
    def hash_range(self) -> tuple[int, int] | None:
        """First and last, both included."""
        ...


AnyShard = TypeVar("AnyShard", bound=Listed)


def waits_for(shard: Listed, listed: Collection[str], finished: Collection[str], running: Collection[str]) -> list[str]:
    """The parents that a shard still waits for."""
    return [
        parent
        for parent in shard.parents
        if parent != shard.id and parent not in finished and (parent in listed or parent in running)
    ]


def may_start(shards: Sequence[AnyShard], finished: Collection[str], running: Collection[str]) -> list[AnyShard]:
    """The listed shards that may start now and do not run yet, in listed order."""
    listed = {shard.id for shard in shards}
    return [
        shard
        for shard in shards
        if shard.id not in finished and shard.id not in running and not waits_for(shard, listed, finished, running)
    ]


def forgettable(finished: Collection[str], shards: Iterable[Listed]) -> set[str]:
    """The finished shards that can be forgotten: neither listed, nor a parent of a listed one."""
    asked: set[str] = set()
    for shard in shards:
        asked.add(shard.id)
        asked.update(shard.parents)
    return set(finished) - asked


def holes(shards: Sequence[Listed]) -> list[tuple[int, int]]:
    """Ranges of hash keys that no youngest shard covers: records with such keys would go unread. Empty for streams
    without hash keys.
    """
    parents = {parent for shard in shards for parent in shard.parents}
    ranges = sorted(shard.hash_range for shard in shards if shard.hash_range is not None and shard.id not in parents)
    if not ranges:
        return []
    found, begin = [], 0
    for first, last in ranges:
        if first > begin:
            found.append((begin, first - 1))
        begin = max(begin, last + 1)
    if begin < HASH_KEYS:
        found.append((begin, HASH_KEYS - 1))
    return found
