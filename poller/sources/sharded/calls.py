"""One call of a stream: JSON in, a parsed answer out, and refusals as what they mean for a reader of shards."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from poller.aws.answers import timestamp
from poller.aws.port import Operation, Room, Transport
from poller.sources.sharded.api import Shard, StreamFacts
from poller.support import codec
from poller.values.errors import AnswerLost, IteratorExpired, PollerError, ServiceError, ShardGone

MISSING = "ResourceNotFoundException"
"""Of the stream or of something in it; the code does not say which."""
Meanings = Mapping[str, type[PollerError]]
"""What an error code is raised as."""


@dataclass(slots=True)
class Answer:
    """A JSON object, and what came with it."""

    members: dict[str, Any]
    size: int
    """Bytes of it."""
    date: float | None
    """The service's clock, epoch seconds."""


async def ask(
    transport: Transport,
    operation: Operation,
    request: Mapping[str, Any],
    meanings: Meanings,
    room: Room | None = None,
) -> Answer:
    """Raises CallError, and what `meanings` makes of a code."""
    try:
        reply = await transport.call(operation, codec.dumps(request), room=room)
    except ServiceError as error:
        meaning = meanings.get(error.code)
        if meaning is None:
            raise
        raise meaning(str(error)) from error
    with expecting(operation):
        members = codec.loads(reply.body)
        if not isinstance(members, dict):
            raise TypeError("not a JSON object")
    return Answer(members, len(reply.body), timestamp(reply.headers.get("date", "")))


async def new_iterator(
    transport: Transport,
    operation: Operation,
    request: Mapping[str, Any],
    meanings: Meanings,
    listed: Callable[[], Awaitable[Iterable[Shard]]],
) -> str:
    """A fresh iterator on the shard the request names. Raises ShardGone where `listed` no longer has it."""
    try:
        answer = await ask(transport, operation, request, meanings)
    except ServiceError as error:
        # only the listing tells for sure that it is the shard, or the stream, that is gone
        if error.code == MISSING and all(shard.id != request["ShardId"] for shard in await listed()):
            raise ShardGone(str(error)) from error
        raise
    with expecting(operation):
        iterator: str = answer.members["ShardIterator"]
        return iterator


async def read(
    transport: Transport,
    operation: Operation,
    request: Mapping[str, Any],
    meanings: Meanings,
    facts: Callable[[], Awaitable[StreamFacts]],
    *,
    room: Room | None = None,
) -> Answer:
    """One page. `facts` raises StreamGone where it is the stream that is missing."""
    try:
        return await ask(transport, operation, request, meanings, room)
    except ServiceError as error:
        if error.code != MISSING:
            raise
        await facts()
        # the stream is there: whether the shard is, a new iterator will tell
        raise IteratorExpired(str(error)) from error


def listed(value: Any) -> list[Any]:
    """Raises TypeError for what is no list."""
    if not isinstance(value, list):
        raise TypeError(f"not a list: {value!r:.40}")
    return value


@contextmanager
def expecting(operation: Operation) -> Iterator[None]:
    """An answer that lacks what it must have, or has it in another form, is as good as none: AnswerLost."""
    try:
        yield
    except KeyError as error:
        raise AnswerLost(f"the answer is none to {operation.name}: it has no member {error}") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise AnswerLost(f"the answer is none to {operation.name}: {error!r}") from error
