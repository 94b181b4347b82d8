"""The hot operations as constants, for tests that talk to a transport themselves."""

import json
from typing import Any

from poller.aws.port import AWS_JSON_1_1, Operation, Transport


def sqs(name: str) -> Operation:
    return Operation("sqs", name, f"AmazonSQS.{name}")


def kinesis(name: str) -> Operation:
    return Operation("kinesis", name, f"Kinesis_20131202.{name}", AWS_JSON_1_1)


def dynamodb_streams(name: str) -> Operation:
    return Operation("dynamodbstreams", name, f"DynamoDBStreams_20120810.{name}")


def invoke(function: str, timeout: float = 30.0) -> Operation:
    path = f"/2015-03-31/functions/{function}/invocations"
    return Operation("lambda", "Invoke", None, "application/json", path, timeout, resend=False)


async def call_sqs(transport: Transport, name: str, **request: Any) -> dict[str, Any]:
    """The parsed answer of one SQS call."""
    return await call(transport, sqs(name), **request)


async def call(transport: Transport, operation: Operation, **request: Any) -> dict[str, Any]:
    """The parsed answer of any AWS JSON call."""
    reply = await transport.call(operation, json.dumps(request).encode())
    answer: dict[str, Any] = json.loads(reply.body)
    return answer
