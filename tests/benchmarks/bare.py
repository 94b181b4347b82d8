"""The yardstick: what one writes first with aiobotocore, and what every ratio is taken against.

`python -m tests.benchmarks.bare URL` runs ten sequential loops of receive, event, invoke, delete on stock clients until
it is killed. Normal practice, no tricks: one client per service, shared by the loops, the SDK's defaults.
"""

import asyncio
import json
import sys
from typing import Any

from aiobotocore.session import get_session

_LOOPS = 10
QUEUE_ARN = "arn:aws:sqs:us-east-1:000000000000:q"
_REGION = "us-east-1"


def event(messages: list[dict[str, Any]]) -> bytes:
    records = [
        {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {},
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": QUEUE_ARN,
            "awsRegion": _REGION,
        }
        for message in messages
    ]
    return json.dumps({"Records": records}).encode()


async def loop(sqs: Any, functions: Any, queue_url: str) -> None:
    while True:
        received = await sqs.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=20,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages = received.get("Messages")
        if not messages:
            continue
        answer = await functions.invoke(FunctionName="fn", Payload=event(messages))
        payload = json.loads(await answer["Payload"].read())
        if "FunctionError" in answer:
            continue
        failed = {failure["itemIdentifier"] for failure in payload["batchItemFailures"]}
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(messages)
            if message["MessageId"] not in failed
        ]
        if entries:
            await sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)


async def main(url: str) -> None:
    session = get_session()
    async with (
        session.create_client("sqs", region_name=_REGION, endpoint_url=url) as sqs,
        session.create_client("lambda", region_name=_REGION, endpoint_url=url) as functions,
    ):
        await asyncio.gather(*(loop(sqs, functions, f"{url}/000000000000/q") for _ in range(_LOOPS)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
