"""A worker's side of `poller run --workers N`: what it is told by the parent, and tells it.

Nothing of a worker outlives the parent: the kernel kills it at the parent's death, and where that fails it ends itself
at the end of the channel.
"""

import asyncio
import ctypes
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from poller.configuration import Configuration, Need
from poller.configuration.model.fleet import FleetSettings
from poller.configuration.model.settings import ApiSettings
from poller.configuration.watching import Reader
from poller.daemon.api.server import Connection, OneOfSeveral
from poller.daemon.notify import Notifier
from poller.daemon.relay import Relay
from poller.engine.app import Poller
from poller.engine.workers import Workers
from poller.values.errors import ConfigurationError, StateError
from poller.workers.channel import Channel, Packet
from poller.workers.spec import PLACE, WorkerSpec

PR_SET_PDEATHSIG = 1
REBALANCE_SECONDS = 2.0
"""Of the fleet that the workers form: they start together, so shards need not wait for more of them."""

Connected = Callable[[socket.socket], None]
Stop = Callable[[str, bool], None]
"""Called with what asks, and whether the stop is hard."""


def spec_of(text: str) -> WorkerSpec:
    """What the parent says of this process, which dies with it from now on. Raises ConfigurationError."""
    try:
        spec = WorkerSpec.read(text)
    except ValueError as error:
        raise ConfigurationError([f"{PLACE}: {error}"]) from error
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != spec.parent:
        # it died before the line above
        os._exit(1)
    return spec


class WorkerReader(Reader):
    """The configuration as one worker runs it: a member of the fleet of all, with its part of the memory. The parts of
    mappings are those of `Workers.share`.
    """

    def __init__(
        self,
        spec: WorkerSpec,
        paths: list[Path] | None,
        environ: Mapping[str, str],
        need: Need,
        overrides: dict[str, Any] | None,
    ) -> None:
        super().__init__(paths, environ, need, overrides)
        self._spec = spec

    def read(self) -> Configuration:
        """Raises ConfigurationError."""
        configuration = super().read()
        settings = configuration.settings
        name = f"worker {self._spec.number}"
        if settings.fleet is None:
            fleet = FleetSettings(member=name, rebalance_delay_seconds=REBALANCE_SECONDS)
        else:
            fleet = settings.fleet.model_copy(update={"member": f"{settings.fleet.member} {name}"})
        most = settings.max_bytes_in_flight // self._spec.of
        own = settings.model_copy(update={"fleet": fleet, "max_bytes_in_flight": most})
        return replace(configuration, settings=own)


class ToParent(Notifier):
    """Tells the parent what a daemon by itself tells the service manager."""

    def __init__(self, channel: Channel, watchdog: float) -> None:
        super().__init__("parent", watchdog)
        self._channel = channel

    def _send(self, *lines: str) -> None:
        self._channel.send({"notify": list(lines)})


class Worker:
    """The process as one of the workers."""

    def __init__(self, spec: WorkerSpec) -> None:
        self.channel = Channel(socket.socket(fileno=spec.channel))
        os.set_inheritable(spec.channel, False)
        self.number = spec.number
        self.workers = Workers(spec.number, spec.of, spec.process, self._call, self._tell)
        self._relay = Relay(self.channel)
        self.notifier = ToParent(self.channel, spec.sign_seconds)
        self._tasks: set[asyncio.Task[object]] = set()

    def _call(self, uuid: str) -> None:
        self.channel.send({"call": uuid})

    def _tell(self) -> None:
        self.channel.send({"stored": True})

    def listen(self, poller: Poller, stop: Stop, reload: Callable[[str], None]) -> None:
        """Do what the parent says from now on."""
        self._poller, self._stop, self._reload = poller, stop, reload
        self._connected: Connected = _refuse
        asyncio.get_running_loop().add_reader(self.channel.end.fileno(), self._said)

    def serving(self, api: ApiSettings) -> OneOfSeveral:
        """How the API is served."""
        return OneOfSeveral(self._listening, self._relay.middleware, self._relay.asking(api))

    @asynccontextmanager
    async def _listening(self, connection: Connection, _api: ApiSettings) -> AsyncIterator[str]:
        """Instead of listening, take connections from the parent."""
        loop = asyncio.get_running_loop()

        def connected(taken: socket.socket) -> None:
            taken.setblocking(False)
            self._keep(loop.connect_accepted_socket(connection, taken))

        self._connected, self._relay.invoker = connected, self._poller.invoker
        self.channel.send({"serving": True})
        yield "the parent"
        self._connected = _refuse

    def _said(self) -> None:
        received = self.channel.receive()
        if received is None:
            os.kill(os.getpid(), signal.SIGKILL)
            return
        packet, connection = received
        if connection is not None:
            self._connected(connection)
        else:
            self._obey(packet)

    def _obey(self, packet: Packet) -> None:
        match packet:
            case {"stop": str(by), "hard": bool(hard)}:
                self._stop(by, hard)
            case {"reload": str(by)}:
                self._reload(by)
            case {"live": list(numbers)}:
                self.workers.live(numbers)
            case {"called": str(uuid)}:
                self.workers.called(uuid)
            case {"ended": str(process)}:
                self._soon(self._poller.neighbours.process_ended(process))
            case {"look": True}:
                self._soon(self._poller.neighbours.look_at_others())

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        """A call of the store. One that fails costs time alone: others see to it, or the lease ends."""

        async def run() -> None:
            with suppress(StateError):
                await work

        self._keep(run())

    def _keep(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _refuse(connection: socket.socket) -> None:
    connection.close()
