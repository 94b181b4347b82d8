"""The yardstick for streams: what one writes first with aiobotocore.

`python -m tests.benchmarks.bare_streams URL kinesis|dynamodb` runs one loop for each shard, of read, event and invoke,
on stock clients until it is killed. Normal practice, no tricks: the SDK's defaults, a second of rest when there is
nothing to read.
"""

import asyncio
import base64
import json
import sys
from datetime import datetime
from typing import Any

from aiobotocore.session import get_session

from .streams import KINESIS_ARN, REGION, TABLE_ARN

_BATCH = 1000
_REST = 1.0


def kinesis_event(shard: str, records: list[dict[str, Any]]) -> bytes:
    events = [
        {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": record["PartitionKey"],
                "sequenceNumber": record["SequenceNumber"],
                "data": base64.b64encode(record["Data"]).decode(),
                "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"].timestamp(),
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{shard}:{record['SequenceNumber']}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::000000000000:role/r",
            "awsRegion": REGION,
            "eventSourceARN": KINESIS_ARN,
        }
        for record in records
    ]
    return json.dumps({"Records": events}).encode()


def _plain(value: Any) -> Any:
    """What the SDK made of timestamps and binary values, as JSON."""
    return value.timestamp() if isinstance(value, datetime) else base64.b64encode(value).decode()


def table_event(shard: str, records: list[dict[str, Any]]) -> bytes:
    del shard  # the SDK's record is almost the event's
    events = [{**record, "eventVersion": "1.1", "eventSourceARN": TABLE_ARN} for record in records]
    return json.dumps({"Records": events}, default=_plain).encode()


async def loop(streams: Any, functions: Any, shard: str, iterator: str, event: Any) -> None:
    while True:
        page = await streams.get_records(ShardIterator=iterator, Limit=_BATCH)
        iterator = page["NextShardIterator"]
        if not page["Records"]:
            await asyncio.sleep(_REST)
            continue
        answer = await functions.invoke(FunctionName="fn", Payload=event(shard, page["Records"]))
        await answer["Payload"].read()


async def main(url: str, source: str) -> None:
    session = get_session()
    service = "kinesis" if source == "kinesis" else "dynamodbstreams"
    async with (
        session.create_client(service, region_name=REGION, endpoint_url=url) as streams,
        session.create_client("lambda", region_name=REGION, endpoint_url=url) as functions,
    ):
        if source == "kinesis":
            named, event = {"StreamARN": KINESIS_ARN}, kinesis_event
            shards = (await streams.list_shards(**named))["Shards"]
        else:
            named, event = {"StreamArn": TABLE_ARN}, table_event
            shards = (await streams.describe_stream(**named))["StreamDescription"]["Shards"]
        loops = []
        for shard in (one["ShardId"] for one in shards):
            found = await streams.get_shard_iterator(**named, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
            loops.append(loop(streams, functions, shard, found["ShardIterator"], event))
        await asyncio.gather(*loops)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
