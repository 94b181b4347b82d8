"""Filters on a queue, a FIFO queue, a stream and a table of a local AWS: each wanted record arrives, no other does."""

import json
from typing import Any

import pytest

from tests.live.daemon import configuration, running, until
from tests.servers.account import Account
from tests.servers.threaded import Handler, ThreadedServer

pytestmark = [pytest.mark.live, pytest.mark.heavy]

COUNT = 24
WANTED = {number for number in range(COUNT) if number % 3 == 0}
BODY = {"filters": [{"pattern": '{"body": {"wanted": [true]}}'}]}
DATA = {"filters": [{"pattern": {"data": {"wanted": [True]}}}]}
IMAGE = {"filters": [{"pattern": {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"wanted": {"BOOL": [True]}}}}}]}


class Function(ThreadedServer):
    """Keeps every record it is invoked with."""

    def __init__(self) -> None:
        super().__init__(_Invocation)
        self.records: list[dict[str, Any]] = []

    def of(self, source: str) -> list[dict[str, Any]]:
        return [record for record in list(self.records) if record["eventSource"] == f"aws:{source}"]


class _Invocation(Handler):
    server: Function

    def do_POST(self) -> None:  # noqa: N802  (the base class calls it so)
        self.server.records += json.loads(self.body())["Records"]
        self.answer(200, b"{}")


def payload(number: int) -> str:
    """Of those not wanted, some are not even JSON."""
    return json.dumps({"n": number, "wanted": number in WANTED}) if number % 2 or number in WANTED else "plain"


def numbers_of(records: list[dict[str, Any]]) -> list[int]:
    return sorted(json.loads(record["body"])["n"] for record in records)


def received(account: Account, url: str) -> list[dict[str, Any]]:
    answer = account.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])
    return list(answer.get("Messages", []))


def test_queues_keep_nothing_and_what_no_filter_wants_is_deleted_or_sent_on(ministack, tmp_path):
    queue, fifo = ministack.create_queue("q"), ministack.create_queue("q.fifo")
    unmatched = ministack.create_queue("unmatched.fifo")
    filtered = {"function_name": "f", "filter_criteria": BODY}
    send_to = {"send_to": ministack.queue_arn("unmatched.fifo")}
    with Function() as function:
        config = configuration(
            tmp_path,
            {"name": "deleting", "event_source_arn": ministack.queue_arn("q"), **filtered},
            {"name": "sending", "event_source_arn": ministack.queue_arn("q.fifo"), "on_no_match": send_to, **filtered},
            functions={"f": {"type": "http", "url": function.url}},
        )
        for number in range(COUNT):
            ministack.send(queue, payload(number))
            group = {"MessageGroupId": "g", "MessageDeduplicationId": f"d{number}"}
            ministack.send(fifo, payload(number), **group)
        with running(config, ministack.environment()) as daemon:
            until(lambda: len(function.records) >= 2 * len(WANTED), "every wanted message to be delivered")
            until(lambda: ministack.counts(queue) == ministack.counts(fifo) == (0, 0), "the queues to be empty")
            status = daemon.status()
            accounts = daemon.stop(hard=True)
    for name in ("deleting", "sending"):
        assert accounts[name]["filtered"] == COUNT - len(WANTED)
        assert status[name]["counters"]["filtered_not_json"] == sum(
            payload(number) == "plain" for number in range(COUNT)
        )
    for arn in ("q", "q.fifo"):
        records = [one for one in function.of("sqs") if one["eventSourceARN"] == ministack.queue_arn(arn)]
        assert set(numbers_of(records)) == WANTED
    arrived: list[dict[str, Any]] = []
    while messages := received(ministack, unmatched):
        arrived += messages
        for message in messages:
            ministack.client("sqs").delete_message(QueueUrl=unmatched, ReceiptHandle=message["ReceiptHandle"])
    order = [f"d{number}" for number in range(COUNT) if number not in WANTED]
    assert [message["Attributes"]["MessageDeduplicationId"] for message in arrived] == order


@pytest.mark.slow
def test_streams_pass_over_what_no_filter_wants_and_keep_their_place(ministack, tmp_path):
    ministack.client("kinesis").create_stream(StreamName="s", ShardCount=1)
    stream = ministack.client("kinesis").describe_stream_summary(StreamName="s")["StreamDescriptionSummary"]
    dynamodb = ministack.client("dynamodb")
    table = dynamodb.create_table(
        TableName="table",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    for number in range(COUNT):
        data = payload(number).encode()
        ministack.client("kinesis").put_record(StreamName="s", PartitionKey=f"k{number % 4}", Data=data)
        wanted = {"BOOL": number in WANTED}
        dynamodb.put_item(TableName="table", Item={"id": {"S": str(number)}, "n": {"N": str(number)}, "wanted": wanted})
    common = {"function_name": "f", "starting_position": "TRIM_HORIZON"}
    with Function() as function:
        config = configuration(
            tmp_path,
            {"name": "k", "event_source_arn": stream["StreamARN"], "filter_criteria": DATA, **common},
            {"name": "t", "event_source_arn": table["LatestStreamArn"], "filter_criteria": IMAGE, **common},
            functions={"f": {"type": "http", "url": function.url}},
            state=f"sqlite:///{tmp_path}/state.db",
        )
        with running(config, ministack.environment()) as daemon:

            def seen() -> bool:
                return all(mapping["counters"]["polled"] >= COUNT for mapping in daemon.status().values())

            until(seen, "every record to be read")
            until(lambda: len(function.records) >= 2 * len(WANTED), "every wanted record to be delivered")
            accounts = daemon.stop(hard=True)
        with running(config, ministack.environment()) as again:
            for name in ("k", "t"):
                again.wait_until_running(name)
            ministack.client("kinesis").put_record(StreamName="s", PartitionKey="k", Data=payload(0).encode())
            until(lambda: len(function.of("kinesis")) > len(WANTED), "the record put last")
            restarted = again.stop(hard=True)
    for name in ("k", "t"):
        assert accounts[name]["filtered"] == COUNT - len(WANTED)
        assert accounts[name]["delivered"] == len(WANTED)
    assert (restarted["k"]["polled"], restarted["k"]["filtered"], restarted["t"]["polled"]) == (1, 0, 0)
    delivered = sorted(int(one["dynamodb"]["NewImage"]["n"]["N"]) for one in function.of("dynamodb"))
    assert delivered == sorted(WANTED)
