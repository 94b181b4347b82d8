"""Opens what reads a mapping's records beside it: its source, its dead letters, or its on-failure destination."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from poller.aws.transports import Borrowed, Transports
from poller.configuration import EventSourceMapping
from poller.destinations.kinds import kind_of
from poller.engine.held_records import HeldBeside
from poller.policy.beside import Which
from poller.sources.kind import Beside, ReadsBeside, SourceBuilder
from poller.values.errors import NotPossible


@asynccontextmanager
async def beside(
    builder: SourceBuilder, lending: Transports, mapping: EventSourceMapping, which: Which, visibility: int
) -> AsyncIterator[Beside]:
    """What reads those records. Messages that are received stay invisible for `visibility` seconds. Raises
    NotPossible where there is no such thing.
    """
    if not isinstance(builder, ReadsBeside):
        raise NotPossible("this kind of source can only be read by its mapping")
    transports = lending.borrow()
    try:
        if which == "destination":
            yield await _held(mapping, transports, builder, visibility)
        else:
            yield await builder.beside(mapping, transports, which, visibility)
    finally:
        await transports.close()


async def _held(mapping: EventSourceMapping, transports: Borrowed, builder: ReadsBeside, visibility: int) -> Beside:
    arn = mapping.on_failure_destination
    if arn is None:
        raise NotPossible("the mapping has no on-failure destination")
    kind = kind_of(arn)
    if kind.held is None:
        raise NotPossible(f"{arn} holds no records: it passes them on")
    stream = await builder.beside(mapping, transports, "source", visibility)
    return HeldBeside(mapping, await kind.held(mapping, arn, transports, visibility), stream)
