"""All mappings of the process: makes them follow the configuration, pauses and resumes them, and ends them together."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from poller.configuration import EventSourceMapping
from poller.engine.parts import Wiring
from poller.engine.runner import MappingRunner
from poller.policy.progress import Paused
from poller.ports.daemon_status import Changes, DaemonStatus
from poller.ports.status import MappingStatus
from poller.ports.store import Positions
from poller.support import telemetry
from poller.values.errors import UnknownMapping

MOST_SHOWN = 10
"""Most mappings named in one line of the log."""


class Mappings:
    """Runners by uuid, because mappings may exchange their names."""

    def __init__(
        self,
        status: DaemonStatus,
        wiring: Wiring,
        store: Positions,
        configured: set[str],
        *,
        wall: Callable[[], float] = time.time,
        tell: Callable[[], None] = lambda: None,
        share: Callable[[Sequence[EventSourceMapping]], Sequence[EventSourceMapping]] = list,
    ) -> None:
        """`configured` receives the uuids of all configured mappings; everybody who holds it sees the changes. It calls
        `tell` when others should know that a mapping was paused or resumed. `share` gives this process's part of all
        mappings.
        """
        self._status = status
        self._share = share
        self._wiring = wiring
        self._store = store
        self._configured = configured
        self._wall = wall
        self._tell = tell
        self._runners: dict[str, MappingRunner] = {}
        self._paused: dict[str, float] = {}
        """Loop times, by uuid."""
        self._steering = asyncio.Lock()
        self._held: dict[str, str] = {}
        """By uuid why nothing of a mapping may run for a moment."""
        self._started = False

    async def load(self, mappings: Sequence[EventSourceMapping], deleted: Collection[str] = ()) -> None:
        """Create all mappings, paused or not; nothing runs yet. `deleted` is that of `apply`. Raises StateError."""
        offset = asyncio.get_running_loop().time() - self._wall()
        self._paused = {uuid: paused.since + offset for uuid, paused in (await self._store.paused()).items()}
        self.apply(mappings, deleted)

    def start(self) -> None:
        """Let the mappings run."""
        self._started = True
        for runner in self._runners.values():
            self._start(runner)

    def _start(self, runner: MappingRunner) -> None:
        runner.start()
        assert runner.task is not None
        runner.task.add_done_callback(lambda task: self._ended(runner, task))

    def _ended(self, runner: MappingRunner, task: asyncio.Task[None]) -> None:
        """Watch a mapping's task. It ends when the mapping is removed or the daemon stops; any other end is a bug, and
        makes the daemon unhealthy.
        """
        if task.cancelled():
            return
        error = task.exception()
        if error is not None or not runner.ending:
            self._status.died.append(task.get_name())
            telemetry.logger().error("task_died", mapping=task.get_name(), exc_info=error)

    def apply(self, mappings: Sequence[EventSourceMapping], deleted: Collection[str] = ()) -> Changes:
        """Run these mappings from now on, with these parameters; unchanged ones run on. `deleted` are uuids of others
        to delete, with their positions.
        """
        changes = Changes()
        self._configured.clear()
        self._configured.update((mapping.uuid for mapping in mappings), deleted)
        mappings = self._share(mappings)
        wanted = {mapping.uuid for mapping in mappings}
        for runner in list(self._runners.values()):
            if runner.mapping.uuid not in wanted and not runner.is_removed:
                changes.removed.append(runner.mapping.name)
                runner.remove(deleted=runner.mapping.uuid in deleted)
                self._wake(runner)
        for mapping in mappings:
            present = self._runners.get(mapping.uuid)
            if present is None:
                changes.added.append(mapping.name)
                self._add(mapping)
            elif not present.is_removed and present.mapping == mapping:
                changes.unchanged += 1
            elif not present.is_removed and replace(present.mapping, tags=mapping.tags) == mapping:
                changes.changed.append(mapping.name)
                present.retag(mapping)
            else:
                changes.changed.append(mapping.name)
                present.change(mapping)
                self._wake(present)
        self._sort(mappings)
        return changes

    def _add(self, mapping: EventSourceMapping) -> None:
        paused_since = self._paused.get(mapping.uuid)
        runner = MappingRunner(mapping, self._wiring, paused_since=paused_since, removed=self._removed)
        self._runners[mapping.uuid] = runner
        if (why := self._held.get(mapping.uuid)) is not None:
            runner.hold(why)
        if paused_since is not None:
            # it may have been removed and be back, and the pause forgotten meanwhile
            telemetry.logger().warning("mapping_still_paused", mapping=mapping.name)
        if self._started:
            self._start(runner)

    def _wake(self, runner: MappingRunner) -> None:
        """Start a mapping again that a bug has ended or that cannot be removed."""
        if runner.task is not None and runner.task.done():
            self._start(runner)

    def _removed(self, runner: MappingRunner) -> None:
        del self._runners[runner.mapping.uuid]
        self._status.mappings.remove(runner.status)
        self._wiring.forget(runner.mapping.uuid)
        telemetry.logger().info("mapping_removed", mapping=runner.mapping.name, account=account_of(runner.status))

    def _sort(self, mappings: Sequence[EventSourceMapping]) -> None:
        """The mappings in the order of the configuration, then those that are still ending. Such a mapping is renamed
        where another has its name now.
        """
        runners = [self._runners[mapping.uuid] for mapping in mappings]
        names = {runner.status.name for runner in runners}
        ending = [runner for runner in self._runners.values() if runner.is_removed]
        for runner in ending:
            if runner.status.name in names:
                runner.status.name = f"{runner.mapping.name} ({runner.mapping.uuid})"
        self._status.mappings[:] = [runner.status for runner in (*runners, *ending)]

    async def pause(self, name: str) -> MappingStatus:
        """Stop a mapping softly until it is resumed, also over restarts. Raises UnknownMapping and StateError."""
        async with self._steering:
            runner = self.find(name)
            uuid = runner.mapping.uuid
            if uuid not in self._paused:
                await self._store.pause(uuid, Paused(self._wall(), runner.mapping.name))
                self._pause(uuid, asyncio.get_running_loop().time())
                self._tell()
                runner = self.present(runner)
            return runner.status

    async def resume(self, name: str) -> MappingStatus:
        """Let a paused mapping run again. Raises UnknownMapping and StateError."""
        async with self._steering:
            runner = self.find(name)
            uuid = runner.mapping.uuid
            if uuid in self._paused:
                await self._forget_pause(uuid)
                runner = self.present(runner)
            return runner.status

    async def forget_pause(self, uuid: str) -> None:
        """Resume a mapping that may no longer exist. Raises StateError."""
        async with self._steering:
            await self._forget_pause(uuid)

    async def _forget_pause(self, uuid: str) -> None:
        await self._store.resume(uuid)
        self._resume(uuid)
        self._tell()

    def _pause(self, uuid: str, since: float) -> None:
        self._paused[uuid] = since
        if (runner := self._runners.get(uuid)) is not None:
            runner.pause(since)
            telemetry.logger().info("mapping_paused", mapping=runner.mapping.name)

    def _resume(self, uuid: str) -> None:
        if self._paused.pop(uuid, None) is not None and (runner := self._runners.get(uuid)) is not None:
            runner.resume()
            telemetry.logger().info("mapping_resumed", mapping=runner.mapping.name)

    async def look_at_pauses(self) -> None:
        """Another daemon of the fleet may have paused or resumed mappings: do as it is stored. Raises StateError."""
        async with self._steering:
            # read in here, so that nothing is stored by this daemon meanwhile
            stored = await self._store.paused()
            offset = asyncio.get_running_loop().time() - self._wall()
            for uuid in stored.keys() - self._paused.keys():
                self._pause(uuid, stored[uuid].since + offset)
            for uuid in self._paused.keys() - stored.keys():
                self._resume(uuid)

    def is_paused(self, uuid: str) -> bool:
        """Whether the mapping is paused."""
        return uuid in self._paused

    def is_applied(self, uuid: str) -> bool:
        """Whether the mapping has reached the state that was last asked for."""
        runner = self._runners.get(uuid)
        return runner is not None and runner.is_applied

    def statuses(self) -> Mapping[str, MappingStatus]:
        """The runner of a mapping by its uuid."""
        return {uuid: runner.status for uuid, runner in self._runners.items()}

    async def ended(self, uuid: str) -> None:
        """Return once a mapping that was removed has ended."""
        if (runner := self._runners.get(uuid)) is not None:
            await runner.ended()

    def running(self) -> dict[str, str]:
        """Mappings that run, or will in a moment: by uuid the ARN of each event source."""
        return {uuid: runner.mapping.event_source_arn for uuid, runner in self._runners.items() if runner.stays}

    def restart_function(self, name: str) -> None:
        """Restart the workers of a function. Raises UnknownFunction."""
        self._wiring.restart_function(name)

    def find(self, name: str) -> MappingRunner:
        """The runner of the mapping with that name or uuid. Raises UnknownMapping."""
        runners = [runner for runner in self._runners.values() if not runner.is_removed]
        for runner in runners:
            if name in (runner.mapping.name, runner.mapping.uuid):
                return runner
        known = ", ".join(runner.mapping.name for runner in runners) or "none"
        raise UnknownMapping(f"there is no mapping {name}; there are: {known}")

    def hold(self, uuid: str, why: str) -> None:
        """Let nothing of a mapping run until `go_on`, also where it is added only meanwhile."""
        self._held[uuid] = why
        if (runner := self._runners.get(uuid)) is not None:
            runner.hold(why)

    def go_on(self, uuid: str) -> None:
        """What held a mapping is over."""
        del self._held[uuid]
        if (runner := self._runners.get(uuid)) is not None:
            runner.go_on()

    def held(self, uuid: str) -> str | None:
        """Why nothing of a mapping may run for a moment; None where it may."""
        return self._held.get(uuid)

    async def rested(self, uuid: str) -> None:
        """Return once nothing runs of a mapping that is held."""
        if (runner := self._runners.get(uuid)) is not None:
            await runner.rested()

    def present(self, runner: MappingRunner) -> MappingRunner:
        """The present runner of the same mapping, which may have been removed meanwhile and be back."""
        return self._runners.get(runner.mapping.uuid, runner)

    def stop(self) -> set[asyncio.Task[None]]:
        """Ask all mappings for the soft stop, and return the tasks that end with it."""
        for runner in self._runners.values():
            runner.end()
        self._log_waits()
        return {runner.task for runner in self._runners.values() if runner.task is not None}

    def _log_waits(self) -> None:
        """Log what the soft stop waits for; only a few mappings are named."""
        now = asyncio.get_running_loop().time()
        running = [(status.name, status.run) for status in self._status.mappings if status.run is not None]
        waits = {name: found.text for name, run in running if (found := run.waits(now))}
        if waits:
            shown = dict(islice(waits.items(), MOST_SHOWN))
            text = "what is under way may end; Ctrl-C again stops now"
            telemetry.logger().info("stopping", text=text, waits_for=shown, more=len(waits) - len(shown))


def account_of(status: MappingStatus) -> dict[str, int]:
    """Log the final accounts, for after the stop nobody can ask the daemon."""
    in_flight = status.in_flight()
    counted = status.account.counters()
    left_out = ("invoked", "failed_invoke", "delete_failed")
    return {name: count for name, count in counted.items() if name not in left_out} | {
        "in_flight": in_flight,
        "unaccounted": status.account.unaccounted(in_flight),
    }
