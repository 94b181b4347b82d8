"""What happens to a fleet of real processes on a real database, under steady load and in real time: some minutes.

The account is a fake one in this process, so that every record is counted; the daemons, their clocks and the store are
real.
"""

import asyncio
import json
import random
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from uuid import uuid4

from poller.demo import local_aws
from poller.state.dynamodb.table import FORM
from tests.fakes.server import real_time_aws, serving
from tests.live.stream_daemon import Daemon, Watched, mapping
from tests.proof.scenarios import A_SECOND, BATCH, DAEMONS, INVOCATION_SECONDS, KEYS, SHARDS, Outcome, outcome_of
from tests.servers.account import Account
from tests.servers.cutting_proxy import CuttingProxy
from tests.servers.postgresql import Server, in_schema, postgresql
from tests.servers.process import free_port, server

QUIET_SECONDS = 1.0
DONE_SECONDS = 120.0
DEPLOYMENTS = 10
FAULTY_SECONDS, FAULT_SECONDS, DELAY_SECONDS = 60.0, 1.5, 0.5
CUT_OFF_SECONDS = 40.0
DOWN_SECONDS = 20.0
CALL_SECONDS = 10.0
Settings = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Store:
    """An empty store on a server of this machine."""

    port: int
    settings: Callable[[int], Settings]
    """Of a daemon that reaches the server at a port."""
    server: Server | None = None
    """A database that can be stopped."""


@dataclass(frozen=True, slots=True)
class One:
    """A daemon, and its own way to the store."""

    stack: AsyncExitStack
    process: Any
    daemon: Daemon
    way: CuttingProxy

    async def unaccounted(self) -> int:
        """Records of which it does not know what became of them."""
        lines = [json.loads(line) for line in self.daemon.log.read_text().splitlines() if '"api_listening"' in line]
        with await asyncio.to_thread(urlopen, f"{lines[-1]['address']}/status", timeout=CALL_SECONDS) as answer:
            return sum(abs(mapping["unaccounted"]) for mapping in json.load(answer)["mappings"])


class Real:
    """Daemons of one fleet, each a process."""

    def __init__(self, folder: Path, url: str, store: Store, arn: str) -> None:
        self.daemons: list[One] = []
        self.store = store
        self.unaccounted = 0
        self._folder, self._url, self._arn = folder, url, arn
        self._number = 0

    async def begin(self) -> None:
        """One more daemon, and wait until it is ready."""
        self._number += 1
        stack = AsyncExitStack()
        way = stack.enter_context(CuttingProxy(self.store.port))
        name, state = f"d{self._number}", self.store.settings(way.port)
        aws = {"region": "eu-west-1", "endpoint_url": self._url, "services": state.get("services", {})}
        one = mapping("m", self._arn, batch_size=BATCH)
        settings = {
            "state": state["state"],
            "aws": aws,
            "fleet": {"member": name},
            "access_key": state.get("access_key", "KEY"),
        }
        daemon = Daemon(self._folder, self._url, one, name=name, **settings)
        process = await stack.enter_async_context(daemon.running())
        self.daemons.append(One(stack, process, daemon, way))
        while '"ready"' not in daemon.log.read_text():  # noqa: ASYNC110  (a process tells nobody)
            await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """The first one ends softly."""
        one = self.daemons.pop(0)
        self.unaccounted += await one.unaccounted()
        await one.stack.aclose()

    async def kill(self) -> None:
        """The first one dies."""
        one = self.daemons.pop(0)
        await one.daemon.kill(one.process)
        await one.stack.aclose()

    async def freeze(self, seconds: float) -> None:
        """The first one stands still."""
        process = self.daemons[0].process
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        process.send_signal(signal.SIGCONT)


async def undisturbed(_real: Real) -> None:
    await asyncio.sleep(20.0)


async def kill(real: Real) -> None:
    await real.kill()
    await asyncio.sleep(30.0)


async def freeze(real: Real) -> None:
    await real.freeze(40.0)
    await asyncio.sleep(10.0)


async def deploy(real: Real) -> None:
    for _ in range(DEPLOYMENTS * DAEMONS):
        await real.begin()
        await real.stop()
        await asyncio.sleep(QUIET_SECONDS)


async def faulty(real: Real) -> None:
    """Each way to the store is cut, loses answers, delays or falls silent for a while, one after the other."""
    chance = random.Random(1)
    until = asyncio.get_running_loop().time() + FAULTY_SECONDS
    while asyncio.get_running_loop().time() < until:
        way = chance.choice(real.daemons).way
        match chance.choice(("cut", "deaf", "slow", "silent")):
            case "deaf":
                way.deaf = True
            case "slow":
                way.delay = DELAY_SECONDS
            case "silent":
                way.passes.clear()
            case _:
                way.cut()
        await asyncio.sleep(chance.uniform(0, 2 * FAULT_SECONDS))
        way.deaf, way.delay = False, 0.0
        way.passes.set()


async def cut_off(real: Real) -> None:
    """Half-open: the connections of the first one stay, and nothing passes."""
    way = real.daemons[0].way
    way.passes.clear()
    await asyncio.sleep(CUT_OFF_SECONDS)
    way.passes.set()
    await asyncio.sleep(10.0)


async def away(real: Real) -> None:
    for one in real.daemons:
        one.way.passes.clear()
    await asyncio.sleep(DOWN_SECONDS)
    for one in real.daemons:
        one.way.cut()
        one.way.passes.set()
    await asyncio.sleep(10.0)


async def immediate_stop(real: Real) -> None:
    server = real.store.server
    assert server is not None
    await asyncio.to_thread(server.end, signal.SIGQUIT)
    await asyncio.sleep(DOWN_SECONDS)
    await asyncio.to_thread(server.start)
    await asyncio.sleep(10.0)


FAULTY, IMMEDIATE_STOP = "a faulty way to the store for 60 s", "pg_ctl stop -m immediate, and 20 s without a database"
ANYWHERE: dict[str, Callable[[Real], Awaitable[None]]] = {
    "nothing happens": undisturbed,
    "kill -9 of a daemon": kill,
    "a daemon frozen for 40 s": freeze,
    "ten rolling deployments": deploy,
    FAULTY: faulty,
    "a daemon cut off from the store for 40 s": cut_off,
    "the store away for 20 s": away,
}
SCENARIOS = {"postgresql": {**ANYWHERE, IMMEDIATE_STOP: immediate_stop}, "dynamodb": ANYWHERE}
"""By kind of store."""


async def measured(happens: Callable[[Real], Awaitable[None]], store: Store) -> Outcome:
    """Play one scenario on an empty store."""
    aws = real_time_aws()
    stream, ledger = aws.stream("s", shards=SHARDS), aws.streams.ledger
    aws.function("fn").delay = INVOCATION_SECONDS
    number = 0

    async def load() -> None:
        nonlocal number
        while True:
            stream.put(f"key {number % KEYS}", str(number))
            number += 1
            await asyncio.sleep(1 / A_SECOND)

    with tempfile.TemporaryDirectory(prefix="poller-proof-") as name:
        async with serving(Watched(aws)) as url:
            real = Real(Path(name), url, store, stream.arn)
            for _ in range(DAEMONS):
                await real.begin()
            # the shards move to the daemons that came later, once nobody has come for a while
            await asyncio.sleep(40.0)
            work = asyncio.ensure_future(load())
            await asyncio.sleep(10.0)
            await happens(real)
            work.cancel()
            async with asyncio.timeout(DONE_SECONDS):
                while ledger.lost():  # noqa: ASYNC110  (once, at the end)
                    await asyncio.sleep(0.1)
            while real.daemons:
                await real.stop()
    return replace(outcome_of(ledger, number), unaccounted=real.unaccounted)


@contextmanager
def stores(kind: str) -> Iterator[Callable[[], Store]]:
    """Gives an empty store, of the kind `postgresql` or `dynamodb`, as often as it is called."""
    if kind == "postgresql":
        with postgresql() as database:
            yield lambda: in_database(database)
        return
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="poller-proof-") as name:
        folder = Path(name)
        with server(
            [str(Path(sys.executable).parent / "ministack")],
            port,
            "/_ministack/ready",
            folder,
            local_aws.environment(port, folder),
        ) as url:
            account = Account(url, "000000000001")
            yield lambda: in_table(account, port)
            account.close()


def in_database(database: Server) -> Store:
    """A schema of its own."""
    url = in_schema(database.url, f"proof-{uuid4()}")
    return Store(database.port, lambda port: {"state": url.replace(f":{database.port}/", f":{port}/")}, database)


def in_table(account: Account, port: int) -> Store:
    """A table of its own."""
    made = f"state-{uuid4()}"
    account.client("dynamodb").create_table(TableName=made, **FORM)

    def settings(port: int) -> Settings:
        services = {"dynamodb": {"endpoint_url": f"http://127.0.0.1:{port}"}}
        return {"state": f"dynamodb://{made}?region=eu-west-1", "services": services, "access_key": account.account}

    return Store(port, settings)
