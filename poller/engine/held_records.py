"""Reads what an on-failure destination holds of a mapping: invocation records, and the records of the stream that they
name. An invocation record is done once the function has succeeded on all of its records.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from poller.configuration import EventSourceMapping
from poller.policy.beside import Amount, From
from poller.policy.held_records import Named, named_by, records_in, why_given_up
from poller.ports.destination import Held, HoldsRecords
from poller.sources.kind import Beside, Seen
from poller.sources.kinds import KINDS
from poller.support import codec
from poller.values.errors import NotPossible
from poller.values.record import Record

PAGE = 100
"""Records of one read."""
MOST_RECORDS = 10_000
"""Of one invocation record: more than a batch has."""
Encode = Callable[[Sequence[Record]], bytes]


class SeenHeld:
    """Implements `poller.sources.kind.Seen`: the records of one invocation record."""

    ordered = True

    def __init__(
        self,
        holds: HoldsRecords,
        held: Held,
        records: Sequence[Record],
        encode: Encode,
        gone: int,
    ) -> None:
        self._holds = holds
        self._held = held
        self._open = {record.identifier for record in records}
        self.partition = holds.name
        self.key: str | None = held.id
        self.records = records
        self.encode = encode
        self.gone = gone
        self.why = why_given_up(held.record)

    def arrived(self, record: Record) -> float | None:  # noqa: ARG002 - all of them were given up together
        return self._held.at

    def passes(self, record: Record) -> bool:  # noqa: ARG002 - it did, or it would not have been given up
        return True

    async def done(self, records: Sequence[Record]) -> None:
        self._open -= {record.identifier for record in records}
        if not self._open:
            await self._holds.done(self._held)

    async def give_back(self, records: Sequence[Record]) -> None:  # noqa: ARG002 - the whole record with them
        await self._holds.give_back(self._held)


class HeldBeside:
    """Implements `poller.sources.kind.Beside`."""

    receives = True

    def __init__(self, mapping: EventSourceMapping, holds: HoldsRecords, stream: Beside) -> None:
        """`stream` reads the mapping's source."""
        self._mapping = mapping
        self._holds = holds
        self._stream = stream

    async def partitions(self) -> list[str]:
        return [self._holds.name]

    async def amount(self) -> Amount:
        return await self._holds.amount()

    async def seen(self, partition: str, begin: From, most: int) -> AsyncGenerator[Seen, None]:  # noqa: ARG002 - one after the other
        while (held := await self._holds.next()) is not None:
            named = named_by(held.record, {self._mapping.source.stream_arn, self._mapping.event_source_arn})
            if named is None:
                await self._holds.give_back(held)
                raise NotPossible(f"{held.id} is no invocation record of this mapping's stream: take it away first")
            yield await self._seen(held, named)

    async def _seen(self, held: Held, named: Named) -> Seen:
        found = records_in(held.record)
        if found is not None:
            identify = _identifier(self._mapping)
            records = [Record(item, identify(item)) for item in found]
            return SeenHeld(self._holds, held, records, _of_event, 0)
        records, encode = await self._from_stream(named)
        return SeenHeld(self._holds, held, records, encode, max(0, named.count - len(records)))

    async def _from_stream(self, named: Named) -> tuple[list[Record], Encode]:
        """What is left of the records in the stream."""
        place = From("AT_SEQUENCE_NUMBER", sequence_number=named.first)
        for begin in (place, From()):
            try:
                return await self._read(named, begin)
            except NotPossible:
                # the service no longer has the place: what is left begins behind it
                continue
        return [], _of_event

    async def _read(self, named: Named, begin: From) -> tuple[list[Record], Encode]:
        records: list[Record] = []
        encode: Encode = _of_event
        async with aclosing(self._stream.seen(named.shard, begin, PAGE)) as pages:
            async for seen in pages:
                encode = seen.encode
                records += [one for one in seen.records if named.has(one.identifier) and seen.passes(one)]
                if named.is_behind(seen.records[-1].identifier) or len(records) >= MOST_RECORDS:
                    break
        return records, encode


def _of_event(records: Sequence[Record]) -> bytes:
    return codec.dumps({"Records": [record.item for record in records]})


def _identifier(mapping: EventSourceMapping) -> Callable[[Mapping[str, Any]], str]:
    development = KINDS[mapping.source.kind].development
    if development is None:
        raise NotPossible("records of this kind of source cannot be redriven from a destination")
    return development().identifier
