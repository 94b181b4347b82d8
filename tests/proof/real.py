"""What happens to a fleet of real processes on a real database, under steady load and in real time: some minutes.

The account is a fake one in this process, so that every record is counted; the daemons, their clocks and the store are
real.
"""

import asyncio
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from poller.demo import local_aws
from poller.state.dynamodb.table import FORM
from tests.fakes.server import real_time_aws, serving
from tests.live.stream_daemon import Daemon, Watched, mapping
from tests.proof.scenarios import A_SECOND, BATCH, DAEMONS, INVOCATION_SECONDS, KEYS, SHARDS, Outcome, outcome_of
from tests.servers.account import Account
from tests.servers.postgresql import in_schema, postgresql
from tests.servers.process import free_port, server

QUIET_SECONDS = 1.0
DONE_SECONDS = 120.0
DEPLOYMENTS = 10
Settings = dict[str, Any]


class Real:
    """Daemons of one fleet, each a process."""

    def __init__(self, folder: Path, url: str, state: Settings, arn: str) -> None:
        self.daemons: list[tuple[AsyncExitStack, Any, Daemon]] = []
        self._folder, self._url, self._state, self._arn = folder, url, state, arn
        self._number = 0

    async def begin(self) -> None:
        """One more daemon, and wait until it is ready."""
        self._number += 1
        name, key = f"d{self._number}", self._state.get("access_key", "KEY")
        aws = {"region": "eu-west-1", "endpoint_url": self._url, "services": self._state.get("services", {})}
        one = mapping("m", self._arn, batch_size=BATCH)
        settings = {"state": self._state["state"], "aws": aws, "fleet": {"member": name}, "access_key": key}
        daemon = Daemon(self._folder, self._url, one, name=name, **settings)
        stack = AsyncExitStack()
        process = await stack.enter_async_context(daemon.running())
        self.daemons.append((stack, process, daemon))
        while '"ready"' not in daemon.log.read_text():  # noqa: ASYNC110  (a process tells nobody)
            await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """The first one ends softly."""
        stack, _, _ = self.daemons.pop(0)
        await stack.aclose()

    async def kill(self) -> None:
        """The first one dies."""
        stack, process, daemon = self.daemons.pop(0)
        await daemon.kill(process)
        await stack.aclose()

    async def freeze(self, seconds: float) -> None:
        """The first one stands still."""
        _, process, _ = self.daemons[0]
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


SCENARIOS: dict[str, Callable[[Real], Awaitable[None]]] = {
    "nothing happens": undisturbed,
    "kill -9 of a daemon": kill,
    "a daemon frozen for 40 s": freeze,
    "ten rolling deployments": deploy,
}


async def measured(happens: Callable[[Real], Awaitable[None]], state: Settings) -> Outcome:
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
            real = Real(Path(name), url, state, stream.arn)
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
    return outcome_of(ledger, number)


@contextmanager
def stores(kind: str) -> Iterator[Callable[[], Settings]]:
    """Gives settings of an empty store, of the kind `postgresql` or `dynamodb`, as often as it is called."""
    if kind == "postgresql":
        with postgresql() as database:
            yield lambda: {"state": in_schema(database.url, f"proof-{uuid4()}")}
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

            def table() -> Settings:
                made = f"state-{uuid4()}"
                account.client("dynamodb").create_table(TableName=made, **FORM)
                services = {"dynamodb": {"endpoint_url": url}}
                return {
                    "state": f"dynamodb://{made}?region=eu-west-1",
                    "services": services,
                    "access_key": account.account,
                }

            yield table
            account.close()
