"""What is kept for people, in memory."""

from collections.abc import Collection
from dataclasses import replace

from poller.values.kept import Kept


class KeptInMemory:
    """The part of a store that keeps things for people, see `KeptStore`."""

    _kept: dict[tuple[str, str], Kept]

    async def keep(self, kept: Kept) -> None:
        self._kept[kept.room, kept.id] = kept

    async def kept(self, room: str) -> list[Kept]:
        found = [replace(one, body="") for one in self._kept.values() if one.room == room]
        return sorted(found, key=lambda one: (one.at, one.id), reverse=True)

    async def kept_one(self, room: str, key: str) -> Kept | None:
        return self._kept.get((room, key))

    async def let_go(self, room: str, ids: Collection[str]) -> None:
        for key in ids:
            self._kept.pop((room, key), None)
