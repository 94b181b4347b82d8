"""What the members of a fleet say of their batches that wait, so that people see all of them at any member.

A row says it by uuid of the mapping, and within bounds: every member reads all rows every few seconds, and an item of
DynamoDB holds 400 KB. Times in a row are seconds since the epoch. Other versions write rows too, so whatever is read of
one counts only as far as it has the right form.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from poller.policy.impacts import Batch
from poller.values.texts import clean

MOST_OF_MAPPING, MOST_BATCHES = 20, 100
"""Batches that a row says of one mapping, and of all of them."""
MOST_CHARACTERS = 30_000
"""Of all batches in a row."""
LONGEST_TEXT, LONGEST_NAME, LONGEST_CODE, MOST_CAUSES = 200, 256, 40, 4
"""Characters. A name is a shard, a record's identifier, a key: it is said whole or not at all, as orders compare it."""
MOST_KEYS = 5
OVERHEAD = 200
"""Characters that a batch takes in JSON beside its names and texts."""
LARGEST_COUNT = 1_000_000_000
LONGEST_AGO = 10 * 366 * 86400.0
"""Seconds; a time farther from the present than that is none."""

Json = dict[str, Any]
One = TypeVar("One")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A batch that waits, as people see it."""

    batch: Batch
    """Without the seconds until the next try, which change all the time."""
    code: str
    """Of the reason for which it waits. A later version may have others than this one."""
    text: str
    """Why it waits, without advice."""
    since: float | None = None
    next_try: float | None = None
    keys: tuple[tuple[str, int], ...] = ()
    """Keys that can be given up, with the number of their records."""
    causes: tuple[str, ...] = ()
    """Of the reason, as keys of the advice."""
    oldest: float | None = None
    """When the oldest record came that its shard holds up, or its queue on that member."""
    expires: float | None = None
    """When the source no longer has that record."""

    def at(self, offset: float) -> "Waiting":
        """The same by a clock that is `offset` seconds ahead."""
        moments = (self.since, self.next_try, self.oldest, self.expires)
        since, next_try, oldest, expires = (None if time is None else time + offset for time in moments)
        return replace(self, since=since, next_try=next_try, oldest=oldest, expires=expires)

    def as_steady_as(self, said: "Waiting | None", seconds: float) -> "Waiting":
        """With the oldest record as it was said, unless it is another one: its age is measured anew each time."""
        if said is None or said.oldest is None or self.oldest is None or abs(said.oldest - self.oldest) >= seconds:
            return self
        return replace(self, oldest=said.oldest, expires=None if self.expires is None else said.expires)


def in_turn(found: Mapping[str, Sequence[One]]) -> Iterator[tuple[str, One]]:
    """What there is of each mapping, with its uuid: one of each before a second one of any."""
    for turn in range(MOST_OF_MAPPING):
        for uuid, some in found.items():
            if turn < len(some):
                yield uuid, some[turn]


def row(found: Sequence[tuple[str, Waiting]], total: Mapping[str, int]) -> dict[str, Json]:
    """What a row says of these batches, by uuid, as far as there is room; `total` says how many each mapping has."""
    listed: dict[str, list[Json]] = {uuid: [] for uuid in total}
    room = MOST_CHARACTERS
    for uuid, waiting in found[:MOST_BATCHES]:
        if not _has_names(waiting):
            continue
        one = _written(waiting)
        room -= _size(one)
        if room < 0:
            break
        listed[uuid].append(one)
    return {uuid: {"batches": some, "more": total[uuid] - len(some)} for uuid, some in listed.items()}


def _has_names(one: Waiting) -> bool:
    """Whether an order can name it."""
    return is_name(one.batch.partition) and (one.batch.first is None or is_name(one.batch.first))


def is_name(text: Any) -> bool:
    """Databases take neither NUL nor half a character in JSON."""
    return isinstance(text, str) and 0 < len(text) <= LONGEST_NAME and text.isprintable()


def _written(one: Waiting) -> Json:
    batch = one.batch
    return {
        "partition": batch.partition,
        "lane": batch.lane,
        "records": batch.records,
        "first": batch.first,
        "last": batch.last if is_name(batch.last) else batch.first,
        "tried": clean(batch.tried, LONGEST_TEXT),
        "discards": batch.discards,
        "awaiting": batch.awaiting,
        "code": one.code,
        "causes": [*one.causes[:MOST_CAUSES]],
        "text": clean(one.text, LONGEST_TEXT),
        "since": _rounded(one.since),
        "next_try": _rounded(one.next_try),
        "oldest": _rounded(one.oldest),
        "expires": _rounded(one.expires),
        "keys": [[key, count] for key, count in one.keys if is_name(key)][:MOST_KEYS],
    }


def _rounded(time: float | None) -> int | None:
    return None if time is None else round(time)


def _size(one: Json) -> int:
    texts = [value for value in (*one.values(), *(key for key, _ in one["keys"])) if isinstance(value, str)]
    return OVERHEAD + sum(map(len, texts))


def read(said: Any, now: float) -> tuple[list[Waiting], int]:
    """What a row says of one mapping, as far as it has the right form: batches, and how many more there are. `now` in
    seconds since the epoch. Never raises.
    """
    if not isinstance(said, dict):
        return [], 0
    batches, more = said.get("batches"), said.get("more")
    listed = batches[:MOST_OF_MAPPING] if isinstance(batches, list) else []
    found = [waiting for one in listed if (waiting := _read(one, now)) is not None]
    return found, _count(more)


def _read(one: object, now: float) -> Waiting | None:
    if not isinstance(one, dict):
        return None
    first, last = one.get("first"), one.get("last")
    named = is_name(one.get("partition")) and (first is None or (is_name(first) and is_name(last)))
    if not (named and is_count(one.get("lane")) and is_count(one.get("records"))):
        return None
    batch = Batch(
        one["partition"],
        one["lane"],
        one["records"],
        first,
        None if first is None else last,
        _text(one.get("tried")),
        one.get("discards") is True,
        one.get("awaiting") is True,
        None,
    )
    moments = ("since", "next_try", "oldest", "expires")
    since, next_try, oldest, expires = (moment(one.get(name), now) for name in moments)
    # clocks differ
    since, oldest = (None if time is None else min(time, now) for time in (since, oldest))
    keys, causes = _keys(one.get("keys")), _causes(one.get("causes"))
    return Waiting(
        batch, _code(one.get("code")), _text(one.get("text")), since, next_try, keys, causes, oldest, expires
    )


def _text(value: object) -> str:
    return clean(value, LONGEST_TEXT) if isinstance(value, str) else ""


def _count(value: Any) -> int:
    return int(value) if is_count(value) else 0


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_COUNT


def moment(value: object, now: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if now - LONGEST_AGO <= value <= now + LONGEST_AGO else None


def _code(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= LONGEST_CODE and value.isprintable() else ""


def _causes(value: object) -> tuple[str, ...]:
    return tuple(filter(None, map(_code, value[:MOST_CAUSES]))) if isinstance(value, list) else ()


def _keys(value: object) -> tuple[tuple[str, int], ...]:
    listed = value[:MOST_KEYS] if isinstance(value, list) else []
    pairs = [one for one in listed if isinstance(one, list) and len(one) == 2]
    return tuple((key, count) for key, count in pairs if is_name(key) and is_count(count))
