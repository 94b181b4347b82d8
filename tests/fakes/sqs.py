"""The fake SQS on the wire: AWS JSON in and out, with the members, limits and errors that AWS has."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from poller.values.errors import ServiceError
from tests.fakes.faults import FaultPlan
from tests.fakes.message import Message, md5_of_attributes, md5_of_body
from tests.fakes.queue import LONGEST_VISIBILITY, FakeQueue, Refusal

SENDER = "AROAEXAMPLE:producer"
MEMBERS = {
    "SendMessage": {"QueueUrl", "MessageBody", "MessageAttributes", "DelaySeconds"},
    "SendMessageBatch": {"QueueUrl", "Entries"},
    "ReceiveMessage": {
        "QueueUrl",
        "AttributeNames",
        "MessageSystemAttributeNames",
        "MessageAttributeNames",
        "MaxNumberOfMessages",
        "VisibilityTimeout",
        "WaitTimeSeconds",
        "ReceiveRequestAttemptId",
    },
    "DeleteMessage": {"QueueUrl", "ReceiptHandle"},
    "DeleteMessageBatch": {"QueueUrl", "Entries"},
    "ChangeMessageVisibility": {"QueueUrl", "ReceiptHandle", "VisibilityTimeout"},
    "ChangeMessageVisibilityBatch": {"QueueUrl", "Entries"},
    "GetQueueAttributes": {"QueueUrl", "AttributeNames"},
    "GetQueueUrl": {"QueueName", "QueueOwnerAWSAccountId"},
}
"""What a request may hold. AWS passes over what it does not know; here it is a test's failure."""
QUERY_CODES = {
    "QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue",
    "ReceiptHandleIsInvalid": "ReceiptHandleIsInvalid",
    "InvalidParameterValue": "InvalidParameterValue",
    "OverLimit": "OverLimit",
}
"""SQS's errors by the codes of its older protocol, which it still sends and the SDK reports; those not listed have
their name behind `AWS.SimpleQueueService.`"""
LARGEST_BATCH = 262_144
"""Bytes of all messages of one SendMessageBatch."""
ENTRY_MEMBERS = {
    *("Id", "MessageBody", "MessageAttributes", "MessageSystemAttributes", "MessageGroupId", "MessageDeduplicationId"),
}
Body = dict[str, Any]


class FakeSqs:
    def __init__(self, queues: dict[str, FakeQueue], faults: FaultPlan) -> None:
        self.queues = queues
        self._faults = faults
        self._operations: dict[str, Callable[[Body], Awaitable[Body]]] = {
            "SendMessage": self._send,
            "SendMessageBatch": self._send_batch,
            "ReceiveMessage": self._receive,
            "DeleteMessage": self._delete,
            "DeleteMessageBatch": self._delete_batch,
            "ChangeMessageVisibility": self._change,
            "ChangeMessageVisibilityBatch": self._change_batch,
            "GetQueueAttributes": self._attributes,
            "GetQueueUrl": self._url,
        }

    async def call(self, operation: str, body: bytes) -> bytes:
        request = json.loads(body)
        unknown = request.keys() - MEMBERS[operation]
        assert not unknown, f"{operation} has no {unknown}"
        try:
            answer = await self._operations[operation](request)
        except Refusal as refusal:
            # Only the entries of a batch name a bad handle otherwise
            code = "InvalidParameterValue" if "expired" in refusal.message else refusal.code
            raise service_error(code, refusal.message, refusal.status) from None
        return json.dumps(answer).encode()

    async def _receive(self, request: Body) -> Body:
        queue = self._queue(request)
        limit = _ranged(request, "MaxNumberOfMessages", 1, (1, 10))
        wait = _ranged(request, "WaitTimeSeconds", queue.receive_wait, (0, 20))
        visibility = _ranged(request, "VisibilityTimeout", queue.visibility_timeout, (0, LONGEST_VISIBILITY))
        taken = await queue.receive(limit, wait, visibility, request.get("ReceiveRequestAttemptId"))
        messages = [_as_received(message, handle, request) for message, handle in taken]
        return {"Messages": messages} if messages else {}

    async def _send(self, request: Body) -> Body:
        message_id = self._queue(request).send(
            request["MessageBody"],
            attributes=request.get("MessageAttributes"),
            delay=_ranged(request, "DelaySeconds", None, (0, 900)) if "DelaySeconds" in request else None,
        )
        return {"MessageId": message_id, "MD5OfMessageBody": md5_of_body(request["MessageBody"])}

    async def _send_batch(self, request: Body) -> Body:
        queue = self._queue(request)
        if sum(len(entry["MessageBody"].encode()) for entry in request["Entries"]) > LARGEST_BATCH:
            raise Refusal("BatchRequestTooLong", "Batch requests cannot be longer than 262144 bytes.")
        return self._batch("SendMessageBatch", request, lambda entry: _send_entry(queue, entry))

    async def _delete(self, request: Body) -> Body:
        self._queue(request).delete(request["ReceiptHandle"])
        return {}

    async def _delete_batch(self, request: Body) -> Body:
        queue = self._queue(request)
        return self._batch("DeleteMessageBatch", request, lambda entry: queue.delete(entry["ReceiptHandle"]))

    async def _change(self, request: Body) -> Body:
        _change_visibility(self._queue(request), request)
        return {}

    async def _change_batch(self, request: Body) -> Body:
        queue = self._queue(request)
        return self._batch("ChangeMessageVisibilityBatch", request, lambda entry: _change_visibility(queue, entry))

    async def _attributes(self, request: Body) -> Body:
        queue = self._queue(request)
        visible, flying, delayed = queue.counts()
        values = {
            "QueueArn": queue.arn,
            "ApproximateNumberOfMessages": str(visible),
            "ApproximateNumberOfMessagesNotVisible": str(flying),
            "ApproximateNumberOfMessagesDelayed": str(delayed),
            "VisibilityTimeout": str(queue.visibility_timeout),
            "DelaySeconds": str(queue.delay),
            "ReceiveMessageWaitTimeSeconds": str(queue.receive_wait),
            "MaximumMessageSize": "1048576",
            "MessageRetentionPeriod": "345600",
        }
        if queue.dead_letter_queue is not None:
            policy = {"deadLetterTargetArn": queue.dead_letter_queue.arn, "maxReceiveCount": queue.max_receive_count}
            values["RedrivePolicy"] = json.dumps(policy, separators=(",", ":"))
        if queue.fifo:
            values |= {"FifoQueue": "true"}
            values |= {"ContentBasedDeduplication": str(queue.content_based_deduplication).lower()}
        wanted = request.get("AttributeNames", [])
        chosen = {name: value for name, value in values.items() if "All" in wanted or name in wanted}
        return {"Attributes": chosen} if chosen else {}

    async def _url(self, request: Body) -> Body:
        if request["QueueName"] not in self.queues:
            raise missing_queue()
        return {"QueueUrl": self.queues[request["QueueName"]].url}

    def _queue(self, request: Body) -> FakeQueue:
        queue = self.queues.get(request["QueueUrl"].rpartition("/")[2])
        if queue is None or queue.url != request["QueueUrl"]:
            raise missing_queue()
        return queue

    def _batch(self, operation: str, request: Body, apply: Callable[[Body], None]) -> Body:
        entries = request["Entries"]
        _check_entries(entries, operation)
        done, failed = [], []
        for entry in entries:
            try:
                self._apply(operation, entry, apply)
            except Refusal as refusal:
                fault = {"Code": refusal.code, "Message": refusal.message, "SenderFault": refusal.status < 500}
                failed.append({"Id": entry["Id"]} | fault)
            else:
                done.append({"Id": entry["Id"]})
        return {"Successful": done, "Failed": failed}

    def _apply(self, operation: str, entry: Body, apply: Callable[[Body], None]) -> None:
        if code := self._faults.draw_entry(operation):
            raise Refusal(code, "An internal error occurred.", 500)
        apply(entry)


def _send_entry(queue: FakeQueue, entry: Body) -> None:
    unknown = entry.keys() - ENTRY_MEMBERS
    assert not unknown, f"an entry of SendMessageBatch has no {unknown}"
    assert not queue.fifo or "MessageGroupId" in entry
    header = entry.get("MessageSystemAttributes", {}).get("AWSTraceHeader", {}).get("StringValue")
    queue.send(
        entry["MessageBody"],
        group=entry.get("MessageGroupId"),
        deduplication_id=entry.get("MessageDeduplicationId"),
        attributes=entry.get("MessageAttributes"),
        trace_header=header,
    )


def service_error(code: str, message: str, status: int = 400) -> ServiceError:
    body = json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": message}).encode()
    return ServiceError(status, QUERY_CODES.get(code, f"AWS.SimpleQueueService.{code}"), message, body=body)


def missing_queue() -> ServiceError:
    return service_error("QueueDoesNotExist", "The specified queue does not exist.")


def _check_entries(entries: list[Body], operation: str) -> None:
    identifiers = [entry["Id"] for entry in entries]
    if not entries:
        raise Refusal("EmptyBatchRequest", f"There should be at least one {operation}RequestEntry in the request.")
    if len(entries) > 10:
        raise Refusal(
            "TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are 10. You have sent {len(entries)}.",
        )
    for identifier in identifiers:
        if identifiers.count(identifier) > 1:
            raise Refusal("BatchEntryIdsNotDistinct", f"Id {identifier} repeated.")
        if not (0 < len(identifier) <= 80 and identifier.replace("-", "").replace("_", "").isalnum()):
            raise Refusal(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens "
                "and underscores. It can be at most 80 letters long.",
            )


def _change_visibility(queue: FakeQueue, request: Body) -> None:
    seconds = _ranged(request, "VisibilityTimeout", None, (0, LONGEST_VISIBILITY))
    queue.change_visibility(request["ReceiptHandle"], seconds)


def _ranged(request: Body, member: str, default: int | None, bounds: tuple[int, int]) -> int:
    value = request.get(member, default)
    assert type(value) is int, f"{member} is a whole number, not {value!r}"
    low, high = bounds
    if not low <= value <= high:
        reason = f"Must be >= {low} and <= {high}, if provided."
        raise Refusal("InvalidParameterValue", f"Value {value} for parameter {member} is invalid. Reason: {reason}")
    return value


def _as_received(message: Message, handle: str, request: Body) -> Body:
    system_names = request.get("MessageSystemAttributeNames", []) + request.get("AttributeNames", [])
    system = message.system_attributes(SENDER)
    system = {name: value for name, value in system.items() if "All" in system_names or name in system_names}
    wanted = request.get("MessageAttributeNames", [])
    attributes = {name: value for name, value in message.attributes.items() if _is_wanted(name, wanted)}
    received: Body = {
        "MessageId": message.message_id,
        "ReceiptHandle": handle,
        "MD5OfBody": md5_of_body(message.body),
        "Body": message.body,
    }
    if system:
        received["Attributes"] = system
    if attributes:
        received["MD5OfMessageAttributes"] = md5_of_attributes(attributes)
        received["MessageAttributes"] = attributes
    return received


def _is_wanted(name: str, wanted: list[str]) -> bool:
    return any(
        pattern in ("All", ".*", name) or (pattern.endswith(".*") and name.startswith(pattern[:-2]))
        for pattern in wanted
    )
