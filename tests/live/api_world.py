"""What the tests of Lambda's own clients share: a daemon without mappings, sources to feed, and a function to see."""

import base64
import json
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.account import Account

HANDLER = """
import json, os
def handler(event, context):
    with open(os.environ["SEEN"], "a") as seen:
        for record in event.get("Records", []):
            seen.write(json.dumps(record) + "\\n")
    if event.get("do") == "exit":
        os._exit(3)
    print("an answer is on its way")
    return {"records": len(event.get("Records", []))}
"""
FUNCTION = "local"


def configuration(folder: Path, account: Account, **keys: Any) -> Path:
    """A daemon that has a function, with more keys, and no mapping."""
    (folder / "app.py").write_text(textwrap.dedent(HANDLER))
    environment = {"SEEN": str(folder / "seen")}
    local = {"type": "runtime", "handler": "app.handler", "code": str(folder), "environment": environment, **keys}
    path = folder / "poller.json"
    path.write_text(
        json.dumps(
            {
                "aws": {"region": account.region, "endpoint_url": account.url},
                "state": f"sqlite:///{folder}/state.db",
                "api": {"listen": "127.0.0.1:0"},
                "functions": {FUNCTION: local},
            }
        )
    )
    return path


def seen(folder: Path) -> list[str]:
    """Payloads that the function got."""
    file = folder / "seen"
    return [_payload(json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []


def _payload(record: dict[str, Any]) -> str:
    if "kinesis" in record:
        return base64.b64decode(record["kinesis"]["data"]).decode()
    if "dynamodb" in record:
        return str(record["dynamodb"]["NewImage"]["pk"]["S"])
    return str(record["body"])


@dataclass(frozen=True)
class Source:
    """One source, what its mapping is made with, and how a record gets into it."""

    name: str
    arn: str
    parameters: dict[str, Any]
    changes: dict[str, Any]
    send: Callable[[str], object]


def queue(account: Account) -> Source:
    """Its mapping passes messages that begin with `keep`."""
    url = account.create_queue("orders")
    pattern = json.dumps({"body": [{"prefix": "keep"}]})
    return Source(
        "queue",
        account.queue_arn("orders"),
        {
            "FilterCriteria": {"Filters": [{"Pattern": pattern}]},
            "ScalingConfig": {"MaximumConcurrency": 2},
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        },
        {"BatchSize": 3, "ScalingConfig": {}},
        lambda text: account.send(url, text),
    )


def stream(account: Account) -> Source:
    """Its mapping has a destination."""
    kinesis = account.client("kinesis")
    kinesis.create_stream(StreamName="clicks", ShardCount=1)
    arn = kinesis.describe_stream_summary(StreamName="clicks")["StreamDescriptionSummary"]["StreamARN"]
    account.create_queue("failed")
    return Source(
        "stream",
        arn,
        {
            "StartingPosition": "TRIM_HORIZON",
            "MaximumRetryAttempts": 0,
            "DestinationConfig": {"OnFailure": {"Destination": account.queue_arn("failed")}},
        },
        {"ParallelizationFactor": 2, "MaximumRecordAgeInSeconds": 600},
        lambda text: kinesis.put_record(StreamName="clicks", PartitionKey=text, Data=text.encode()),
    )


def table(account: Account) -> Source:
    """Its mapping bisects."""
    dynamodb = account.client("dynamodb")
    made = dynamodb.create_table(
        TableName="events",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    return Source(
        "table",
        made["TableDescription"]["LatestStreamArn"],
        {"StartingPosition": "TRIM_HORIZON", "BisectBatchOnFunctionError": True, "MaximumBatchingWindowInSeconds": 1},
        {"BatchSize": 7, "MaximumBatchingWindowInSeconds": 0},
        lambda text: dynamodb.put_item(TableName="events", Item={"pk": {"S": text}}),
    )


SOURCES = {"queue": queue, "stream": stream, "table": table}
