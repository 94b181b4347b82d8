"""A lane by itself: pages in, what it settled and released out. No source, no service."""

import asyncio
import json
from math import inf
from typing import Any, cast

from poller.policy.batching import BatchLimits
from poller.policy.pace import Pace
from poller.policy.queue_delivery import QueueDelivery, RetryPolicy
from poller.ports.status import MappingStatus
from poller.runtime.admission import Admission
from poller.runtime.context import LaneContext
from poller.runtime.memory import Memory
from poller.runtime.slots import Slots
from poller.runtime.stop import Stop
from poller.support.rate_limited_log import RateLimitedLog
from poller.values.errors import SourceUnavailable
from poller.values.record import EMPTY_PAGE, Page, Record
from tests.fakes.function import ScriptedFunction
from tests.fakes.recording import EventLog


def half():
    return 0.5


def records(count, group=None, start=0, body="x"):
    return [Record({"body": body}, str(number), group) for number in range(start, start + count)]


class FakeLane:
    """Gives its pages in turn, records or as they are, then nothing until a stop. Remembers what became of the records."""

    ended = False

    def __init__(self, *pages, stop, hold=3600.0):
        self.pages = list(pages)
        self.settled, self.released, self.asked = [], [], []
        self.batches = []
        self.unsettled = asyncio.Event()
        self.unsettled.set()
        self._hold = hold
        self.policy = RetryPolicy()
        self._stop = stop

    async def receive(self, limit, wait, *, gathering):
        self.asked.append((limit, wait, gathering))
        if self.pages:
            page = self.pages.pop(0)
            if isinstance(page, BaseException):
                raise page
            if isinstance(page, Page):
                return page
            return Page(page, sum(len(record.item["body"]) + 100 for record in page))
        if wait == inf:
            await self._stop.wait(1e9)
        else:
            await self._stop.wait(wait)
        return EMPTY_PAGE

    def unread(self, page):
        self.pages.insert(0, list(page.records))

    def key(self, record: Record) -> str:
        return record.key or ""

    def encode(self, found):
        return json.dumps(
            {"Records": [{"messageId": one.identifier, "attributes": {}, **one.item} for one in found]}
        ).encode()

    def trace(self, found):
        return None

    def traceparents(self, found):
        return set()

    async def unfinished(self):
        return None

    def delivery(self, found):
        self.batches.append([one.identifier for one in found])
        return QueueDelivery(found, self.policy, self._hold)

    def keep(self):
        return None

    async def notify(self, discarded):
        raise AssertionError(f"nothing is given up here: {discarded}")

    def settle(self, found):
        self.settled += [one.identifier for one in found]

    def release(self, found, *, failed):
        self.released += [(one.identifier, failed) for one in found]

    async def all_settled(self):
        await self.unsettled.wait()

    async def ready(self):
        await self.unsettled.wait()


class Runtime:
    def __init__(self, *script, otherwise=None, limits=None, policy=None, slots=None, lanes=5, **function):
        self.stop = Stop()
        self.log = cast("Any", EventLog())
        self.status = MappingStatus("m", "u", "arn", "f")
        self.pace = Pace(lanes, 100)
        self.memory = Memory(1 << 20)
        self.admission = Admission(self.stop, self.pace, self.memory, self.status, half)
        self.function = cast("Any", ScriptedFunction(*script, otherwise=otherwise, **function))
        self.policy = policy or RetryPolicy()
        self.context = LaneContext(
            function=self.function,
            slots=slots or Slots(None),
            limits=limits or BatchLimits(10),
            report_batch_item_failures=self.policy.report_batch_item_failures,
            admission=self.admission,
            stop=self.stop,
            status=self.status,
            chance=half,
            log=RateLimitedLog(self.log),
        )

    @property
    def account(self):
        return self.status.account


class FakePartition:
    """`lanes` are given out in turn, then quiet ones; `entering` what each entry raises, None for nothing."""

    fixed_lanes = None
    permit = None
    finished = False

    def behind(self):
        return None

    def unanswered_since(self, now):
        return None

    def __init__(self, runtime, *lanes, entering=()):
        self.name = "p"
        self.stop = runtime.admission.partition_stop()
        self.entered, self.left = [], []
        self._runtime = runtime
        self._lanes = list(lanes)
        self._entering = list(entering)

    async def __aenter__(self):
        self.entered.append(asyncio.get_running_loop().time())
        problem = self._entering.pop(0) if self._entering else None
        if problem is not None:
            raise problem
        return self

    async def __aexit__(self, kind, *rest):
        self.left.append(kind)

    def lane(self):
        return self._lanes.pop(0) if self._lanes else FakeLane(stop=self._runtime.stop)

    async def partitions(self):
        yield self


def unavailable(code):
    return SourceUnavailable(code, f"it is {code}")
