"""A lane of a queue: it receives, delivers and settles one batch after the other."""

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from poller.policy.invocation_record import Discarded
from poller.policy.queue_delivery import QueueDelivery, RetryPolicy
from poller.ports.source import Unsettled
from poller.sources.sqs.event import trace_of
from poller.sources.sqs.message import traceparent_of
from poller.sources.sqs.receiving import Receiving
from poller.sources.sqs.settling import Handover, Settling
from poller.sources.sqs.visibility_extender import VisibilityExtender
from poller.values.record import EMPTY_PAGE, Page, Record


class SqsLane:
    """Implements `poller.ports.source.Lane`."""

    ended = False

    def __init__(
        self,
        receiving: Receiving,
        extender: VisibilityExtender,
        settling: Settling,
        encode: Callable[[Sequence[Record]], bytes],
        policy: RetryPolicy,
        *,
        fifo: bool,
    ) -> None:
        self.encode = encode
        self._fifo = fifo
        self._policy = policy
        self._receiving = receiving
        self._settling = settling
        self._extender = extender
        self._handovers: deque[Handover] = deque()
        self.kept: Page = EMPTY_PAGE
        """FIFO: messages that found no place in the last batch. Their groups must not reach another lane meanwhile."""

    def receive(self, limit: int, wait: float, *, gathering: bool) -> Coroutine[Any, Any, Page]:
        """The next page; a message of a FIFO queue that found no place in the last batch comes first."""
        return self._take_kept() if self.kept.records else self._receiving.take(limit, wait, gathering=gathering)

    async def _take_kept(self) -> Page:
        kept, self.kept = self.kept, EMPTY_PAGE
        return kept  # at most a batch, because a FIFO receive asks for no more

    def unread(self, page: Page) -> None:
        """The next free lane receives the page first; for FIFO this lane does."""
        if self._fifo:
            self.kept = page
        else:
            self._receiving.unread(page)

    def key(self, record: Record) -> str:
        """See `Lane.key`."""
        return record.key or ""

    def trace(self, records: Sequence[Record]) -> str | None:
        """The trace of the messages, if all have the same: a trace must not show the work on other messages."""
        return trace_of(records)

    def traceparents(self, records: Sequence[Record]) -> set[str | None]:
        """Those of the messages' attributes."""
        return {traceparent_of(record.item) for record in records}

    async def unfinished(self) -> None:
        """None: the queue has every message that was not deleted."""

    def delivery(self, records: Sequence[Record]) -> QueueDelivery:
        """A delivery that lasts as long as the messages can be kept invisible."""
        return QueueDelivery(records, self._policy, self._extender.hold_until(records))

    def keep(self) -> None:
        """Nothing to store: the queue has every message."""

    async def notify(self, discarded: Discarded) -> bool:  # noqa: ARG002  (the port's)
        """No destination: a queue has its redrive policy."""
        return False

    def settle(self, records: Sequence[Record]) -> None:
        """Delete."""
        self._handovers.append(self._settling.delete(records))

    def release(self, records: Sequence[Record], *, failed: bool) -> None:
        """Make the messages visible again, and also kept messages of the same groups, which would overtake them."""
        self._settling.release(records, failed=failed)
        if self.kept.records:
            groups = {record.key for record in records}
            behind = [record for record in self.kept.records if record.key in groups]
            self.kept.records = [record for record in self.kept.records if record.key not in groups]
            self._settling.release(behind, failed=False)
            self._settling.account.returned += len(behind)

    def all_settled(self) -> None:
        """Never called: no invocation is without messages."""

    def ready(self) -> Awaitable[Unsettled | None] | None:
        """See `Lane.ready`."""
        handovers = self._handovers
        while handovers and not handovers[0].remaining:
            handovers.popleft()
        return self._all_but_one_settled() if len(handovers) > 1 else None

    async def _all_but_one_settled(self) -> Unsettled | None:
        handovers = self._handovers
        while len(handovers) > 1:
            if (unsettled := await handovers[0].wait()) is not None:
                return unsettled
            handovers.popleft()
        return None
