"""All mappings of the process: made to be what the configuration says, paused and resumed, and ended together."""

import asyncio
import time
from collections.abc import Callable, Sequence
from itertools import islice

from poller.configuration import EventSourceMapping
from poller.daemon.api.report import counters
from poller.engine.parts import Wiring
from poller.engine.runner import MappingLife
from poller.policy.progress import Paused
from poller.ports.daemon_status import Changes, DaemonStatus
from poller.ports.status import MappingStatus
from poller.ports.store import StateStore
from poller.support import telemetry
from poller.values.errors import UnknownMapping

MOST_SHOWN = 10
"""Mappings named in one line of the log."""


class Mappings:
    """By uuid, since names may be exchanged."""

    def __init__(
        self,
        status: DaemonStatus,
        wiring: Wiring,
        store: StateStore,
        configured: set[str],
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`configured` is kept as the uuids of all that are configured; whoever has it sees them change."""
        self._status = status
        self._wiring = wiring
        self._store = store
        self._configured = configured
        self._wall = wall
        self._lives: dict[str, MappingLife] = {}
        self._paused: dict[str, float] = {}
        """Loop times, by uuid."""
        self._steering = asyncio.Lock()
        self._started = False

    async def load(self, mappings: Sequence[EventSourceMapping]) -> None:
        """Know all mappings, and which are paused; nothing runs yet. Raises StateError."""
        offset = asyncio.get_running_loop().time() - self._wall()
        self._paused = {uuid: paused.since + offset for uuid, paused in (await self._store.paused()).items()}
        self.apply(mappings)

    def start(self) -> None:
        """Let them run."""
        self._started = True
        for life in self._lives.values():
            self._start(life)

    def _start(self, life: MappingLife) -> None:
        life.start()
        assert life.task is not None
        life.task.add_done_callback(lambda task: self._ended(life, task))

    def _ended(self, life: MappingLife, task: asyncio.Task[None]) -> None:
        """A mapping ends when it is removed or the daemon stops; anything else is a bug, and makes us unhealthy."""
        if task.cancelled():
            return
        error = task.exception()
        if error is not None or not life.ending:
            self._status.died.append(task.get_name())
            telemetry.logger().error("task_died", mapping=task.get_name(), exc_info=error)

    def apply(self, mappings: Sequence[EventSourceMapping]) -> Changes:
        """Run these mappings from now on, each as it is here; those that are as before are not touched."""
        changes = Changes()
        self._configured.clear()
        self._configured.update(mapping.uuid for mapping in mappings)
        for life in list(self._lives.values()):
            if life.mapping.uuid not in self._configured and not life.is_removed:
                changes.removed.append(life.mapping.name)
                life.remove()
                self._wake(life)
        for mapping in mappings:
            life_there = self._lives.get(mapping.uuid)
            if life_there is None:
                changes.added.append(mapping.name)
                self._add(mapping)
            elif life_there.is_removed or life_there.mapping != mapping:
                changes.changed.append(mapping.name)
                life_there.change(mapping)
                self._wake(life_there)
            else:
                changes.unchanged += 1
        self._sort(mappings)
        return changes

    def _add(self, mapping: EventSourceMapping) -> None:
        paused_since = self._paused.get(mapping.uuid)
        life = MappingLife(mapping, self._wiring, paused_since=paused_since, removed=self._removed)
        self._lives[mapping.uuid] = life
        if paused_since is not None:
            # it may have been removed and come back since, by when nobody remembers
            telemetry.logger().warning("mapping_still_paused", mapping=mapping.name)
        if self._started:
            self._start(life)

    def _wake(self, life: MappingLife) -> None:
        """One that a bug ended gets another chance, or could never be removed."""
        if life.task is not None and life.task.done():
            self._start(life)

    def _removed(self, life: MappingLife) -> None:
        del self._lives[life.mapping.uuid]
        self._status.mappings.remove(life.status)
        self._wiring.forget(life.mapping.uuid)
        telemetry.logger().info("mapping_removed", mapping=life.mapping.name, account=account_of(life.status))

    def _sort(self, mappings: Sequence[EventSourceMapping]) -> None:
        """As configured, then those that are still ending; a name of theirs that is another's now tells them apart."""
        lives = [self._lives[mapping.uuid] for mapping in mappings]
        names = {life.status.name for life in lives}
        ending = [life for life in self._lives.values() if life.is_removed]
        for life in ending:
            if life.status.name in names:
                life.status.name = f"{life.mapping.name} ({life.mapping.uuid})"
        self._status.mappings[:] = [life.status for life in (*lives, *ending)]

    async def pause(self, name: str) -> MappingStatus:
        """Stop a mapping softly until it is resumed, also over restarts. Raises UnknownMapping and StateError."""
        async with self._steering:
            life = self._find(name)
            uuid = life.mapping.uuid
            if uuid not in self._paused:
                await self._store.pause(uuid, Paused(self._wall(), life.mapping.name))
                self._paused[uuid] = since = asyncio.get_running_loop().time()
                # it may have been removed meanwhile, and be there again
                life = self._lives.get(uuid, life)
                life.pause(since)
                telemetry.logger().info("mapping_paused", mapping=life.mapping.name)
            return life.status

    async def resume(self, name: str) -> MappingStatus:
        """Let a paused mapping run again. Raises UnknownMapping and StateError."""
        async with self._steering:
            life = self._find(name)
            uuid = life.mapping.uuid
            if uuid in self._paused:
                await self._store.resume(uuid)
                del self._paused[uuid]
                life = self._lives.get(uuid, life)
                life.resume()
                telemetry.logger().info("mapping_resumed", mapping=life.mapping.name)
            return life.status

    def restart_function(self, name: str) -> None:
        """Begin to start the workers of a function anew. Raises UnknownFunction."""
        self._wiring.restart_function(name)

    def _find(self, name: str) -> MappingLife:
        lives = [life for life in self._lives.values() if not life.is_removed]
        for life in lives:
            if name in (life.mapping.name, life.mapping.uuid):
                return life
        known = ", ".join(life.mapping.name for life in lives) or "none"
        raise UnknownMapping(f"there is no mapping {name}; there are: {known}")

    def stop(self) -> set[asyncio.Task[None]]:
        """Ask all of them for the soft stop, and return the tasks that end with it."""
        for life in self._lives.values():
            life.end()
        self._log_waits()
        return {life.task for life in self._lives.values() if life.task is not None}

    def _log_waits(self) -> None:
        """Say what the soft stop waits for, of a few mappings in words."""
        now = asyncio.get_running_loop().time()
        waits = {status.name: found.text for status in self._status.mappings if (found := status.waits(now))}
        if waits:
            shown = dict(islice(waits.items(), MOST_SHOWN))
            text = "what is under way may end; Ctrl-C again stops now"
            telemetry.logger().info("stopping", text=text, waits_for=shown, more=len(waits) - len(shown))


def account_of(status: MappingStatus) -> dict[str, int]:
    """For the log, when nobody can ask any more: what a person asks after a stop."""
    in_flight = status.in_flight()
    counted = counters(status.account)
    left_out = ("invoked", "failed_invoke", "delete_failed")
    return {name: count for name, count in counted.items() if name not in left_out} | {
        "in_flight": in_flight,
        "unaccounted": status.account.unaccounted(in_flight),
    }
