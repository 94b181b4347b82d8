"""Which worker of pytest-xdist begins with which tests, and with which modules.

xdist hands out as many consecutive tests to each worker, and lets those that are done take from the ends of others. So
what stands at the beginning of a worker's share is run by that worker.
"""

import contextlib
import importlib
import itertools
import os
from collections import defaultdict
from pathlib import Path
from typing import TypeVar

import pytest

FOLDER = Path(__file__).parent
Test = TypeVar("Test", bound=pytest.Item)

SERVERS = {"ministack": ("ministack", "dynamodb"), "moto": ("moto",), "postgresql": ("postgresql",)}
"""Servers of the session, with how the names of fixtures and of cases that want them begin."""
REAL_TIME = {"live", "real_time"}
"""Markers of tests that need real sockets, and so a real loop."""


def worker_count() -> int:
    """1 without pytest-xdist."""
    return int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


def import_from(worker: int, workers: int) -> None:
    """Import all modules of tests, each worker from another one on.

    In a fresh checkout they are compiled, which takes longer than the rest of collecting. In the same order, all workers
    would compile all of them at the same time; so each compiles its part, and finds the others' done.
    """
    files = sorted(FOLDER.rglob("test_*.py"))
    begin = len(files) * worker // workers
    for file in [*files[begin:], *files[:begin]]:
        name = ".".join(file.relative_to(FOLDER.parent).with_suffix("").parts)
        # pytest imports it again, and says what is wrong
        with contextlib.suppress(Exception, pytest.skip.Exception):
            importlib.import_module(name)


def deal(items: list[Test], workers: int) -> list[Test]:
    """The tests in the order in which `workers` get their shares.

    Each share begins with tests that wait for servers, because they take long: none is left to the end. All tests of a
    server are in one share, so that a single worker starts it.
    """
    by_server: dict[str, list[Test]] = defaultdict(list)
    quick = []
    for item in items:
        server = server_of(item)
        if server or "live" in item.keywords:
            by_server[server].append(item)
        else:
            quick.append(item)
    alone = by_server.pop("", [])
    first: list[list[Test]] = [[] for _ in range(workers)]
    for served in sorted(by_server.values(), key=len, reverse=True):
        min(first, key=len).extend(served)
    for item in alone:
        min(first, key=len).append(item)
    left, rest, dealt = len(items), iter(quick), []
    for worker, mine in enumerate(first):
        size = left // (workers - worker)
        dealt += [*mine, *itertools.islice(rest, max(0, size - len(mine)))]
        left -= size
    return [*dealt, *rest]


def server_of(item: pytest.Item) -> str:
    """The server that a test wants, by its fixtures or the name of its case; empty for none."""
    if not REAL_TIME & set(item.keywords):
        return ""
    case = getattr(item, "callspec", None)
    names = [*getattr(item, "fixturenames", ()), *(case.params.values() if case else ())]
    for server, beginnings in SERVERS.items():
        if any(isinstance(name, str) and name.startswith(beginnings) for name in names):
            return server
    return ""
