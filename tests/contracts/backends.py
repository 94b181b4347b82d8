"""What the queue contract runs over: the fake and the local servers, behind one small surface."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import pytest
from aiobotocore.session import AioSession
from botocore.loaders import create_loader

from poller.aws.port import Transport
from poller.aws.sdk_transport import ReferenceTransport
from tests.fakes.aws import FakeAws
from tests.fakes.message import wire_attributes
from tests.fakes.operations import call_sqs
from tests.servers.account import Account

SERVERS = ("ministack", "moto")


class Backend(Protocol):
    """A fresh account with nothing in it."""

    transport: Transport

    def create(self, name: str, *, visibility: int = 30, dead_letter: str = "", max_receive_count: int = 0) -> str:
        """Create a queue, FIFO by its name, and return its URL."""
        ...

    def send(
        self,
        url: str,
        body: str,
        *,
        group: str | None = None,
        deduplication_id: str | None = None,
        attributes: dict[str, Any] | None = None,
        trace_header: str | None = None,
    ) -> str:
        """Send one message and return its id. FIFO sends that name no deduplication id are none of another's."""
        ...


@functools.cache
def _models() -> Any:
    """The SDK's service models, read once for all tests."""
    return create_loader()


class Fake:
    def __init__(self) -> None:
        self.aws = FakeAws()
        self.transport: Transport = self.aws

    def create(self, name: str, *, visibility: int = 30, dead_letter: str = "", max_receive_count: int = 0) -> str:
        target = self.aws.queues[dead_letter] if dead_letter else None
        queue = self.aws.queue(
            name, visibility_timeout=visibility, dead_letter_queue=target, max_receive_count=max_receive_count
        )
        return queue.url

    def send(self, url: str, body: str, **parameters: Any) -> str:
        return self.aws.queues[url.rpartition("/")[2]].send(body, **parameters)


class Server:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._sends = 0
        session = AioSession()
        session.register_component("data_loader", _models())
        session.set_credentials(account.client_arguments()["aws_access_key_id"], "secret")
        self.transport: Transport = ReferenceTransport(lambda: session, account.region, lambda _: (account.url, None))

    def create(self, name: str, *, visibility: int = 30, dead_letter: str = "", max_receive_count: int = 0) -> str:
        return self._account.create_queue(
            name, dead_letter=dead_letter, max_receive_count=max_receive_count, VisibilityTimeout=visibility
        )

    def send(
        self,
        url: str,
        body: str,
        *,
        group: str | None = None,
        deduplication_id: str | None = None,
        attributes: dict[str, Any] | None = None,
        trace_header: str | None = None,
    ) -> str:
        self._sends += 1
        parameters: dict[str, Any] = {"MessageAttributes": _for_botocore(attributes or {})}
        if group is not None:
            parameters["MessageGroupId"] = group
        if url.endswith(".fifo"):
            parameters["MessageDeduplicationId"] = deduplication_id or f"send-{self._sends}"
        if trace_header is not None:
            value = {"DataType": "String", "StringValue": trace_header}
            parameters["MessageSystemAttributes"] = {"AWSTraceHeader": value}
        return self._account.send(url, body, **parameters)


def _for_botocore(attributes: dict[str, Any]) -> dict[str, Any]:
    """botocore encodes binary values itself."""
    wire: dict[str, Any] = dict(wire_attributes(attributes))
    for name, value in attributes.items():
        if isinstance(value, bytes):
            wire[name] = {"DataType": "Binary", "BinaryValue": value}
    return wire


def promise(**wrong: str) -> Callable[[Any], Any]:
    """Run a test over the fake and every server, but for those known to be wrong: `server="what it does instead"`."""
    assert set(wrong) <= set(SERVERS), wrong
    right = [pytest.param(name, marks=pytest.mark.live) for name in SERVERS if name not in wrong]
    over_each = pytest.mark.parametrize("backend", ["fake", *right], indirect=True)

    def decorate(test: Callable[[Backend], Awaitable[None]]) -> Any:
        @functools.wraps(test)
        async def keeping(backend: Backend) -> None:
            try:
                await test(backend)
            finally:
                await backend.transport.close()

        return over_each(keeping)

    return decorate


async def receive(backend: Backend, url: str, limit: int = 10, **request: Any) -> list[dict[str, Any]]:
    """Messages with all their attributes."""
    names = {"MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"]}
    parameters: dict[str, Any] = {"QueueUrl": url, "MaxNumberOfMessages": limit} | names | request
    answer = await call_sqs(backend.transport, "ReceiveMessage", **parameters)
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    return messages


async def delete(backend: Backend, url: str, *messages: dict[str, Any] | str) -> dict[str, Any]:
    """The answer of one DeleteMessageBatch; entry ids count from 0."""
    entries = [
        {"Id": str(n), "ReceiptHandle": one if isinstance(one, str) else one["ReceiptHandle"]}
        for n, one in enumerate(messages)
    ]
    return await call_sqs(backend.transport, "DeleteMessageBatch", QueueUrl=url, Entries=entries)


async def change_visibility(
    backend: Backend, url: str, *changes: tuple[dict[str, Any], int]
) -> tuple[list[str], dict[str, str]]:
    """Entry ids that went through, and the codes of those that did not."""
    entries = [
        {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": seconds}
        for n, (message, seconds) in enumerate(changes)
    ]
    answer = await call_sqs(backend.transport, "ChangeMessageVisibilityBatch", QueueUrl=url, Entries=entries)
    failed = {one["Id"]: one["Code"] for one in answer.get("Failed", [])}
    return [one["Id"] for one in answer.get("Successful", [])], failed


def bodies(messages: list[dict[str, Any]]) -> list[str]:
    return [message["Body"] for message in messages]
