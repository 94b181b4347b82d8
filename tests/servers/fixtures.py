"""Fixtures of the local AWS servers: one process each for the session, one account for each test."""

import importlib.util
import itertools
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from poller.demo import local_aws
from tests.servers.account import Account
from tests.servers.process import free_port, server

_accounts = itertools.count(100_000_000_001)


def _program(name: str, extra: str) -> str:
    """The program beside the running interpreter, so that no other installation is taken by accident."""
    if importlib.util.find_spec(name.removesuffix("_server")) is None:
        pytest.skip(f"{name} is not installed: pip install 'poller[{extra}]'")
    return str(Path(sys.executable).parent / name)


@pytest.fixture(scope="session")
def ministack_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    command = [_program("ministack", "demo")]
    folder = tmp_path_factory.mktemp("ministack")
    with server(command, port, "/_ministack/ready", folder, local_aws.environment(port, folder)) as url:
        yield url


@pytest.fixture(scope="session")
def moto_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    command = [_program("moto_server", "dev"), "-H", "127.0.0.1", "-p", str(port)]
    with server(command, port, "/moto-api/data.json", tmp_path_factory.mktemp("moto"), {}) as url:
        yield url


KINESIS_LOCAL = "kinesis-local@0.6.2"
INSTALL_SECONDS = 180
"""How long a package client may take before the tests that want the package are skipped."""


@pytest.fixture(scope="session")
def kinesis_local_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The one local Kinesis that keeps a split shard's records; fetched by npm into a temporary folder."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("npm and node are not installed: install Node.js for the tests that need kinesis-local")
    folder = tmp_path_factory.mktemp("kinesis-local")
    install = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder), KINESIS_LOCAL]
    try:
        subprocess.run(install, capture_output=True, text=True, check=True, timeout=INSTALL_SECONDS)
    except subprocess.SubprocessError as error:
        told = (error.stderr or "")[-200:] if isinstance(error, subprocess.CalledProcessError) else str(error)
        pytest.skip(f"npm could not install {KINESIS_LOCAL}; is its registry reachable? {told}")
    ports = free_port(), free_port()
    environment = {
        "BIND_ADDRESS": "127.0.0.1",
        "KINESIS_MOCK_PLAIN_PORT": str(ports[0]),
        "KINESIS_MOCK_TLS_PORT": str(ports[1]),
        "SHARD_LIMIT": "500",
        "LOG_LEVEL": "ERROR",
        "CREATE_STREAM_DURATION": "20ms",
        "SPLIT_SHARD_DURATION": "20ms",
        "MERGE_SHARDS_DURATION": "20ms",
    }
    # it reads a file of its package from the folder it runs in
    package = folder / "node_modules" / "kinesis-local"
    with server([node, "main.js"], ports[0], "/healthcheck", package, environment) as url:
        yield url


@pytest.fixture
def kinesis_local(kinesis_local_url: str) -> Iterator[Account]:
    """One account for all tests: streams of a test have names of their own."""
    account = Account(kinesis_local_url, "000000000000")
    yield account
    account.close()


@pytest.fixture
def ministack(ministack_url: str) -> Iterator[Account]:
    """An empty account: MiniStack takes the access key for the account id."""
    account = Account(ministack_url, str(next(_accounts)))
    yield account
    account.close()


@pytest.fixture
def moto(moto_url: str) -> Iterator[Account]:
    """moto knows one account, which is emptied for each test."""
    urllib.request.urlopen(urllib.request.Request(f"{moto_url}/moto-api/reset", method="POST")).close()
    account = Account(moto_url, "123456789012", access_key="testing")
    yield account
    account.close()
