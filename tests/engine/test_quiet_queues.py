"""A quiet queue is polled by one daemon of a fleet, and never depends on that one: whatever befalls it, others poll."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import pytest

from poller.aws.port import Reply
from poller.ports.status import ReasonCode
from poller.state.memory.fleet import MemoryFleet, Rows
from poller.values.errors import AnswerLost, ServiceError, StateError
from tests.engine.house import House, Lent, living
from tests.fakes.aws import FakeAws
from tests.fakes.queue import loop_time

DAEMONS = 3
MESSAGES, LANES = 30, 5
LEASE_SECONDS = 15.0
SETTLED_SECONDS = 90.0
"""After which one polls, and the others rest."""


class Link(MemoryFleet):
    """One daemon's connection to rows that tell nobody of a change."""

    broken = False

    def __init__(self, rows: Rows, thawed: asyncio.Event) -> None:
        super().__init__(rows)
        self._thawed = thawed

    def listen(self, wake: Callable[[], None], told: Callable[[], None]) -> None:
        """Only beats tell."""

    async def members(self) -> Any:
        await self._way()
        return await super().members()

    async def beat(self, *given: Any, **named: Any) -> Any:
        await self._way()
        return await super().beat(*given, **named)

    async def _way(self) -> None:
        await self._thawed.wait()
        if self.broken:
            raise StateError("the store is away")


class Host:
    """A daemon, and what is wrong on its machine alone."""

    def __init__(self, aws: FakeAws, rows: Rows) -> None:
        self.thawed = asyncio.Event()
        self.thawed.set()
        self.link = Link(rows, self.thawed)
        self.house = House(aws=aws, fleet=self.link)
        make: Any = partial(OfHost, self)
        self.house.local.make = make
        self.instead: dict[str, Callable[[], Any]] = {}
        """By operation, what happens instead of the call."""
        self.stack = AsyncExitStack()

    def mend(self) -> None:
        self.link.broken = False
        self.instead.clear()
        self.thawed.set()

    def polls(self) -> int:
        """Receives since the last call."""
        found = sum(len(lent.of("ReceiveMessage")) for lent in self.house.local.lent)
        for lent in self.house.local.lent:
            lent.requests.clear()
        return found


class OfHost(Lent):
    def __init__(self, host: Host, *given: Any) -> None:
        super().__init__(*given)
        self._host = host

    async def call(self, operation: Any, *given: Any, **named: Any) -> Reply:
        await self._host.thawed.wait()
        instead = self._host.instead.get(operation.name)
        if instead is not None:
            return await instead()
        reply = await super().call(operation, *given, **named)
        await self._host.thawed.wait()
        return reply


async def refused() -> Reply:
    raise ServiceError(403, "AccessDenied", "not from this machine")


async def failed() -> Reply:
    return Reply(200, {"x-amz-function-error": "Unhandled"}, b'{"errorMessage": "not on this machine"}')


async def hangs() -> Reply:
    # as long as the caller's own deadline is, at most
    await asyncio.sleep(30.0)
    raise AnswerLost("no answer in time")


async def breaks() -> Reply:
    raise RuntimeError("a bug, which ends the partition")


async def takes_long() -> Reply:
    await asyncio.sleep(250.0)
    return Reply(200, {}, b"null")


@asynccontextmanager
async def hosts(count=DAEMONS, **parameters):
    """Daemons of a fleet on one queue, of which one polls by now."""
    rows, aws = Rows(), FakeAws()
    async with AsyncExitStack() as all_of_them:
        found = [Host(aws, rows) for _ in range(count)]
        parameters = {"batch_size": 1, "scaling_config": None, **parameters}
        for host in found:
            mapping = host.house.mapping("a", function_timeout_seconds=300, **parameters)
            await host.stack.enter_async_context(living(mapping, house=host.house))
            all_of_them.push_async_callback(host.stack.aclose)
        await asyncio.sleep(SETTLED_SECONDS)
        yield aws, found
        for host in found:
            host.mend()


async def polled(found, seconds=200.0):
    for host in found:
        host.polls()
    await asyncio.sleep(seconds)
    return [host.polls() for host in found]


async def the_one_that_polls(found):
    polls = await polled(found, 60.0)
    assert sorted(polls) == [0, 0, 3]
    return found[polls.index(3)]


async def test_an_idle_fleet_costs_one_long_poll_and_those_that_rest_say_who_polls():
    async with hosts() as (_, found):
        assert sorted(await polled(found)) == [0, 0, 10]
        reasons = []
        for host in found:
            status = host.house.of("a")
            status.sample(loop_time())
            reasons += [] if status.reason is None else [status.reason]
        assert [reason.code for reason in reasons] == [ReasonCode.NOT_MINE] * 2
        assert all("another daemon of the fleet" in reason.text for reason in reasons)


async def test_all_daemons_poll_while_there_is_more_than_one_can_take():
    async with hosts() as (aws, found):
        aws.functions["fn"].delay = 1.0
        for number in range(600):
            found[0].house.queue("a").send(str(number))
        await asyncio.sleep(60.0)
        assert min(host.house.of("a").account.delivered for host in found) > 50
        assert sum(host.house.of("a").account.delivered for host in found) == 600
        await asyncio.sleep(SETTLED_SECONDS)
        assert sorted(await polled(found)) == [0, 0, 10]


async def test_a_trickle_is_no_reason_for_a_second_daemon_to_poll():
    async with hosts() as (_, found):
        one = await the_one_that_polls(found)
        for number in range(60):
            found[0].house.queue("a").send(str(number))
            await asyncio.sleep(1.0)
        assert one.house.of("a").account.delivered == 60


async def stops(host: Host) -> None:
    await host.stack.aclose()


async def is_frozen(host: Host) -> None:
    host.thawed.clear()


async def loses_the_store(host: Host) -> None:
    host.link.broken = True


def has(**instead: Callable[[], Any]) -> Callable[[Host], Any]:
    async def befalls(host: Host) -> None:
        host.instead |= instead

    return befalls


BEFALLS = {
    "it stops": stops,
    "it is frozen": is_frozen,
    "it loses the store": loses_the_store,
    "its function is refused": has(Invoke=refused),
    "its function fails": has(Invoke=failed),
    "its function hangs": has(Invoke=takes_long),
    "its lanes break": has(Invoke=breaks),
    "its receives are refused": has(ReceiveMessage=refused),
    "its receives hang": has(ReceiveMessage=hangs),
}


@pytest.mark.parametrize("what", BEFALLS)
async def test_others_poll_the_queue_when_something_befalls_the_one_that_did(what):
    async with hosts(batch_size=10) as (aws, found):
        host = await the_one_that_polls(found)
        await BEFALLS[what](host)
        queue = found[0].house.queue("a")
        for number in range(MESSAGES):
            queue.send(str(number))
            await asyncio.sleep(1.0)
        await asyncio.sleep(LEASE_SECONDS)
        delivered = {name for one in aws.functions["fn"].invocations.all for name in one.succeeded}
        # the lanes of that one may hold as many
        assert len(delivered) >= MESSAGES - LANES
        host.mend()
        await asyncio.sleep(400.0)
        assert queue.counts() == (0, 0, 0)


@pytest.mark.parametrize("what", [name for name in BEFALLS if "function" in name or "lanes" in name])
async def test_one_message_that_is_not_done_soon_has_the_others_poll(what):
    async with hosts() as (_, found):
        host = await the_one_that_polls(found)
        await BEFALLS[what](host)
        found[0].house.queue("a").send("not done")
        await asyncio.sleep(20.0)
        others = [one for one in found if one is not host]
        assert min(await polled(others, 25.0)) >= 1
        host.mend()


@pytest.mark.parametrize("what", [name for name in BEFALLS if "function" in name])
async def test_another_one_goes_on_polling_while_the_function_has_not_shown_that_it_works_again(what):
    async with hosts() as (_, found):
        host = await the_one_that_polls(found)
        await BEFALLS[what](host)
        found[0].house.queue("a").send("not done")
        await asyncio.sleep(45.0 + SETTLED_SECONDS)
        assert max(await polled([one for one in found if one is not host], 60.0)) >= 3
        host.mend()


async def test_every_daemon_polls_while_the_store_is_away_for_all():
    async with hosts() as (_, found):
        for host in found:
            host.link.broken = True
        await asyncio.sleep(LEASE_SECONDS)
        assert await polled(found, 100.0) == [5, 5, 5]


async def test_a_daemon_polls_what_another_one_attends_by_the_same_name_and_another_queue():
    async with hosts(1) as (aws, [one]):
        rows = one.link.rows
        other = Host(aws, rows)
        mapping = other.house.mapping("a", queue="elsewhere")
        async with living(mapping, house=other.house):
            await asyncio.sleep(SETTLED_SECONDS)
            assert await polled([one, other]) == [10, 10]
