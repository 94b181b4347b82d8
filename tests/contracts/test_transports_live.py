"""A mapping's worth of calls against a real server, through each transport: the same answers."""

import io
import json
import zipfile
from dataclasses import asdict
from typing import Any

import pytest

from poller.aws.port import Transport
from poller.functions.lambda_api.function import LambdaFunction
from poller.policy.response import Outcome, Succeeded
from tests.aws.conversation import BOTH, NewTransport, result_of
from tests.fakes.operations import call_sqs, sqs
from tests.servers.account import Account

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("sdk_does_not_sleep")]
BODIES = ['{"kind": "order"}', 'é "x" \u2028 \U0001f980', "plain"]
VARYING = {"MessageId", "ReceiptHandle", "SentTimestamp", "ApproximateFirstReceiveTimestamp", "RequestId", "request_id"}
CODE = """
def handler(event, context):
    if event == "fail":
        raise ValueError("no")
    return {"batchItemFailures": [], "seen": event}
"""


@pytest.fixture
def function(ministack: Account) -> str:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("app.py", CODE)
    created = ministack.client("lambda").create_function(
        FunctionName="orders",
        Runtime="python3.11",
        Handler="app.handler",
        Role=f"arn:aws:iam::{ministack.account}:role/r",
        Code={"ZipFile": archive.getvalue()},
    )
    return str(created["FunctionArn"])


def _as(account: Account, new: NewTransport) -> Transport:
    return new(account.url, [], account.account)


def constant(value: Any) -> Any:
    """Without what no two answers have in common."""
    if isinstance(value, dict):
        return {name: constant(one) for name, one in value.items() if name not in VARYING}
    return [constant(one) for one in value] if isinstance(value, list) else value


async def a_mappings_calls(account: Account, transport: Transport, url: str) -> list[Any]:
    """Attributes, a receive, an extension, deletes, good and bad, and an empty receive."""
    account.send_batch(url, BODIES)
    names = {"AttributeNames": ["VisibilityTimeout", "RedrivePolicy"]}
    every = {"MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"], "MaxNumberOfMessages": 10}
    seen: list[Any] = [await call_sqs(transport, "GetQueueAttributes", QueueUrl=url, **names)]
    page = await call_sqs(transport, "ReceiveMessage", QueueUrl=url, WaitTimeSeconds=1, **every)
    page["Messages"].sort(key=lambda message: message["Body"])
    entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(page["Messages"])]
    bad = {"Id": "9", "ReceiptHandle": "no handle"}
    changes = [entry | {"VisibilityTimeout": 60} for entry in [*entries, bad]]
    seen += [
        page,
        await call_sqs(transport, "ChangeMessageVisibilityBatch", QueueUrl=url, Entries=changes),
        await call_sqs(transport, "DeleteMessageBatch", QueueUrl=url, Entries=[*entries, bad]),
        await call_sqs(transport, "ReceiveMessage", QueueUrl=url, **every),
    ]
    missing = json.dumps({"QueueUrl": url + "-missing"}).encode()
    refused = await result_of(transport, sqs("ReceiveMessage"), missing)
    seen.append({name: refused[name] for name in ("error", "status", "code", "message")})
    return [constant(one) for one in seen]


async def test_a_queue_is_worked_off_with_the_same_answers(ministack: Account) -> None:
    seen = []
    for name, new in BOTH.items():
        url = ministack.create_queue(name, VisibilityTimeout=45)
        transport = _as(ministack, new)
        seen.append(await a_mappings_calls(ministack, transport, url))
        await transport.close()
        assert ministack.counts(url) == (0, 0)
    assert json.dumps(seen[0], sort_keys=True) == json.dumps(seen[1], sort_keys=True).replace("/reference", "/lean")
    assert [message["Body"] for message in seen[0][1]["Messages"]] == sorted(BODIES)


async def test_a_function_is_invoked_with_the_same_outcomes(ministack: Account, function: str) -> None:
    seen: list[list[Outcome]] = []
    for new in BOTH.values():
        transport = _as(ministack, new)
        outcomes = []
        for name, qualifier, event in (
            ("orders", None, b'{"a": "\xc3\xa9"}'),
            (function, "$LATEST", b"[]"),
            ("orders", None, b'"fail"'),
            ("nobody", None, b"{}"),
        ):
            target = LambdaFunction(
                "f", transport, function_name=name, qualifier=qualifier, timeout=30, payload_limit=1000, rie=False
            )
            outcomes.append(await target.invoke(event))
        await transport.close()
        seen.append(outcomes)
    by_lean, by_sdk = ([constant(asdict(outcome)) for outcome in outcomes] for outcomes in seen)
    assert by_lean == by_sdk
    assert isinstance(seen[0][0], Succeeded)
    assert json.loads(seen[0][0].body)["seen"] == {"a": "é"}
    assert [type(outcome).__name__ for outcome in seen[0]] == ["Succeeded", "Succeeded", "Failed", "NotInvoked"]
