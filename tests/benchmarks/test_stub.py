"""The ledger's word is only worth something if it sees every fault: planted ones, through the stub's own HTTP."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from .ledger import Ledger
from .programs import stub


class Api:
    """One keep-alive connection to the stub."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)

    def get(self, path: str) -> dict[str, Any]:
        self.connection.request("GET", path)
        return self._answer()

    def sqs(self, operation: str, **body: object) -> dict[str, Any]:
        self.connection.request("POST", "/", json.dumps(body), {"X-Amz-Target": f"AmazonSQS.{operation}"})
        return self._answer()

    def receive(self, limit: int = 10, wait: int = 0) -> list[dict[str, Any]]:
        answer = self.sqs("ReceiveMessage", MaxNumberOfMessages=limit, WaitTimeSeconds=wait)
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages

    def invoke(self, messages: list[dict[str, Any]], **changed: str) -> dict[str, Any]:
        self.connection.request("POST", "/2015-03-31/functions/fn/invocations", event(messages, **changed))
        return self._answer()

    def delete(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
        return self.sqs("DeleteMessageBatch", Entries=entries)

    def hide(self, messages: list[dict[str, Any]], seconds: int) -> dict[str, Any]:
        entries = [
            {"Id": str(n), "ReceiptHandle": m["ReceiptHandle"], "VisibilityTimeout": seconds}
            for n, m in enumerate(messages)
        ]
        return self.sqs("ChangeMessageVisibilityBatch", Entries=entries)

    def faults(self) -> dict[str, int]:
        found: dict[str, int] = self.get("/_ledger")["faults"]
        return found

    def _answer(self) -> dict[str, Any]:
        answer = self.connection.getresponse()
        self.headers = answer.headers
        return dict(json.loads(answer.read()))


def event(messages: list[dict[str, Any]], **changed: str) -> str:
    arn = "arn:aws:sqs:us-east-1:000000000000:q"
    return json.dumps(
        {
            "Records": [
                {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                    "attributes": message["Attributes"],
                    "messageAttributes": {},
                    "md5OfBody": message["MD5OfBody"],
                    "eventSource": "aws:sqs",
                    "eventSourceARN": arn,
                    "awsRegion": "us-east-1",
                    **changed,
                }
                for message in messages
            ]
        }
    )


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with stub(Path(tmp_path_factory.mktemp("stub"))) as endpoint:
        yield endpoint.url


@pytest.fixture
def api(url: str) -> Iterator[Api]:
    found = Api(url)
    found.get("/_reset")
    yield found
    found.connection.close()


def test_a_right_run_is_exact(api: Api) -> None:
    api.get("/_load?messages=25&size=300")
    while messages := api.receive():
        api.invoke(messages)
        api.delete(messages)
    ledger = api.get("/_ledger")
    assert (ledger["verdict"], ledger["faults"], ledger["deleted"], ledger["invocations"]) == ("exact", {}, 25, 3)
    assert ledger["calls"] == {
        "ReceiveMessage": 4,
        "ReceiveMessage, empty": 1,
        "Invoke": 3,
        "DeleteMessageBatch": 3,
    }


def test_each_planted_fault_is_seen(api: Api) -> None:
    """A message deleted without an invocation is lost and early, one invoked twice a duplicate, and so on."""
    api.get("/_load?messages=6")
    lost, twice, again, left, *_ = messages = api.receive()
    api.delete([lost])
    api.invoke([twice, again, left])
    api.invoke([twice])
    api.delete([twice, again])
    api.delete([again])
    assert len(messages) == 6
    assert api.faults() == {"undone": 3, "lost": 1, "deleted_early": 1, "duplicates": 1, "deleted_again": 1}


def test_a_delete_while_the_function_runs_is_early(api: Api, url: str) -> None:
    api.get("/_ctl?invoke_ms=200")
    api.get("/_load?messages=1")
    messages = api.receive()
    other = Api(url)
    other.connection.request("POST", "/2015-03-31/functions/fn/invocations", event(messages))
    while not api.get("/_ledger")["calls"].get("Invoke"):
        pass
    api.delete(messages)
    other.connection.getresponse().read()
    other.connection.close()
    assert api.faults() == {"deleted_early": 1}


def test_a_delete_after_a_function_error_is_a_loss(api: Api) -> None:
    api.get("/_ctl?error_every=1")
    api.get("/_load?messages=1")
    messages = api.receive()
    assert api.invoke(messages)["errorType"] == "Error"
    assert api.headers["X-Amz-Function-Error"] == "Unhandled"
    api.delete(messages)
    assert api.faults() == {"lost": 1, "deleted_early": 1}


def test_a_reported_message_comes_back_and_is_no_duplicate(api: Api) -> None:
    """Every third message fails once; made visible at once, it is received again with its count raised."""
    api.get("/_ctl?fail_every=3")
    api.get("/_load?messages=5")
    messages = api.receive()
    answer = api.invoke(messages)
    failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
    assert failed == {messages[0]["MessageId"], messages[3]["MessageId"]}
    api.delete([message for message in messages if message["MessageId"] not in failed])
    api.hide([message for message in messages if message["MessageId"] in failed], 0)
    again: list[dict[str, Any]] = []
    while len(again) < 2:
        again += api.receive(wait=1)
    assert {message["MessageId"] for message in again} == failed
    assert {message["Attributes"]["ApproximateReceiveCount"] for message in again} == {"2"}
    assert api.invoke(again) == {"batchItemFailures": []}
    api.delete(again)
    assert api.faults() == {}


@pytest.mark.parametrize("changed", [{"body": "other"}, {"eventSource": "aws:kinesis"}, {"awsRegion": "eu-west-1"}])
def test_an_event_that_lambda_would_not_make_is_a_fault(api: Api, changed: dict[str, str]) -> None:
    api.get("/_load?messages=1")
    messages = api.receive()
    api.invoke(messages, **changed)
    api.delete(messages)
    assert api.faults() == {"unknown": 1}


def test_an_event_without_its_fields_is_a_fault(api: Api) -> None:
    api.get("/_load?messages=1")
    messages = api.receive()
    api.connection.request("POST", "/2015-03-31/functions/fn/invocations", '{"Records": [{}]}')
    api.connection.getresponse().read()
    assert len(messages) == 1
    assert api.faults() == {"undone": 1, "unknown": 1}


def test_names_of_an_earlier_load_are_unknown(api: Api) -> None:
    api.get("/_load?messages=1")
    messages = api.receive()
    api.get("/_load?messages=1")
    assert api.delete(messages)["Failed"][0]["Code"] == "ReceiptHandleIsInvalid"
    assert api.faults() == {"undone": 1, "unknown": 1}


def test_a_long_poll_is_answered_by_the_message_it_waits_for(api: Api, url: str) -> None:
    other = Api(url)
    other.connection.request(
        "POST", "/", '{"MaxNumberOfMessages":10,"WaitTimeSeconds":20}', {"X-Amz-Target": "AmazonSQS.ReceiveMessage"}
    )
    while not api.get("/_ledger")["calls"].get("ReceiveMessage"):
        pass
    api.get("/_load?messages=3")
    assert len(json.loads(other.connection.getresponse().read())["Messages"]) == 3
    other.connection.close()


def test_a_rate_fed_queue_gives_messages_as_they_come(api: Api) -> None:
    api.get("/_load?messages=20&rate=1000")
    received = 0
    while received < 20:
        messages = api.receive(wait=1)
        api.invoke(messages)
        api.delete(messages)
        received += len(messages)
    ledger = api.get("/_ledger")
    assert ledger["verdict"] == "exact"
    assert ledger["latency_ms"]["max"] >= ledger["latency_ms"]["p99"] >= ledger["latency_ms"]["p50"] > 0


def test_a_mistyped_control_is_refused(api: Api) -> None:
    assert "invoke_seconds" in api.get("/_ctl?invoke_seconds=1")["error"]
    assert "no such control" in api.get("/_lod?messages=1")["error"]
    assert "many" in api.get("/_load?messages=many")["error"]


def test_latency_counts_from_available_to_first_invoked() -> None:
    ledger = Ledger(2, available_at=float)
    ledger.received([0, 1], now=2.0)
    ledger.invoked([0, 1], now=3.0)
    ledger.answered([0, 1], failed={1})
    ledger.invoked([1], now=9.0)
    assert ledger.report()["latency_ms"] == {"first": 3000.0, "p50": 2000.0, "p99": 2000.0, "max": 3000.0}
