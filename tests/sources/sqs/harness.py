"""One queue's partition on the fake AWS, with the mapping's parts around it that a source knows."""

import asyncio
from collections import OrderedDict
from math import inf
from typing import Any, cast

from poller.policy.filtering import compile_filters
from poller.policy.pace import Pace
from poller.policy.queue_delivery import RetryPolicy
from poller.ports.status import MappingState, MappingStatus
from poller.runtime.admission import Admission
from poller.runtime.memory import Memory
from poller.runtime.running import Running
from poller.runtime.stop import Stop
from poller.sources.sqs.options import SqsOptions
from poller.sources.sqs.queue import Queue, QueueName
from poller.sources.sqs.skipping import SqsFiltering
from poller.sources.sqs.source import SqsPartition
from poller.support.rate_limited_log import RateLimitedLog
from tests.fakes.aws import FakeAws
from tests.fakes.recording import EventLog, RecordingTransport
from tests.policy.filtering.kinds import SQS_RECORDS
from tests.virtual_time import EPOCH

SEND = "SendMessageBatch"
RECEIVE, DELETE, CHANGE = "ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"
ATTRIBUTES = "GetQueueAttributes"


def half():
    return 0.5


class BrokenFilter:
    """An error of ours in the middle of what a receive brought."""

    needs_view = False

    @staticmethod
    def match(view, body):
        raise ZeroDivisionError(body)


class Harness:
    """`async with harness.partition` polls the queue `q`; lanes are used by hand."""

    def __init__(
        self,
        *,
        name="q",
        lanes=5,
        most=100,
        memory=1 << 30,
        aws=None,
        options=None,
        patterns=(),
        criteria=None,
        target=None,
        **queue,
    ):
        """`patterns` are filters, `criteria` one that is made already; `target` is the name of the queue that gets what none of them matches."""
        self.aws = aws or FakeAws()
        self.queue = self.aws.queues.get(name) or self.aws.queue(name, **queue)
        self.transport = RecordingTransport(self.aws)
        self.log = cast("Any", EventLog())
        self.stop = Stop()
        self.status = MappingStatus("m", "u", self.queue.arn, "f", state=MappingState.RUNNING)
        self.pace = Pace(lanes, most)
        self.memory = Memory(memory)
        self.admission = Admission(self.stop, self.pace, self.memory, self.status, half)
        self.target = None if target is None else self.aws.queue(target)
        self.undeleted: OrderedDict[str, bool] = OrderedDict()
        """Ids of messages that were delivered and are not yet deleted."""
        self.partition = SqsPartition(
            self._name_of(self.queue),
            self.transport,
            admission=self.admission,
            status=self.status,
            options=options or SqsOptions(),
            policy=RetryPolicy(),
            chance=half,
            log=RateLimitedLog(self.log),
            wall=lambda: EPOCH + asyncio.get_running_loop().time(),
            filtering=self._filtering(patterns, criteria) if patterns or criteria else None,
            undeleted=self.undeleted,
        )
        self.status.run = Running(self.partition, self.admission)

    def deletes(self) -> list[int]:
        """How many messages each call deleted."""
        return [len(call.entries) for call in self.transport.of(DELETE)]

    def _filtering(self, patterns, criteria):
        send_to = None if self.target is None else Queue(self._name_of(self.target), self.transport)
        return SqsFiltering(criteria or compile_filters(patterns, SQS_RECORDS), send_to)

    @staticmethod
    def _name_of(queue):
        return QueueName(queue.arn, queue.url, "eu-west-1", queue.fifo)

    def send(self, count=1, **parameters):
        return [self.queue.send(f"{number}", **parameters) for number in range(count)]

    @property
    def account(self):
        return self.status.account

    @property
    def in_flight(self):
        return self.status.in_flight()

    def unaccounted(self):
        return self.account.unaccounted(self.in_flight)

    def settle(self, lane, records):
        """As the lane's loop does: what is handed over is counted in the same step."""
        lane.settle(records)
        self.account.delivered += len(records)

    def release(self, lane, records, *, failed):
        lane.release(records, failed=failed)
        self.account.returned += len(records)


async def take(lane, limit=10, wait=inf, *, gathering=False):
    """The records of one page."""
    return (await lane.receive(limit, wait, gathering=gathering)).records


async def settled(lane):
    """One wait until the lane may go on; returns the reason of a failed try."""
    waiting = lane.ready()
    return None if waiting is None else await waiting
