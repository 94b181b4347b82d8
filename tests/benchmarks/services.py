"""What the stub answers: SQS and streams in AWS JSON, and Lambda Invoke, over one source at a time and its ledger.

Decides: the answer to each operation and after how long. Refuses to know: HTTP. A further service is a further table
of operations by their X-Amz-Target.
"""

import asyncio
import hashlib
import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from .sqs_queue import Queue
from .streams import Kinesis, Stream, Table, operations

QUEUE_ARN = "arn:aws:sqs:us-east-1:000000000000:q"
AWS_JSON_1_0 = "application/x-amz-json-1.0"
_LONGEST_WAIT = 20.0
"""Seconds; the service's limit of WaitTimeSeconds."""
_CHECKED_EVERY = 100
"""One event in so many is read as JSON and compared with what was handed out; each costs as much as the rest of a
cycle."""
_NO_FAILURES = b'{"batchItemFailures":[]}'


def _decoder() -> Callable[[bytes], Any]:
    try:
        import orjson
    except ModuleNotFoundError:
        return json.loads
    return orjson.loads


loads = _decoder()


class Peer(Protocol):
    """The connection a request came on."""

    url: str

    def answer(self, body: bytes, content_type: str = AWS_JSON_1_0, *, status: int = 200, extra: str = "") -> None:
        """Sends a complete answer; without effect once the peer has gone."""
        ...


@dataclass
class Controls:
    """How the stub behaves until told otherwise; set by `/_ctl`, kept by `/_load`."""

    api_ms: float = 0.0
    """Delay of every SQS answer but a woken long poll's."""
    wake_ms: float = 0.0
    """Delay of a long poll's answer from the moment a message became visible."""
    invoke_ms: float = 0.0
    """How long the function runs."""
    fail_every: int = 0
    """Every so many-th message is reported in batchItemFailures at its first invocation."""
    error_every: int = 0
    """Every so many-th invocation is a function error."""
    skip_every: int = 0
    """Every so many-th message does not match the client's filter; of a stream all (1) or none."""
    visibility: float = 30.0
    """The queue's visibility timeout in seconds."""


@dataclass(eq=False)
class _Waiter:
    peer: Peer
    limit: int
    visibility: float | None
    end: asyncio.TimerHandle = field(init=False)


class Services:
    def __init__(self) -> None:
        self.controls = Controls()
        self.operations: dict[str, Callable[[Peer, bytes], None]] = {
            "AmazonSQS.ReceiveMessage": self._receive_message,
            "AmazonSQS.DeleteMessage": self._delete_message,
            "AmazonSQS.DeleteMessageBatch": self._delete_message_batch,
            "AmazonSQS.ChangeMessageVisibility": self._change_visibility,
            "AmazonSQS.ChangeMessageVisibilityBatch": self._change_visibility_batch,
            "AmazonSQS.GetQueueAttributes": self._get_queue_attributes,
            "AmazonSQS.GetQueueUrl": self._get_queue_url,
        }
        self.streams = {"kinesis": Stream(Kinesis()), "dynamodb": Stream(Table())}
        for target, answer in operations(*self.streams.values()).items():
            self.operations[target] = partial(self._stream, answer)
        self._stream_loaded: Stream | None = None
        self._generation = 0
        self._waiters: deque[_Waiter] = deque()
        self._feed: asyncio.TimerHandle | None = None
        self._invocations = 0
        self.queue = self._empty_queue()
        self.ledger = self.queue.ledger

    def load(
        self, messages: int = 0, *, size: int = 512, rate: float = 0.0, source: str = "sqs", shards: int = 4
    ) -> None:
        """Replaces the queue's contents, or adds to a stream, and starts a new ledger; long polls that wait are woken.

        `source` is `sqs`, `kinesis` or `dynamodb`.
        """
        self._invocations = 0
        self._stream_loaded = self.streams.get(source)
        if self._stream_loaded is not None:
            self._stream_loaded.load(messages, shards=shards, size=size, now=time.monotonic())
            self.ledger = self._stream_loaded.ledger
            self.ledger.wanted = self._is_wanted
            return
        self._generation += 1
        self.queue = Queue(
            messages,
            generation=self._generation,
            size=size,
            rate=rate,
            visibility=self.controls.visibility,
            wall=time.time(),
        )
        self.ledger = self.queue.ledger
        self.ledger.wanted = self._is_wanted
        self.queue.open(time.monotonic())
        self._wake()

    def _is_wanted(self, index: int) -> bool:
        every = self.controls.skip_every
        return not every or index % every > 0

    def reset(self) -> None:
        """Forgets messages, counts and controls. Long polls that wait go on waiting."""
        self.controls = Controls()
        self.load()

    def sweep(self) -> None:
        """Ends visibility timeouts that ran out. To be called a few times a second."""
        self.queue.expire(time.monotonic())
        self._wake()

    def gone(self, peer: Peer) -> None:
        """A closed connection waits for nothing: what it would be handed would be hidden for nobody."""
        for waiter in [waiter for waiter in self._waiters if waiter.peer is peer]:
            waiter.end.cancel()
            self._waiters.remove(waiter)

    def _empty_queue(self) -> Queue:
        return Queue(0, generation=0, size=0, rate=0, visibility=self.controls.visibility, wall=0)

    # SQS

    def _receive_message(self, peer: Peer, body: bytes) -> None:
        request = loads(body)
        limit = request.get("MaxNumberOfMessages", 1)
        visibility = request.get("VisibilityTimeout")
        wait = min(_LONGEST_WAIT, float(request.get("WaitTimeSeconds", 0)))
        messages = self.queue.take(limit, visibility, time.monotonic())
        if messages or not wait:
            self._messages(peer, messages, self.controls.api_ms)
            return
        waiter = _Waiter(peer, limit, visibility)
        waiter.end = asyncio.get_running_loop().call_later(wait, self._give_up, waiter)
        self._waiters.append(waiter)
        self._feed_later()

    def _messages(self, peer: Peer, messages: list[bytes], delay_ms: float) -> None:
        if messages:
            body = b'{"Messages":[' + b",".join(messages) + b"]}"
        else:
            self.ledger.calls["ReceiveMessage, empty"] += 1
            body = b"{}"
        self._answer(peer, body, delay_ms)

    def _give_up(self, waiter: _Waiter) -> None:
        self._waiters.remove(waiter)
        self._messages(waiter.peer, [], 0)

    def _wake(self) -> None:
        now = time.monotonic()
        while self._waiters and self.queue.is_visible(now):
            waiter = self._waiters[0]
            messages = self.queue.take(waiter.limit, waiter.visibility, now)
            if messages:
                self._waiters.popleft()
                waiter.end.cancel()
                self._messages(waiter.peer, messages, self.controls.wake_ms)
        self._feed_later()

    def _feed_later(self) -> None:
        """While long polls wait, looks again at the moment the next message of a rate-fed load becomes visible."""
        due = self.queue.next_available()
        if self._waiters and due is not None and self._feed is None:
            # the loop's timers have a grain of a millisecond
            delay = max(0.001, due - time.monotonic())
            self._feed = asyncio.get_running_loop().call_later(delay, self._fed)

    def _fed(self) -> None:
        self._feed = None
        self._wake()

    def _delete_message(self, peer: Peer, body: bytes) -> None:
        self._delete(loads(body), time.monotonic())
        self._answer(peer, b"{}", self.controls.api_ms)

    def _delete_message_batch(self, peer: Peer, body: bytes) -> None:
        now = time.monotonic()
        self._each_entry(peer, body, lambda entry: self._delete(entry, now))

    def _delete(self, entry: dict[str, Any], now: float) -> bool:
        index = self.queue.index_of_handle(entry["ReceiptHandle"])
        if index is None:
            self.ledger.unknown += 1
            return False
        self.ledger.deleted(index, now)
        return True

    def _change_visibility(self, peer: Peer, body: bytes) -> None:
        self._hide(loads(body), time.monotonic())
        self._answer(peer, b"{}", self.controls.api_ms)

    def _change_visibility_batch(self, peer: Peer, body: bytes) -> None:
        now = time.monotonic()
        self._each_entry(peer, body, lambda entry: self._hide(entry, now))

    def _hide(self, entry: dict[str, Any], now: float) -> bool:
        index = self.queue.index_of_handle(entry["ReceiptHandle"])
        if index is None:
            self.ledger.unknown += 1
            return False
        self.queue.hide(index, now + float(entry["VisibilityTimeout"]))
        return True

    def _each_entry(self, peer: Peer, body: bytes, act: Callable[[dict[str, Any]], bool]) -> None:
        done, failed = [], []
        for entry in loads(body)["Entries"]:
            if act(entry):
                done.append(f'{{"Id":"{entry["Id"]}"}}')
            else:
                failed.append(f'{{"Id":"{entry["Id"]}","SenderFault":true,"Code":"ReceiptHandleIsInvalid"}}')
        self._answer(
            peer, f'{{"Successful":[{",".join(done)}],"Failed":[{",".join(failed)}]}}'.encode(), self.controls.api_ms
        )

    def _get_queue_attributes(self, peer: Peer, body: bytes) -> None:
        attributes = {"QueueArn": QUEUE_ARN, **self.queue.attributes(time.monotonic())}
        self._answer(peer, json.dumps({"Attributes": attributes}).encode(), self.controls.api_ms)

    def _get_queue_url(self, peer: Peer, body: bytes) -> None:
        self._answer(peer, json.dumps({"QueueUrl": f"{peer.url}/000000000000/q"}).encode(), self.controls.api_ms)

    def _answer(self, peer: Peer, body: bytes, delay_ms: float) -> None:
        if delay_ms:
            asyncio.get_running_loop().call_later(delay_ms / 1000, peer.answer, body)
        else:
            peer.answer(body)

    def _stream(self, answer: Callable[[dict[str, Any]], bytes], peer: Peer, body: bytes) -> None:
        self._answer(peer, answer(loads(body)), self.controls.api_ms)

    # Lambda

    def invoke(self, peer: Peer, body: bytes) -> None:
        ledger = self.ledger
        ledger.calls["Invoke"] += 1
        self._invocations += 1
        if self._invocations % _CHECKED_EVERY == 1 and not self._is_right(body):
            ledger.unknown += 1
        indexes = self._indexes(body)
        every = self.controls.fail_every
        failed = {i for i in indexes if every and i % every == 0 and not ledger.invocations_of(i)}
        error = bool(self.controls.error_every) and self._invocations % self.controls.error_every == 0
        ledger.invoked(indexes, time.monotonic())

        def end() -> None:
            ledger.answered(indexes, indexes if error else failed)
            if self._stream_loaded is not None and not error and not failed:
                self._stream_loaded.succeeded(indexes, time.monotonic())
            if error:
                reply = b'{"errorMessage":"boom","errorType":"Error"}'
                peer.answer(reply, "application/json", extra="X-Amz-Function-Error: Unhandled\r\n")
            else:
                reply = self._failures(failed) if failed else _NO_FAILURES
                peer.answer(reply, "application/json", extra="X-Amz-Executed-Version: $LATEST\r\n")

        if self.controls.invoke_ms:
            asyncio.get_running_loop().call_later(self.controls.invoke_ms / 1000, end)
        else:
            end()

    def _indexes(self, event: bytes) -> list[int]:
        """The messages an event names, cut out of its bytes: a quoted key cannot stand inside a JSON string."""
        indexes = []
        named = self._stream_loaded.indexes(event) if self._stream_loaded else self._messages_named(event)
        for index in named:
            if index is None:
                self.ledger.unknown += 1
            else:
                indexes.append(index)
        return indexes

    def _messages_named(self, event: bytes) -> Iterator[int | None]:
        for part in event.split(b'"messageId"')[1:]:
            start = part.index(b'"') + 1
            yield self.queue.index_of_id(part[start : start + 36].decode("latin-1"))

    def _failures(self, failed: set[int]) -> bytes:
        names = [{"itemIdentifier": self.queue.message_id(index)} for index in sorted(failed)]
        return json.dumps({"batchItemFailures": names}).encode()

    def _is_right(self, event: bytes) -> bool:
        """Whether each record is one Lambda would make of a message of this queue."""
        try:
            return all(self._is_record(record) for record in loads(event)["Records"])
        except (ValueError, KeyError, TypeError):
            return False

    def _is_record(self, record: dict[str, Any]) -> bool:
        if self._stream_loaded is not None:
            return self._stream_loaded.is_record(record)
        return (
            record["eventSource"] == "aws:sqs"
            and record["eventSourceARN"] == QUEUE_ARN
            and record["awsRegion"] == "us-east-1"
            and self.queue.index_of_id(record["messageId"]) == self.queue.index_of_handle(record["receiptHandle"])
            and hashlib.md5(record["body"].encode(), usedforsecurity=False).hexdigest() == record["md5OfBody"]
            and {"ApproximateReceiveCount", "SentTimestamp"} <= record["attributes"].keys()
        )
