"""One call to a stream: it sends JSON, parses the answer, and turns error codes into errors of a shard's reader."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from poller.aws.answers import timestamp
from poller.aws.port import Operation, ReservedBytes, Transport
from poller.sources.sharded.api import Shard, StreamFacts
from poller.support import codec
from poller.values.errors import AnswerLost, IteratorExpired, PollerError, ServiceError, ShardGone

MISSING = "ResourceNotFoundException"
"""The stream, or something in it, does not exist; the code does not say which."""
Meanings = Mapping[str, type[PollerError]]
"""The exception that each error code is raised as."""


@dataclass(slots=True)
class Answer:
    """A JSON object, with the size and date of its answer."""

    members: dict[str, Any]
    size: int
    """Bytes of the answer."""
    date: float | None
    """The service's time of the answer, epoch seconds."""


async def ask(
    transport: Transport,
    operation: Operation,
    request: Mapping[str, Any],
    meanings: Meanings,
    room: ReservedBytes | None = None,
) -> Answer:
    """Make the call. Raises CallError, or the exception that `meanings` has for the error code."""
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
    """A new iterator on the shard that the request names. Raises ShardGone where `listed` no longer has it."""
    try:
        answer = await ask(transport, operation, request, meanings)
    except ServiceError as error:
        # only the listing tells whether the shard or the stream is gone
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
    room: ReservedBytes | None = None,
) -> Answer:
    """Read one page. `facts` raises StreamGone if the stream is missing."""
    try:
        return await ask(transport, operation, request, meanings, room)
    except ServiceError as error:
        if error.code != MISSING:
            raise
        await facts()
        # the stream exists; a new iterator will tell whether the shard does
        raise IteratorExpired(str(error)) from error


def listed(value: Any) -> list[Any]:
    """The list. Raises TypeError for any other value."""
    if not isinstance(value, list):
        raise TypeError(f"not a list: {value!r:.40}")
    return value


@contextmanager
def expecting(operation: Operation) -> Iterator[None]:
    """Raise AnswerLost for an answer whose required members are missing or malformed."""
    try:
        yield
    except KeyError as error:
        raise AnswerLost(f"the answer is none to {operation.name}: it has no member {error}") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise AnswerLost(f"the answer is none to {operation.name}: {error!r}") from error
