"""Builds the source of a queue from its mapping, and reaches queues for `poller check --connect`."""

import asyncio
from collections import OrderedDict
from typing import cast

from poller.aws.transports import Borrowed, Transports
from poller.configuration.model.mapping import EventSourceMapping
from poller.policy.beside import Which
from poller.policy.queue_delivery import RetryPolicy
from poller.ports.reach import Tries
from poller.sources.kind import Run
from poller.sources.sqs.beside import QueueBeside
from poller.sources.sqs.envelopes import opener
from poller.sources.sqs.options import SqsOptions
from poller.sources.sqs.parameters import read_queue
from poller.sources.sqs.queue import Queue, QueueName
from poller.sources.sqs.skipping import SqsFiltering
from poller.sources.sqs.source import SqsPartition, SqsSource
from poller.support import codec
from poller.values.arns import EventSource
from poller.values.errors import CallError, NotPossible
from poller.values.queues import queue_url

DEAD_LETTERS_SECONDS = 10.0
"""For the question where they are."""
NO_MESSAGES_HANDLE = "poller-check"
"""A receipt handle of no message: a call with it changes nothing."""


class QueueBuilder:
    """Builds queues."""

    def __init__(self) -> None:
        self.undeleted: dict[str, OrderedDict[str, bool]] = {}
        """By the mapping's uuid: messages that were delivered but not deleted; its next run deletes them."""

    async def source(self, mapping: EventSourceMapping, run: Run) -> SqsSource:
        """The source of one mapping. Makes no call."""
        partition = SqsPartition(
            queue_name(mapping, mapping.source),
            await run.transports.get(mapping.aws, mapping.region),
            admission=run.admission,
            status=run.status,
            options=SqsOptions(
                mapping.maximum_hold_seconds,
                mapping.failure_visibility_timeout_seconds,
                mapping.receive_wait_seconds,
                None if mapping.unwrap is None else opener(mapping.unwrap, run.function_arn),
            ),
            policy=RetryPolicy(mapping.report_batch_item_failures, mapping.fifo_stop_at_first_failure),
            chance=run.chance,
            log=run.log,
            wall=run.wall,
            filtering=await _filtering(mapping, run.transports),
            undeleted=self.undeleted.setdefault(mapping.uuid, OrderedDict()),
        )
        return SqsSource(partition)

    async def reach(self, mapping: EventSourceMapping, transports: Borrowed | Transports, tries: Tries) -> None:
        """Every call but the receive, on no message."""
        queue = Queue(queue_name(mapping, mapping.source), await transports.get(mapping.aws, mapping.region))
        await tries.attempt("sqs:GetQueueAttributes", queue.attributes)
        await tries.attempt("sqs:DeleteMessage", lambda: queue.delete([NO_MESSAGES_HANDLE]))
        await tries.attempt("sqs:ChangeMessageVisibility", lambda: queue.change_visibility([(NO_MESSAGES_HANDLE, 0)]))
        tries.untried.append("sqs:ReceiveMessage (each receive is counted against the message)")

    async def beside(
        self, mapping: EventSourceMapping, transports: Borrowed | Transports, which: Which, visibility: int
    ) -> QueueBeside:
        """See `ReadsBeside`."""
        own = queue_name(mapping, mapping.source)
        queue = Queue(own, await transports.get(mapping.aws, mapping.region))
        if which == "dead_letters":
            try:
                async with asyncio.timeout(DEAD_LETTERS_SECONDS):
                    arn = await queue.dead_letters()
            except (CallError, TimeoutError) as error:
                raise NotPossible(f"the queue does not say where its dead letters are: {error}") from error
            found = None if arn is None else read_queue(arn)
            if found is None:
                raise NotPossible("the queue has no dead-letter queue")
            region = mapping.aws.region_of(found.service, found.region) or found.region
            queue = Queue(queue_name(mapping, found), await transports.get(mapping.aws, region))
        return QueueBeside(
            queue, own, visibility, mapping.criteria(codec.fast_loads) if mapping.filter_criteria else None
        )

    def forget(self, uuid: str) -> None:
        """The mapping was removed, and has ended."""
        self.undeleted.pop(uuid, None)


async def _filtering(mapping: EventSourceMapping, transports: Borrowed | Transports) -> SqsFiltering | None:
    if not mapping.filter_criteria:
        return None
    send_to = None
    if mapping.on_no_match is not None:
        # the configuration has checked that it is one
        target = cast("EventSource", read_queue(mapping.on_no_match))
        region = mapping.aws.region_of(target.service, target.region) or target.region
        send_to = Queue(queue_name(mapping, target), await transports.get(mapping.aws, region))
    return SqsFiltering(mapping.criteria(codec.fast_loads), send_to)


def queue_name(mapping: EventSourceMapping, queue: EventSource) -> QueueName:
    """A queue that the mapping calls, in all the forms calls need."""
    return QueueName(queue.arn, queue_url(queue.arn, mapping.endpoint_url), queue.region, queue.fifo)
