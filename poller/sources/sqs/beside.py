"""Receives messages of a queue beside the mapping that owns it: to give them back, or to deliver and delete them."""

from collections.abc import AsyncIterator, Sequence

from poller.policy.beside import Amount, From
from poller.policy.filtering import Filter
from poller.sources.sqs.event import encoder
from poller.sources.sqs.message import judge, made_whole, receipts_of, records_of, sent_at
from poller.sources.sqs.queue import MOST_PER_CALL, Queue, QueueName
from poller.values.errors import AnswerLost
from poller.values.record import Record


class SeenInQueue:
    """Implements `poller.sources.kind.Seen`."""

    key = None
    gone = 0
    why = ""

    def __init__(self, queue: Queue, shown_as: QueueName, records: Sequence[Record], criteria: Filter | None) -> None:
        self._queue = queue
        self._judge = None if criteria is None else judge(criteria, shown_as)
        self.ordered = queue.name.fifo
        self.partition = queue.name.arn.rpartition(":")[2]
        self.records = records
        self.encode = encoder(shown_as)

    def passes(self, record: Record) -> bool:
        return self._judge is None or bool(self._judge(record.item))

    def arrived(self, record: Record) -> float | None:
        return sent_at(record.item)

    async def done(self, records: Sequence[Record]) -> None:
        refused = await self._queue.delete(receipts_of(records))
        if refused:
            raise refused[0].error

    async def give_back(self, records: Sequence[Record]) -> None:
        refused = await self._queue.change_visibility([(handle, 0) for handle in receipts_of(records)])
        if refused:
            raise refused[0].error


class QueueBeside:
    """Implements `poller.sources.kind.Beside`."""

    receives = True

    def __init__(self, queue: Queue, shown_as: QueueName, visibility: int, criteria: Filter | None) -> None:
        """`shown_as` is the queue that events name. What is received stays invisible for `visibility` seconds."""
        self._queue = queue
        self._shown_as = shown_as
        self._criteria = criteria
        queue.ask_for(visibility)

    async def partitions(self) -> list[str]:
        return [self._queue.name.arn.rpartition(":")[2]]

    async def amount(self) -> Amount | None:
        visible = (await self._queue.depth()).visible
        return None if visible is None else Amount(visible, "message", "about")

    async def seen(self, partition: str, begin: From, most: int) -> AsyncIterator[SeenInQueue]:  # noqa: ARG002 - a queue gives what it likes
        while True:
            body = self._queue.receive_body(min(most, MOST_PER_CALL), 1, self._queue.new_attempt())
            given, _ = await self._queue.receive(body)
            if not given:
                return
            messages = [message for one in given if (message := made_whole(one)) is not None]
            if not messages:
                raise AnswerLost("the queue gives messages without receipt handles")
            yield SeenInQueue(self._queue, self._shown_as, records_of(messages, None), self._criteria)
