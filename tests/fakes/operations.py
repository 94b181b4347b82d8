"""The hot operations as constants, for tests that talk to a transport themselves."""

import json
from typing import Any

from poller.aws.port import Operation, Transport


def sqs(name: str) -> Operation:
    return Operation("sqs", name, f"AmazonSQS.{name}")


def invoke(function: str, timeout: float = 30.0) -> Operation:
    path = f"/2015-03-31/functions/{function}/invocations"
    return Operation("lambda", "Invoke", None, "application/json", path, timeout, resend=False)


async def call_sqs(transport: Transport, name: str, **request: Any) -> dict[str, Any]:
    """The parsed answer of one SQS call."""
    reply = await transport.call(sqs(name), json.dumps(request).encode())
    answer: dict[str, Any] = json.loads(reply.body)
    return answer
