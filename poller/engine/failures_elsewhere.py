"""Asks the other members of the fleet what their functions failed of, and answers when they ask."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace

from poller.engine.fleet.requests import Json, Requests
from poller.policy.failures_merged import LONGEST_NAME
from poller.policy.failures_told import Of, read, said
from poller.ports.failures_elsewhere import FailuresElsewhere
from poller.ports.status import MappingStatus
from poller.values.errors import NotPossible
from poller.values.texts import clean

ANSWER_SECONDS = 4.5
"""For the answers: a person waits for them, and the parent of several workers waits no longer than 5 s for one."""
GOOD_SECONDS = 10.0
"""For which a screen shows the same answers: it is made once a second."""
ABOUT = "failures"


class AskedFailures:
    """What one member knows of the others. Several who want to know at once ask once."""

    def __init__(
        self,
        requests: Requests,
        member: str,
        process: str | None,
        statuses: Callable[[], Iterable[MappingStatus]],
        wall: Callable[[], float],
    ) -> None:
        """`process` names this process among several workers, whose failures the parent puts together."""
        self._requests = requests
        self._process = process
        self._statuses = statuses
        self._wall = wall
        self._known = FailuresElsewhere(member, asking=True)
        self._until = 0.0
        self._asking: asyncio.Task[None] | None = None

    async def now(self) -> FailuresElsewhere:
        """Ask the others, and wait for what they answer."""
        await asyncio.shield(self._task())
        return self._known

    def lately(self) -> FailuresElsewhere:
        """What they answered last; they are asked again beside that, where it is old."""
        if asyncio.get_running_loop().time() >= self._until:
            self._task()
        return self._known

    def _task(self) -> "asyncio.Task[None]":
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask(), name="failures of the fleet")
        return self._asking

    async def _ask(self) -> None:
        of = self._requests.strangers(self._process)
        answers: Json = {}
        if of:
            try:
                async with asyncio.timeout(ANSWER_SECONDS), self._requests.ask({ABOUT: True}, of) as request:
                    try:
                        await request.answered(ANSWER_SECONDS)
                    finally:
                        answers = dict(request.answers)
            except (TimeoutError, NotPossible):
                # those without an answer are named
                pass
        wall, names = self._wall(), {member: clean(self._requests.names([member])[0], LONGEST_NAME) for member in of}
        found = [(name, read(answers.get(member), wall)) for member, name in names.items()]
        told = [(name, one) for name, one in found if one is not None]
        silent = sorted(name for name, one in found if one is None)
        self._known = replace(self._known, told=told, silent=silent, asking=False)
        self._until = asyncio.get_running_loop().time() + GOOD_SECONDS

    def answer(self) -> Json:
        """What another member is told."""
        offset = self._wall() - asyncio.get_running_loop().time()
        found = [
            (Of(status.uuid, status.name, status.function), group)
            for status in self._statuses()
            for group in status.failures.newest_first()
        ]
        return said(found, lambda at: offset + at)

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})
