"""What every test gets: coroutine tests on a virtual-time loop, a clean environment, local servers on demand."""

import asyncio
import functools
import gc
import inspect
import os
import shutil
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.dealing import REAL_TIME, deal, import_from, worker_count
from tests.virtual_time import VirtualClock, VirtualTimeLoop, run

pytest_plugins = ["tests.servers.fixtures", "tests.servers.postgresql"]

# before any logger is made, so that every one of them can be captured
structlog.configure()

# the suite starts the same modules hundreds of times: without bytecode each process would compile them again
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

SLOW_SECONDS = 3600
"""How long a test marked `slow` may take before it counts as hanging; the others' limit stands in `pyproject.toml`."""
INHERITED = ("AWS_", "POLLER_", "CREDENTIALS_DIRECTORY", "STATE_DIRECTORY", "NOTIFY_SOCKET", "XDG_")

# no test depends on how fast the machine is: a slow one must not turn a promise into a failure
settings.register_profile(
    "poller", max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("checked", settings.get_profile("poller"), max_examples=60)
settings.register_profile("thorough", settings.get_profile("poller"), max_examples=1000)
settings.load_profile("poller")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--seeds",
        type=int,
        default=10,
        help="random journeys of each kind (default 10), half as many of the special ones",
    )
    parser.addoption("--minutes", type=float, default=10.0, help="length of the slow test of faults (default 10)")


def pytest_xdist_auto_num_workers() -> int:
    """Twice as many as there are processors: tests of real processes and sockets wait for half of their time or more."""
    return (os.cpu_count() or 2) * 2


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "fleet_seed" in metafunc.fixturenames:
        # several daemons in each
        metafunc.parametrize("fleet_seed", range((metafunc.config.getoption("--seeds") + 2) // 3))


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collecting makes hundreds of thousands of objects that stay: looking for garbage among them takes a third of it.

    Frozen, they are not looked through again and again while the tests run. What tests leave is looked for less often
    than by default, because most of it is whole event loops at once.
    """
    gc.disable()
    try:
        if session.config.args_source is pytest.Config.ArgsSource.TESTPATHS:
            import_from(int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]), worker_count())
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(10_000, 20, 10)
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "slow" in item.keywords and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SLOW_SECONDS))
    if worker_count() > 1:
        items[:] = deal(items, worker_count())


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run `async def` tests: on virtual time unless marked for real sockets. No plugin needed."""
    factory = asyncio.SelectorEventLoop if REAL_TIME & set(pyfuncitem.keywords) else VirtualTimeLoop
    generated = getattr(pyfuncitem.obj, "hypothesis", None)
    if generated is not None and inspect.iscoroutinefunction(generated.inner_test):
        generated.inner_test = _synchronous(generated.inner_test, factory)
        return None
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    # `pyfuncitem.funcargs` holds the autouse fixtures too, which the function does not take
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    run(pyfuncitem.obj(**arguments), loop_factory=factory)
    return True


def _synchronous(test: Callable[..., Any], factory: Callable[[], asyncio.AbstractEventLoop]) -> Callable[..., None]:
    @functools.wraps(test)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        run(test(*args, **kwargs), loop_factory=factory)

    return wrapper


@pytest.fixture(scope="session")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, _home: Path) -> Iterator[None]:
    """No setting, credential or proxy of the machine reaches a test."""
    for name in list(os.environ):
        if name.startswith(INHERITED) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(_home))
    # else a test without credentials would ask the network for an instance's
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    yield
    # one for all, since a folder for each of thousands costs seconds; whoever uses it finds it empty
    for left in _home.iterdir():
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dummy AWS credentials and a region in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "100000000000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()
