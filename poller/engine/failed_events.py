"""Keeps the latest failed events in the store, redacted, within a bound. No lane waits for it, or fails by it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from poller.configuration import EventSourceMapping
from poller.configuration.model.failed_events import FailedEventsSettings
from poller.policy import failed_events as policy
from poller.policy.failed_events import FailedEvent
from poller.policy.failures import MOST_CHARACTERS, Failure
from poller.policy.redaction import Redaction
from poller.ports.store import Positions
from poller.runtime.context import KeepFailed
from poller.support import telemetry
from poller.support.blocking import Blocking
from poller.values.errors import NotPossible, Overdue, StateError
from poller.values.kept import LARGEST_BODY, Kept
from poller.values.texts import shortened

ROOM = "failed"
MOST_WAITING = 8
"""Events that wait to be stored. A further one takes the place of the oldest."""
SECONDS = 1.0
"""Between two that are stored, so that a function that always fails costs no more than that."""
PACK_SECONDS = 10.0
SHOWN_SECONDS = 5.0
"""For which a screen shows what was read: many look, and each reading may be paid for."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    mapping: EventSourceMapping
    event: bytes
    failure: Failure
    partition: str
    at: float


class FailedEvents:
    """The events of all mappings."""

    def __init__(self, store: Positions, settings: FailedEventsSettings, wall: Callable[[], float]) -> None:
        """`wall` tells the seconds since the epoch."""
        self._store = store
        self._wall = wall
        self._waiting: dict[str, _Waiting] = {}
        self._there = asyncio.Event()
        self._known: list[FailedEvent] = []
        self._known_until = 0.0
        self._packing = Blocking("packing failed events", PACK_SECONDS)
        self.settings = settings
        # what an earlier configuration let be kept
        self._there.set()

    def keeper(self, mapping: EventSourceMapping) -> KeepFailed:
        """Takes the failed events of a mapping; hands over and returns."""

        def keep(event: bytes, failure: Failure, partition: str) -> None:
            if not self.settings.keep:
                return
            key = policy.event_id(mapping.uuid, failure, partition)
            self._waiting.pop(key, None)
            while len(self._waiting) >= MOST_WAITING:
                del self._waiting[next(iter(self._waiting))]
            self._waiting[key] = _Waiting(mapping, event, failure, partition, self._wall())
            self._there.set()

        return keep

    async def run(self) -> None:
        """Store what is handed over, until cancelled."""
        while True:
            await self._there.wait()
            try:
                if self._waiting:
                    await self._store_one(*self._waiting.popitem())
                await self._store.let_go(ROOM, await self._surplus())
            except (StateError, Overdue) as error:
                telemetry.logger().warning("failed_event_not_kept", text=str(error))
            if not self._waiting:
                self._there.clear()
            await asyncio.sleep(SECONDS)

    async def _surplus(self) -> list[str]:
        return policy.surplus(await self.all(), self.settings.keep, self.settings.max_bytes)

    def apply(self, settings: FailedEventsSettings) -> None:
        """Keep by these from now on."""
        self.settings = settings
        self._there.set()

    async def _store_one(self, key: str, waiting: _Waiting) -> None:
        body, redacted = await self._packing.run(_packed, waiting.event, waiting.mapping.redact)
        if len(body) > min(LARGEST_BODY, self.settings.max_bytes):
            return
        failure, mapping = waiting.failure, waiting.mapping
        about = FailedEvent(
            id=key,
            at=waiting.at,
            uuid=mapping.uuid,
            mapping=mapping.name,
            function=mapping.function.key,
            partition=waiting.partition,
            first=failure.first,
            records=failure.records,
            error=failure.error[:MOST_CHARACTERS],
            text=shortened(failure.text, MOST_CHARACTERS),
            size=len(body),
            redacted=redacted,
        )
        await self._store.keep(Kept(ROOM, key, waiting.at, about.written(), body))

    async def all(self) -> list[FailedEvent]:
        """What is kept, the latest first. Raises StateError."""
        return [_read(kept) for kept in await self._store.kept(ROOM)]

    async def shown(self) -> list[FailedEvent]:
        """The same, as it was within the last few seconds; empty while the store does not answer."""
        now = asyncio.get_running_loop().time()
        if now >= self._known_until:
            self._known_until = now + SHOWN_SECONDS
            try:
                self._known = await self.all()
            except StateError as error:
                telemetry.logger().warning("failed_events_unknown", text=str(error))
                self._known = []
        return self._known

    async def one(self, key: str) -> tuple[FailedEvent, bytes]:
        """One of them with its event. Raises NotPossible and StateError."""
        kept = await self._store.kept_one(ROOM, key)
        if kept is None:
            off = "" if self.settings.keep else ", and failed_events.keep is 0, so none is kept"
            raise NotPossible(f"no failed event {key} is kept{off}; `poller failures` shows those that are")
        try:
            return _read(kept), policy.unpacked(kept.body)
        except ValueError as error:
            raise StateError(f"the failed event {key} is damaged in the store: {error}") from error


def _packed(event: bytes, paths: tuple[str, ...]) -> tuple[str, int]:
    redacted, count = Redaction(paths)(event)
    return policy.packed(redacted), count


def _read(kept: Kept) -> FailedEvent:
    try:
        return policy.read(kept.id, kept.at, kept.about)
    except (ValueError, TypeError) as error:
        raise StateError(f"the failed event {kept.id} is damaged in the store: {error}") from error
