"""One member lists a stream, and the others rest: each has listed it once, and what they say of the result is the same.

A member tells a digest of what it found, and that only as long as its listings succeed. Another one lists the stream at
once where that digest is not its own, and by itself where none before it in the order of the mapping tells one. So no
member goes by what another one has found.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from poller.engine.fleet.life import Life
from poller.policy.attendance import before
from poller.ports.fleet import MemberRow, MemberState

LISTED = "listed"
"""The fact of a member: by uuid of a mapping the digest of its listing."""
LISTED_SECONDS = 150.0
"""After which a listing is too old for the others: twice the longest time between two."""


@dataclass(slots=True)
class _Listing:
    event_source_arn: str
    digest: str
    at: float
    other: str | None = None
    """What a member before this one says."""
    until: float = -inf
    """Until when that one counts as alive."""


def _said(row: MemberRow, uuid: str, event_source_arn: str) -> str | None:
    said, runs = row.facts.get(LISTED), row.facts.get("mappings")
    if row.state is not MemberState.ACTIVE or not isinstance(said, dict) or not isinstance(runs, dict):
        return None
    found = said.get(uuid)
    return found if isinstance(found, str) and runs.get(uuid) == event_source_arn else None


@dataclass(slots=True)
class Listings:
    """Of all streams of a member."""

    life: Life
    _listings: dict[str, _Listing] = field(default_factory=dict)

    def listed(self, uuid: str, event_source_arn: str, digest: str | None) -> None:
        """See `Holdings.listed`."""
        known = self._listings.get(uuid)
        if digest is None:
            self.end(uuid)
        elif known is None:
            self._listings[uuid] = _Listing(event_source_arn, digest, self.life.now())
        else:
            known.digest, known.at = digest, self.life.now()

    def end(self, uuid: str) -> None:
        """The stream is not listed any more."""
        if self._listings.pop(uuid, None) is not None:
            self.life.hurry()

    def other(self, uuid: str) -> str | None:
        """See `Holdings.listing`."""
        known = self._listings.get(uuid)
        return known.other if known is not None and self.life.now() < known.until else None

    def facts(self) -> Mapping[str, Any]:
        """What the others have to know."""
        since = self.life.now() - LISTED_SECONDS
        found = {uuid: one.digest for uuid, one in self._listings.items() if one.at > since}
        return {LISTED: found} if found else {}

    def note(self, rows: Iterable[MemberRow], alive_until: Callable[[str], float]) -> list[str]:
        """These are the members now. Returns the uuids of which another one says something new."""
        members, me, news = [*rows], self.life.id, []
        for uuid, one in self._listings.items():
            said = {row.id: found for row in members if (found := _said(row, uuid, one.event_source_arn)) is not None}
            until, other = max(
                ((alive_until(member), said[member]) for member in before(me, said, uuid)), default=(-inf, None)
            )
            if other != one.other:
                news.append(uuid)
            one.until, one.other = until, other
        return news
