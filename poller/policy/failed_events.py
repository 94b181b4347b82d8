"""Which failed events are kept, under which ids, and how one is written. Pure."""

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from poller.policy.failures import Failure

MOST_UNPACKED = 8 * 1024 * 1024
"""Bytes of an event that is read back."""


@dataclass(frozen=True, slots=True)
class FailedEvent:
    """What is known of a failed event that is kept."""

    id: str
    at: float
    """When it failed last, epoch seconds."""
    uuid: str
    mapping: str
    function: str
    partition: str
    first: str | None
    """Identifier of its first record."""
    records: int
    error: str
    text: str
    size: int
    """Bytes that it takes in the store."""
    redacted: int = 0
    """Values that were hidden."""

    def written(self) -> str:
        """The JSON that is listed."""
        return json.dumps({name: value for name, value in asdict(self).items() if name not in ("id", "at")})


def event_id(uuid: str, failure: Failure, partition: str) -> str:
    """The id of a failed event. The same records have the same id, however often they fail."""
    named = json.dumps([uuid, partition, failure.first, failure.records])
    return hashlib.blake2b(named.encode(), digest_size=6).hexdigest()


def read(id_: str, at: float, about: str) -> FailedEvent:
    """What `FailedEvent.written` wrote. Raises ValueError and TypeError for anything else."""
    return FailedEvent(id=id_, at=at, **json.loads(about))


def packed(event: bytes) -> str:
    """The event as text in ASCII, compressed."""
    return base64.b85encode(zlib.compress(event, 6)).decode()


def unpacked(text: str) -> bytes:
    """What `packed` packed. Raises ValueError for anything else."""
    try:
        unpacking = zlib.decompressobj()
        event = unpacking.decompress(base64.b85decode(text), MOST_UNPACKED)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if not unpacking.eof:
        raise ValueError("it is cut off, or too large")
    return event


def surplus(kept: Iterable[FailedEvent], most: int, most_bytes: int) -> list[str]:
    """The ids of those that go, of events with the latest first."""
    found, taken, gone = 0, 0, []
    for event in kept:
        found, taken = found + 1, taken + event.size
        if found > most or taken > most_bytes:
            gone.append(event.id)
    return gone
