"""A queue, a function and one mapping's real runtime between them, watched at every turn of the event loop.

A `Life` is one process: what it does to the service ends when it dies, while the service and its messages live on.
"""

import asyncio
import json
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

from poller.aws.port import Operation, Reply, ReservedBytes
from poller.configuration.model.functions import FunctionConfig
from poller.configuration.model.mapping import EventSourceMapping, ScalingConfig
from poller.engine.parts import Wiring
from poller.functions.lambda_api.options import LambdaOptions
from poller.ports.status import MappingStatus
from poller.sources.kinds import parse_source
from tests.fakes.aws import FakeAws
from tests.fakes.lambda_service import Answer, batch_item_failures, function_error
from tests.fakes.queue import FakeQueue, loop_time
from tests.journeys.run import Run
from tests.virtual_time import VirtualTimeLoop

if TYPE_CHECKING:
    from collections.abc import Callable

FUNCTION = "fn"


class WatchedLoop(VirtualTimeLoop):
    """Calls `watcher` after each of its turns."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = 0
        self.watcher: Callable[[], None] = lambda: None

    def _run_once(self) -> None:
        super()._run_once()  # type: ignore[misc]
        self.turns += 1
        self.watcher()


def watched_loop() -> WatchedLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WatchedLoop)
    return loop


class Plan:
    """The function fails each message so often, alone or with its whole batch."""

    def __init__(self, chance: random.Random, *, partial: bool, most: int = 2) -> None:
        self.partial = partial
        self._chance = chance
        self._most = most
        self._failures: dict[str, int] = {}
        self.in_order = False
        """Name with a failed message the later ones of its group, as a function for a FIFO queue should."""

    def __call__(self, event: dict[str, Any]) -> Answer | None:
        failed, stopped = [], set()
        for record in event["Records"]:
            identifier, group = record["messageId"], record["attributes"].get("MessageGroupId")
            left = self._failures.setdefault(identifier, self._chance.randint(0, self._most))
            if left:
                self._failures[identifier] = left - 1
            if left or (self.in_order and group in stopped):
                failed.append(identifier)
                stopped.add(group)
        if not failed:
            return None
        return batch_item_failures(*failed) if self.partial else function_error()


class World:
    """The service's side, and what was seen of all lives together."""

    def __init__(
        self,
        *,
        seed: int = 0,
        fifo: bool = False,
        visibility: int = 30,
        max_receive_count: int = 1000,
        latency: float = 0.01,
    ) -> None:
        self.aws = FakeAws(seed=seed)
        self.aws.latency = latency
        suffix = ".fifo" if fifo else ""
        self.dead_letters = self.aws.queue("dlq" + suffix)
        self.queue: FakeQueue = self.aws.queue(
            "q" + suffix,
            visibility_timeout=visibility,
            dead_letter_queue=self.dead_letters,
            max_receive_count=max_receive_count,
            disorder=not fifo,
        )
        self.unmatched: FakeQueue = self.aws.queue("unmatched" + suffix, visibility_timeout=visibility)
        self.function = self.aws.function(FUNCTION)
        self.skipped: set[str] = set()
        """Ids of messages that match no filter."""
        self.lives: list[Run] = []
        self.calls: Counter[int] = Counter()
        """By second, of all lives."""
        self.breaches: list[str] = []
        loop = asyncio.get_running_loop()
        if isinstance(loop, WatchedLoop):
            loop.watcher = self.watch

    def send(self, number: int, *, wanted: bool = True, group: str | None = None) -> str:
        """One message. Of those not wanted, some are not even JSON."""
        body = json.dumps({"n": number, "wanted": wanted}) if wanted or number % 2 else f"plain {number}"
        message_id = self.queue.send(body, group=group)
        if not wanted:
            self.skipped.add(message_id)
        return message_id

    def mapping(self, **parameters: Any) -> EventSourceMapping:
        concurrency = parameters.pop("function_concurrency", None)
        timeout = parameters.pop("function_timeout", 30)
        lanes = parameters.pop("lanes", 5)
        function = FunctionConfig(
            key=FUNCTION,
            type="lambda",
            options=LambdaOptions(function_name=FUNCTION),
            timeout_seconds=timeout,
            concurrency=concurrency,
        )
        return EventSourceMapping(
            name="m",
            uuid="u",
            event_source_arn=self.queue.arn,
            source=parse_source(self.queue.arn),
            function=function,
            scaling_config=ScalingConfig(maximum_concurrency=lanes),
            **parameters,
        )

    def watch(self) -> None:
        """What must hold at any moment."""
        for life in self.lives:
            life.watch()
            missing = life.status.account.unaccounted(life.status.in_flight())
            if missing:
                self.breaches.append(f"{missing} unaccounted at {loop_time():.3f} s")

    async def until_empty(self, within: float) -> None:
        """Until no message is left, in the queue or in flight; `within` seconds."""
        async with asyncio.timeout(within):
            while self.queue.messages:  # noqa: ASYNC110 - virtual time; the queue tells nobody
                await asyncio.sleep(1)

    def check(self) -> None:
        """At the end of a story in which everything was delivered."""
        ledger = self.aws.ledger
        assert self.breaches[:3] == []
        assert ledger.lost() == self.skipped
        assert ledger.deleted_unproved() == self.skipped
        assert [message_id for message_id in self.skipped if ledger[message_id].invoked] == []
        assert not self.dead_letters.messages
        assert ledger.remaining() == set(self.unmatched.messages)

    def check_unmatched(self) -> None:
        """What matched no filter is in the other queue, each group in its order."""
        sent = [entry for entry in self.aws.ledger.entries.values() if entry.message_id in self.skipped]
        arrived = list(self.unmatched.messages.values())
        assert {message.body for message in arrived} == {entry.body for entry in sent}
        for group in {entry.group for entry in sent if entry.group is not None}:
            order = [message.body for message in arrived if message.group == group]
            assert order == [entry.body for entry in sent if entry.group == group]

    def check_groups(self, *, kept_by_us: bool = False) -> None:
        """FIFO: each group in the order it was sent, and never two invocations of it at once.

        `kept_by_us`: the function goes on behind a failed message, and it is the mapping that keeps the later ones of
        its group. Deletes tell whether it did.
        """
        assert self.function.invocations.group_peak.total() == len(self.function.invocations.group_peak)
        order: dict[str, list[str]] = {}
        for entry in self.aws.ledger.entries.values():
            if entry.queue == self.queue.name and entry.message_id not in self.skipped:
                order.setdefault(str(entry.group), []).append(entry.message_id)
        if not kept_by_us:
            assert self.function.invocations.order_of_groups() == order
        ledger = self.aws.ledger
        for group in order.values():
            for index, message_id in enumerate(group):
                deleted = ledger[message_id].deletes[0]
                assert all(ledger[earlier].proved[0] <= deleted for earlier in group[:index])


class Life(Run):
    """With what its calls cost the queue."""

    def __init__(
        self, world: World, mapping: EventSourceMapping, *, wiring: Wiring | None = None, **settings: Any
    ) -> None:
        """`wiring` of another life makes it a second mapping of the same process; `settings` are those of its own."""
        status = MappingStatus("m", "u", mapping.event_source_arn, FUNCTION)
        super().__init__(world, mapping, wiring or Wiring(self, 1 << 30, **settings), status)  # type: ignore[arg-type]

    async def call(
        self,
        operation: Operation,
        body: bytes,
        timeout: float | None = None,  # noqa: ASYNC109
        *,
        trace: str | None = None,
        room: ReservedBytes | None = None,
    ) -> Reply:
        self.world.calls[int(loop_time())] += 1
        if self.dead:
            await asyncio.get_running_loop().create_future()
        return await self.world.aws.call(operation, body, timeout, trace=trace, room=room)
