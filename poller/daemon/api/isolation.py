"""Isolates mappings from each other: an error in one mapping's status hides no other mapping.

A mapping answers such questions with the code of its source, which reads what a service sent. An error there is a bug,
and belongs to that mapping alone: the others are shown, and the daemon stays as healthy as it is.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from poller.ports.status import MappingStatus
from poller.support import telemetry
from poller.support.rate_limited_log import RateLimitedLog

T = TypeVar("T")
LOOKS_AT_ONCE = 50
"""Mappings that ask their sources at a time."""
LOOK_SECONDS = 2.5
"""For all of them together: a person waits, and the rest of the status is worth seeing without."""


class Isolation:
    """Calls the status functions of mappings, and logs each mapping's errors, rate-limited."""

    def __init__(self) -> None:
        self._logs: dict[str, RateLimitedLog] = {}

    def ask(self, mapping: MappingStatus, question: Callable[[], T], otherwise: Callable[[str], T]) -> T:
        """The answer, or `otherwise` called with the error's text."""
        answers: list[T] = []
        with self._only(mapping) as failed:
            answers.append(question())
        return answers[0] if answers else otherwise(failed[0])

    @contextmanager
    def _only(self, mapping: MappingStatus) -> Iterator[list[str]]:
        """A block of code for one mapping. It catches every error; afterwards the list has its text."""
        failed: list[str] = []
        try:
            yield failed
        except Exception as error:  # noqa: BLE001  (the boundary this module is for)
            failed.append(f"{type(error).__name__}: {error}")
            log = self._logs.setdefault(mapping.uuid, RateLimitedLog(telemetry.logger(mapping=mapping.name)))
            log.repeating("status_not_told", asyncio.get_running_loop().time(), problem=failed[0], exc_info=error)

    def sample(self, mappings: Iterable[MappingStatus], now: float) -> None:
        """Each mapping's `sample`."""
        for mapping in mappings:
            self.ask(mapping, lambda mapping=mapping: mapping.sample(now), lambda _text: None)  # type: ignore[misc]

    async def look(self, mappings: Iterable[MappingStatus], max_age: float) -> None:
        """Let the mappings ask their sources what is known for longer than `max_age`, as far as time allows."""
        waiting = iter(list(mappings))

        async def work() -> None:
            for mapping in waiting:
                with self._only(mapping):
                    await mapping.look(max_age)

        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await asyncio.gather(*(work() for _ in range(LOOKS_AT_ONCE)))
        except TimeoutError:
            return
