"""Handles the messages of a queue with a function of this program, until the queue is empty.

python orders.py arn:aws:sqs:eu-west-1:123456789012:orders
"""

import asyncio
import sys

import poller


async def handle(event, context):
    for record in event["Records"]:
        print(f"order {record['body']}, {context.get_remaining_time_in_millis():,} ms left")


async def main(queue):
    async with poller.Poller(poller.configure()) as running:
        await running.add(name="orders", event_source_arn=queue, function_name=handle, receive_wait_seconds=1)
        await running.settled("orders", seconds=30)
        status = await running.pause("orders")
    print(f"{status.account.delivered} delivered, {status.account.unaccounted(0)} unaccounted for")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
