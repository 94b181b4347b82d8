"""The course of the demo: set up, produce, drain, stop, account."""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.syntax import Syntax

from poller.demo import local_aws, mapping, shop, summary
from poller.demo.account import Facts, StreamFacts, exit_code
from poller.demo.functions import COUNTER, FUNCTION, ledger_of
from poller.demo.ledger import Ledger, Tail
from poller.demo.mapping import Daemon
from poller.demo.picture import Picture, StreamPicture
from poller.demo.screen import Screen, screen
from poller.demo.shop import QUEUE, Depth, Shop
from poller.demo.streams import Feed

PRODUCING = "producing"
STEP_SECONDS = 0.125
"""Seconds between two pictures."""
DEEPEST = 300
"""Messages in the queue above which no orders are produced, because MiniStack searches the whole queue at every
receive."""
PATIENCE_SECONDS = 30.0
"""Seconds without progress after which the rest of the queue is given up."""


async def play(console: Console, seconds: int, messages: int) -> int:
    """Produce up to `messages` orders within `seconds`. The exit code tells whether all are accounted for. Raises
    EnvironmentProblem when a part of the demo cannot run here.
    """
    # a function that is killed at the end may still be writing
    with tempfile.TemporaryDirectory(prefix="poller-demo-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        console.print("starting a local AWS …", style="dim")
        async with local_aws.started(folder / "aws") as url, shop.opened(url, folder) as (counter, feeds):
            config = folder / "poller.yaml"
            config.write_text(mapping.configuration(url, feeds, folder), encoding="utf-8")
            with mapping.running(folder / "poller", config) as daemon:
                await daemon.ready()
                _introduce(console, config, daemon)
                course = Course(counter, feeds, daemon, folder=folder, seconds=seconds, messages=messages)
                with screen(console, seconds) as shown:
                    facts = await course.run(shown)
    console.print(summary.render(facts))
    code = exit_code(facts)
    if code and daemon.complaints:
        console.print()
        console.print("the last complaints of poller:", *daemon.complaints, sep="\n  ", soft_wrap=True)
    return code


def _introduce(console: Console, config: Path, daemon: Daemon) -> None:
    yaml = Syntax(config.read_text(encoding="utf-8").rstrip(), "yaml", background_color="default", word_wrap=True)
    console.print(Panel.fit(yaml, title="poller run --config poller.yaml", title_align="left", border_style="dim"))
    console.print(f"from another terminal: poller status --watch --api {daemon.address}", style="dim")
    console.print()


class Book:
    """The ledger of one function, as it grows."""

    def __init__(self, folder: Path, function: str) -> None:
        self._lines = Tail(ledger_of(folder, function))
        self.ledger = Ledger()

    def read(self) -> Ledger:
        """Read what was written since the last call."""
        for line in self._lines.lines():
            self.ledger.add(line)
        return self.ledger


class Course:
    """One run, from the first order to the account."""

    def __init__(
        self, counter: Shop, feeds: list[Feed], daemon: Daemon, *, folder: Path, seconds: int, messages: int
    ) -> None:
        self._shop = counter
        self._feeds = [(feed, Book(folder, COUNTER + feed.name)) for feed in feeds]
        self._daemon = daemon
        self._book = Book(folder, FUNCTION)
        self._seconds = seconds
        self._messages = messages
        self._started = time.monotonic()
        self._depth = Depth()
        self._mappings: dict[str, dict[str, Any]] = {}

    async def run(self, shown: Screen) -> Facts:
        """Produce, wait until the queue is empty, stop the daemon, and collect all counts."""
        while self._producing and self._daemon.exit_code is None:
            due = min(self._messages, int(self._messages * self._elapsed / self._seconds))
            room = max(0, DEEPEST - self._depth.left)
            await self._shop.order(min(due, len(self._shop.produced) + room))
            for feed, _ in self._feeds:
                await feed.produce(len(self._shop.produced))
            await self._step(shown, PRODUCING)
        await self._drain(shown)
        ended_with = await self._daemon.stop()
        shown.show(await self._look("stopped"))
        return Facts(
            produced=self._shop.produced,
            ledger=self._book.ledger,
            dead=await self._shop.dead_letters(),
            left=self._depth.left,
            daemon=self._daemon.accounts.get(QUEUE),
            exit_code=ended_with,
            streams=[
                StreamFacts(
                    name=feed.name,
                    produced=feed.produced,
                    ledger=book.ledger,
                    given_up=await feed.given_up(),
                    daemon=self._daemon.accounts.get(feed.name),
                )
                for feed, book in self._feeds
            ],
        )

    async def _drain(self, shown: Screen) -> None:
        progress, since = None, time.monotonic()
        while self._daemon.exit_code is None:
            picture = await self._step(shown, "draining")
            if not self._depth.left and not picture.in_flight and not any(one.left for one in picture.streams):
                return
            now = (picture.batches, self._depth.dead, picture.streams)
            if now != progress:
                progress, since = now, time.monotonic()
            elif time.monotonic() - since > PATIENCE_SECONDS:
                return

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    @property
    def _producing(self) -> bool:
        return len(self._shop.produced) < self._messages and self._elapsed < self._seconds + STEP_SECONDS

    async def _step(self, shown: Screen, phase: str) -> Picture:
        begun = time.monotonic()
        picture = await self._look(phase)
        shown.show(picture)
        await asyncio.sleep(max(0.0, begun + STEP_SECONDS - time.monotonic()))
        return picture

    async def _look(self, phase: str) -> Picture:
        self._depth = await self._shop.depth()
        # after its stop, its last words count
        self._mappings = await self._daemon.status() or self._mappings
        self._daemon.read_log()
        ledger = self._book.read()
        return Picture(
            elapsed=self._elapsed,
            phase=phase,
            planned=self._messages if phase == PRODUCING else len(self._shop.produced),
            produced=len(self._shop.produced),
            shipped=len(ledger.shipped),
            batches=ledger.batches,
            depth=self._depth,
            mapping=self._mappings.get(QUEUE),
            events=tuple(self._daemon.events),
            streams=tuple(self._look_at(feed, book.read()) for feed, book in self._feeds),
        )

    def _look_at(self, feed: Feed, ledger: Ledger) -> StreamPicture:
        return StreamPicture(
            name=feed.name,
            service=feed.service,
            produced=len(feed.produced),
            delivered=len(ledger.shipped),
            failed=ledger.crashed,
            mapping=self._mappings.get(feed.name),
        )
