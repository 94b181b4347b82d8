"""Looks at records beside a mapping, for a person: decoded, without what `redact` names, and within bounds."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from poller.configuration import EventSourceMapping
from poller.engine.parts import Wiring
from poller.engine.plan import Plan
from poller.engine.runner import MappingRunner
from poller.policy.actions import Action, Peek
from poller.policy.beside import Amount, From, found_words
from poller.policy.decoding import change, readable
from poller.policy.filtering import Filter, PatternError, compile_filters
from poller.policy.invocation_record import iso_milliseconds
from poller.policy.progress import StreamProgress
from poller.policy.redaction import Redaction
from poller.sources.kind import Beside, Seen, SourceKind
from poller.sources.kinds import KINDS
from poller.values.errors import CallError, NotPossible
from poller.values.texts import counted

SECONDS = 8.0
"""For everything; what was found by then is shown."""
HIDDEN_SECONDS = 20
"""Of messages of a queue, should giving them back fail."""
MOST_READS = 50
MOST_RECEIVED = 100
"""Messages that are hidden together for one look."""
MOST_CHARACTERS = 8_000
"""Of one payload."""
MOST_BYTES = 1_000_000
"""Of all that is shown."""


@dataclass(slots=True)
class _Look:
    """What is wanted, and what was found."""

    mapping: EventSourceMapping
    order: Peek
    criteria: Filter | None
    redaction: Redaction
    noun: str
    """For one of them."""
    records: list[dict[str, Any]]
    size: int = 0
    looked_at: int = 0
    amount: Amount | None = None
    gone: int = 0
    """Records that a destination names, and which their stream no longer has."""
    ended: str = ""

    @property
    def full(self) -> bool:
        return len(self.records) >= self.order.most or self.size >= MOST_BYTES

    def take(self, seen: Seen) -> None:
        """Those of the records that are wanted."""
        kind = KINDS[self.mapping.source.kind]
        self.gone += seen.gone
        for record in seen.records:
            if self.full:
                return
            self.looked_at += 1
            event = json.loads(self.redaction(seen.encode([record]))[0])
            of_event = event["Records"][0] if isinstance(event, dict) else {}
            try:
                view, payload = kind.split(of_event)
            except ValueError:
                # all of it is hidden
                view, payload = {}, json.dumps(of_event)
            if self.criteria is not None and not self.criteria.match(view, payload):
                continue
            shown = _shown(kind, view, payload)
            shown |= {"partition": seen.partition, "id": record.identifier, "why": seen.why or None}
            shown["at"] = None if (at := seen.arrived(record)) is None else iso_milliseconds(at)
            if self.order.event:
                shown["event"] = event
            self.size += len(json.dumps(shown))
            self.records.append(shown)


async def peeking(runner: MappingRunner, order: Peek, wiring: Wiring, stored: StreamProgress | None) -> Plan:
    """`stored` is the mapping's progress. Raises NotPossible."""
    mapping = runner.mapping
    criteria = _criteria(mapping, order)
    if order.which == "source" and mapping.source.fifo and runner.runs:
        raise NotPossible("receiving from a FIFO queue would hold up its groups: pause the mapping first")
    async with wiring.beside(mapping, order.which, HIDDEN_SECONDS) as beside:
        if beside.receives and order.begin is not None:
            raise NotPossible("a queue gives its messages in an order of its own: no look can begin at a place")
        partition = await _partition(beside, order)
        noun = "message" if beside.receives and order.which != "destination" else "record"
    begin = order.begin or From.behind(_position(stored, partition))

    async def perform(action: Action) -> Action:
        look = _Look(mapping, order, criteria, Redaction(mapping.redact), noun, [])
        async with wiring.beside(mapping, order.which, HIDDEN_SECONDS) as beside:
            await _look(look, beside, partition, begin)
        holds = None if look.amount is None else look.amount.count
        lines = list(_lines(look, partition))
        plan.result.update(records=look.records, looked_at=look.looked_at, holds=holds, gone=look.gone, lines=lines)
        return action

    plan = Plan((_impact(beside, partition, begin, order),), perform, seconds=SECONDS + 1.5)
    return plan


async def _look(look: _Look, beside: Beside, partition: str, begin: From) -> None:
    most = look.order.most if look.criteria is None else max(look.order.most, 100)
    seen: list[Seen] = []
    try:
        async with asyncio.timeout(SECONDS) as bound, aclosing(beside.seen(partition, begin, most)) as pages:
            look.amount = await _amount(beside)
            async for page in pages:
                seen.append(page)
                look.take(page)
                if look.full or (beside.receives and look.looked_at >= MOST_RECEIVED):
                    return
                if len(seen) >= MOST_READS:
                    look.ended = f"stopped after {counted(len(seen), 'read')}"
                    return
    except TimeoutError:
        if not bound.expired():
            raise
        look.ended = f"stopped after {SECONDS:.0f} s"
    except CallError as error:
        raise NotPossible(f"the source refuses: {error}") from error
    except NotPossible as error:
        if not seen:
            raise
        look.ended = f"stopped: {error}"
    finally:
        # only now, because a message that is given back may be received again at once
        await _give_back(seen)


async def _amount(beside: Beside) -> Amount | None:
    """Not known either where the count may not be asked for: the look goes on without."""
    with suppress(CallError):
        return await beside.amount()
    return None


async def _give_back(seen: list[Seen]) -> None:
    refused: CallError | None = None
    for one in seen:
        try:
            await one.give_back(one.records)
        except CallError as error:
            refused = error
    if refused is not None:
        raise NotPossible(f"not given back, so hidden for {HIDDEN_SECONDS} s more: {refused}")


def _criteria(mapping: EventSourceMapping, order: Peek) -> Filter | None:
    if order.pattern is None:
        return None
    try:
        return compile_filters([order.pattern], KINDS[mapping.source.kind].members)
    except PatternError as error:
        raise NotPossible(f"the pattern is none: {error}") from error


async def _partition(beside: Beside, order: Peek) -> str:
    try:
        async with asyncio.timeout(SECONDS):
            known = await beside.partitions()
    except TimeoutError as error:
        raise NotPossible(f"the source did not answer within {SECONDS:.0f} s") from error
    except CallError as error:
        raise NotPossible(f"the source refuses: {error}") from error
    if order.partition is None and len(known) == 1:
        return known[0]
    if order.partition is None or order.partition not in known:
        names = ", ".join(known[:10]) + (f" and {len(known) - 10} more" if len(known) > 10 else "")
        raise NotPossible(f"say which shard is meant: {names or 'none is listed'}")
    return order.partition


def _position(stored: StreamProgress | None, partition: str) -> str | None:
    shard = None if stored is None else stored.shards.get(partition)
    return None if shard is None else shard.position


def _impact(beside: Beside, partition: str, begin: From, order: Peek) -> str:
    hidden = f"hidden from all consumers, for {HIDDEN_SECONDS} s at most. The look counts as a receive of each"
    most = counted(order.most, "record")
    if order.which == "destination":
        return (
            f"Up to {most} are shown that invocation records in {partition} name, as far as their stream still has "
            f"them. Invocation records in a queue are received and given back; until then they are {hidden}."
        )
    if beside.receives:
        most = counted(order.most if order.pattern is None else MOST_RECEIVED, "message")
        return (
            f"Up to {most} of {partition} are received and given back at once. Until then they are {hidden}: "
            "one whose receives are used up goes to its dead-letter queue the next time."
        )
    return (
        f"Up to {most} of {partition} are read from {begin.words}. Nothing is consumed and no position "
        "moves. The reads count in the shard's quota."
    )


def _shown(kind: SourceKind, view: dict[str, Any], payload: str | bytes) -> dict[str, Any]:
    data = view.get(kind.members.names[0]) if kind.members.payload is None else None
    if isinstance(data, dict):
        # no payload apart: typed values
        text, packed = json.dumps(change(data), ensure_ascii=False, indent=1), ["JSON"]
    else:
        text, packed = readable(payload)
    size = len(payload) if payload else len(text)
    key = view.get("partitionKey") or (view.get("attributes") or {}).get("MessageGroupId")
    return {"key": key, "payload": text[:MOST_CHARACTERS], "packed": packed, "size": size}


def _lines(look: _Look, partition: str) -> Iterator[str]:
    for one in look.records:
        key = f", key {one['key']}" if one["key"] else ""
        packed = f", {', '.join(one['packed'])}" if one["packed"] else ""
        size = counted(one["size"], "byte")
        yield f"{one['partition']} {one['id']}, {one['at'] or 'time unknown'}{key}, {size}{packed}"
        if one["why"]:
            yield f"  given up: {one['why']}"
        yield from (f"  {line}" for line in one["payload"].splitlines())
        if len(one["payload"]) == MOST_CHARACTERS:
            yield "  and more, which is not shown"
        if "event" in one:
            yield json.dumps(one["event"])
    of = None if look.criteria is None else look.looked_at
    found = found_words(len(look.records), look.noun, partition, look.amount, of=of, full=look.full)
    gone = f"; no longer in the stream: {look.gone:,} that the destination names" if look.gone else ""
    yield found + gone + (f"; {look.ended}" if look.ended else "")
