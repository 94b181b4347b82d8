"""`poller check --connect`: reaches every source, function and destination, and reports what stands in the way.

It receives, sends and changes nothing, and invokes nothing unless `--try-functions` asks for it. Targets are reached
together, within bounds, and each has a row. A row also names what could not be tried without a trace.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import structlog
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from poller.aws.transports import Transports
from poller.cli.connect.destinations import reach_destination
from poller.cli.connect.functions import Reach, reach_function, try_function
from poller.cli.connect.tries import Tries
from poller.cli.output import console, table
from poller.cli.permissions import principal_of
from poller.configuration import Configuration
from poller.sources.kind import Shared
from poller.sources.kinds import KINDS
from poller.sources.sharded.limits import ReadLimits
from poller.state.memory.store import MemoryStore
from poller.support.printable import say

AT_ONCE = 50
"""Targets reached at the same time."""
SECONDS = 20.0
"""Seconds for all calls to one target."""


@dataclass(slots=True)
class Target:
    """A source, function or destination to reach."""

    what: str
    name: str
    reach: Callable[[Tries], Awaitable[None]]
    tries: Tries


def show(configuration: Configuration, *, run_functions: bool = False) -> bool:
    """Print a row for each target, and return whether nothing stands in the way."""
    targets = asyncio.run(reach_all(configuration, reach=try_function if run_functions else reach_function))
    if targets:
        console().print(_table(targets))
    wrong = sum(1 for target in targets if not target.tries.ok)
    summary = f"{len(targets)} reached" if not wrong else f"{wrong} of {len(targets)} not as they should be"
    say(f"sources, functions and destinations: {summary}")
    return not wrong


async def reach_all(
    configuration: Configuration, transports: Transports | None = None, reach: Reach = reach_function
) -> list[Target]:
    """Reach every target. `transports` replace those that the configuration asks for."""
    quiet = structlog.wrap_logger(
        structlog.ReturnLogger(), wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
    )
    shared = transports or Transports(quiet)
    targets = list(_targets(configuration, shared, reach))
    room = asyncio.Semaphore(AT_ONCE)
    errors = Console(stderr=True)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(shared.close)
        progress = stack.enter_context(Progress(console=errors, transient=True, disable=not errors.is_terminal))
        bar = progress.add_task("reaching", total=len(targets))
        async with asyncio.TaskGroup() as group:
            for target in targets:
                task = group.create_task(_reach(target, room))
                task.add_done_callback(lambda _: progress.advance(bar))
    return targets


async def _reach(target: Target, room: asyncio.Semaphore) -> None:
    async with room:
        try:
            async with asyncio.timeout(SECONDS):
                await target.reach(target.tries)
        except TimeoutError:
            target.tries.blocked("unreachable", f"no answer within {SECONDS:g} s")


def _targets(configuration: Configuration, transports: Transports, reach: Reach) -> Iterator[Target]:
    """Each target once, however many mappings use it, in the order of the file."""
    shared = Shared(MemoryStore(), (), ReadLimits())
    known: set[Hashable] = set()

    def new(*key: Hashable) -> bool:
        fresh = key not in known
        known.add(key)
        return fresh

    for mapping in configuration.mappings:
        who = principal_of(mapping.aws)
        if new("source", mapping.event_source_arn, mapping.document_db, mapping.mongodb_uri, mapping.aws):
            yield Target(
                "source",
                mapping.event_source_arn,
                partial(KINDS[mapping.source.kind].builder(shared).reach, mapping, transports),
                Tries(who),
            )
        for function in mapping.functions:
            if new("function", function, function.region or mapping.region):
                yield Target(
                    "function",
                    function.key,
                    partial(reach, function, mapping.region, transports),
                    Tries(principal_of(function.aws)),
                )
        for arn in mapping.destinations:
            if new("destination", arn, mapping.aws):
                yield Target(
                    "destination",
                    arn,
                    partial(reach_destination, mapping, arn, transports),
                    Tries(who),
                )


def _table(targets: list[Target]) -> Table:
    shown = table("what", "target", "answer", "")
    for target in targets:
        shown.add_row(target.what, target.name, target.tries.answer, "\n".join(target.tries.lines()))
    return shown
