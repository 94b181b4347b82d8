"""The local AWS of the demo: MiniStack, on loopback, in a temporary folder."""

import asyncio
import importlib.util
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from pathlib import Path

import aiohttp

from poller.demo.process import Child, child, free_port
from poller.support.extras import how_to_install
from poller.values.errors import EnvironmentProblem

ACCOUNT = "123456789012"
"""MiniStack uses a 12-digit access key as the account."""
REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "demo", "AWS_EC2_METADATA_DISABLED": "true"}

START_SECONDS = 30.0
"""Seconds for its start, which takes a quarter of a second on an idle machine."""
PAUSE_SECONDS = 0.05


def require() -> None:
    """Raise EnvironmentProblem when it is not installed."""
    if importlib.util.find_spec("ministack") is None:
        raise EnvironmentProblem(f"this needs a local AWS, which is not installed: {how_to_install('demo')}")


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[str]:
    """Run it until the context ends; gives its endpoint URL. Raises EnvironmentProblem."""
    with running(folder) as (process, url):
        await ready(process, url)
        yield url


def environment(port: int, folder: Path) -> dict[str, str]:
    """The settings of one on this port, which keeps its files in `folder` and remembers nothing."""
    return {
        "BIND_HOST": "127.0.0.1",  # it would listen on every interface
        "GATEWAY_PORT": str(port),
        "LAMBDA_EXECUTOR": "local",
        "LOG_LEVEL": "WARNING",
        "AUTH": "false",
        "PERSIST_STATE": "0",
        "STATE_DIR": str(folder / "state"),
    }


@contextmanager
def running(folder: Path) -> Iterator[tuple[Child, str]]:
    """Run it until the context ends, without waiting for its first answer."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with child([sys.executable, "-m", "ministack"], folder, environment(port, folder)) as process:
        yield process, url


async def ready(process: Child, url: str) -> None:
    """Return once it answers. Raises EnvironmentProblem."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=START_SECONDS)) as session:
        for _ in range(int(START_SECONDS / PAUSE_SECONDS)):
            try:
                async with session.get(f"{url}/_ministack/ready") as answer:
                    if answer.status == HTTPStatus.OK:
                        return
            except aiohttp.ClientError:
                pass
            if process.exit_code is not None:
                raise EnvironmentProblem(
                    f"the local AWS cannot start; it ended with {process.exit_code}:\n{process.last_words()}"
                )
            await asyncio.sleep(PAUSE_SECONDS)
    raise EnvironmentProblem(f"the local AWS does not answer after {START_SECONDS:g} s:\n{process.last_words()}")
