"""Change streams: `python -m tests.benchmarks.changes` prints changes per CPU second, of poller and of a bare loop.

The bare loop is what one would write: `AsyncMongoClient.watch()`, a hundred changes gathered, turned into relaxed Extended
JSON by the driver's own `json_util`, and posted by aiohttp. Both read the double behind MongoDB's protocol, which is a
process of its own, as the function is. CPU is that of the reading process, between its first batch and its last.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import aiohttp
from aiohttp import web
from bson import json_util
from bson.objectid import ObjectId
from bson.timestamp import Timestamp
from pymongo import AsyncMongoClient

from tests.fakes.mongo.commands import FakeMongo
from tests.fakes.mongo.server import serving

CHANGES = 10_000
BATCH = 100
ROUNDS = 3
TICKS = os.sysconf("SC_CLK_TCK")


async def serve(changes: int) -> None:
    """The cluster and the function. Prints the two ports, then a line after the first batch and after the last."""
    mongo, seen = FakeMongo(time.time), 0
    for number in range(changes):
        order = {"customer": f"c-{number % 97}", "total": number / 7, "lines": [{"sku": "a-1", "n": 2}] * 3}
        document = {"_id": ObjectId(), "at": datetime.now(UTC), "n": number, "text": "x" * 100, **order}
        mongo.log.insert("shop", "orders", document)

    async def invoked(request: web.Request) -> web.Response:
        nonlocal seen
        before, seen = seen, seen + len(json.loads(await request.read())["events"])
        if not before or seen >= changes:
            sys.stdout.write("batch\n")
            sys.stdout.flush()
        return web.Response(body=b"null")

    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/", invoked)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with serving(mongo) as server:
        sys.stdout.write(f"{server.port} {runner.addresses[0][1]}\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().create_future()


async def bare(mongo: str, function: str) -> None:
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(f"mongodb://127.0.0.1:{mongo}/?replicaSet=rs0")
    options = json_util.RELAXED_JSON_OPTIONS
    watching = client["shop"]["orders"].watch(start_at_operation_time=Timestamp(1, 1), batch_size=1000)
    async with aiohttp.ClientSession() as session, await watching as stream:
        batch: list[dict[str, object]] = []
        async for change in stream:
            batch.append({"event": change})
            if len(batch) == BATCH:
                body = json_util.dumps({"events": batch}, json_options=options)
                async with session.post(f"http://127.0.0.1:{function}/", data=body) as answer:
                    await answer.read()
                batch = []


def daemon(mongo: str, function: str, folder: Path) -> list[str]:
    mapping = {
        "name": "m",
        "event_source_arn": "arn:aws:rds:eu-west-1:123456789012:cluster:c",
        "function_name": "fn",
        "starting_position": "TRIM_HORIZON",
        "batch_size": BATCH,
        "document_db_event_source_config": {"database_name": "shop", "collection_name": "orders"},
        "mongodb": {"uri": f"mongodb://127.0.0.1:{mongo}/?replicaSet=rs0"},
    }
    config = {
        "api": {"listen": "127.0.0.1:0"},
        "state": f"sqlite:///{folder / 'state.db'}",
        "functions": {"fn": {"type": "http", "url": f"http://127.0.0.1:{function}/"}},
        "event_source_mappings": [mapping],
    }
    path = folder / "poller.json"
    path.write_text(json.dumps(config))
    return ["poller", "run", "--config", str(path)]


def cpu(pid: int) -> float:
    """Seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def measured(*, poller: bool) -> float:
    """Changes per CPU second."""
    quiet = asyncio.subprocess.DEVNULL
    me = "tests.benchmarks.changes"
    service = await asyncio.create_subprocess_exec(
        sys.executable, "-m", me, "serve", str(CHANGES), stdout=asyncio.subprocess.PIPE
    )
    assert service.stdout is not None
    mongo, function = (await service.stdout.readline()).decode().split()
    with tempfile.TemporaryDirectory() as folder:
        program = daemon(mongo, function, Path(folder)) if poller else [me, "bare", mongo, function]
        reading = await asyncio.create_subprocess_exec(sys.executable, "-m", *program, stderr=quiet)
        await service.stdout.readline()
        begun = cpu(reading.pid)
        await service.stdout.readline()
        spent = cpu(reading.pid) - begun
        for process in (reading, service):
            process.kill()
            await process.wait()
    return CHANGES / spent


async def compared() -> None:
    found: dict[str, list[float]] = {"bare loop": [], "poller": []}
    for _ in range(ROUNDS):
        for name, rates in found.items():
            rates.append(await measured(poller=name == "poller"))
    for name, rates in found.items():
        sys.stdout.write(f"{name:12} {median(rates):10,.0f} changes per CPU second\n")
    sys.stdout.write(f"{'ratio':12} {median(found['poller']) / median(found['bare loop']):10.2f}\n")


def main() -> None:
    match sys.argv[1:]:
        case ["serve", changes]:
            asyncio.run(serve(int(changes)))
        case ["bare", mongo, function]:
            asyncio.run(bare(mongo, function))
        case _:
            asyncio.run(compared())


if __name__ == "__main__":
    main()
