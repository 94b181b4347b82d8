"""Runs the mappings of configuration files, and beside them one of a stream with a plain function in threads.

python from_files.py poller.yaml arn:aws:kinesis:eu-west-1:123456789012:stream/clicks
"""

import asyncio
import sys

import poller


def count(event, _context):
    print(f"{len(event['Records'])} clicks")


async def main(path, stream):
    handler = poller.functions.Callable(count, timeout_seconds=60, concurrency=4)
    async with poller.Poller(poller.load(path)) as running:
        await running.add(
            name="clicks", event_source_arn=stream, function_name=handler, starting_position="TRIM_HORIZON"
        )
        for mapping in list(running.status.mappings):
            await running.settled(mapping.name)
            print(f"{mapping.name}: {mapping.state}, {mapping.account.delivered} delivered")
        await running.change("clicks", batch_size=500)
        await running.remove("clicks")


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except poller.ConfigurationError as error:
        sys.exit(str(error))
