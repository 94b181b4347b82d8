"""The yardstick for idle queues: `python -m tests.benchmarks.bare_idle URL N` long-polls N queues on a stock client."""

import asyncio
import sys
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session


async def poll(sqs: Any, queue_url: str) -> None:
    while True:
        await sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)


async def main(url: str, count: int) -> None:
    config = AioConfig(max_pool_connections=count)
    async with get_session().create_client("sqs", region_name="us-east-1", endpoint_url=url, config=config) as sqs:
        await asyncio.gather(*(poll(sqs, f"{url}/000000000000/q{number}") for number in range(count)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
