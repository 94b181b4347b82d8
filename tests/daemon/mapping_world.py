"""The mapping operations of Lambda's API over a running engine on the fake AWS, in virtual time."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

from multidict import CIMultiDict, CIMultiDictProxy, MultiDict

from poller.configuration import load
from poller.daemon.api.lambda_api.changes import ChangeOperations
from poller.daemon.api.lambda_api.errors import LambdaError
from poller.daemon.api.lambda_api.mappings import MappingOperations
from poller.daemon.api.lambda_api.operation import Answer, Call
from poller.engine.app import Poller
from poller.ports.fleet import FleetStore
from poller.ports.store import StateStore
from poller.sources.sharded.limits import ReadLimits
from poller.state.memory.store import MemoryStore
from tests.engine.house import LocalTransports
from tests.fakes.aws import FakeAws
from tests.fakes.queue import loop_time
from tests.virtual_time import EPOCH

FUNCTION = "thumbnails"
STARTED_AT = 1000.5


class MappingWorld:
    """One daemon's engine. A store that outlives it makes the next one a restart."""

    def __init__(self, running: Poller, aws: FakeAws, path: Path) -> None:
        self.running = running
        self.aws = aws
        self._path = path
        operations = [
            *MappingOperations(running.catalog, STARTED_AT).operations(),
            *ChangeOperations(running.catalog, running.looking, STARTED_AT).operations(),
        ]
        self._operations = {operation.name: operation for operation in operations}

    async def answer(self, operation: str, parts: dict[str, str], query: Any, body: bytes) -> Answer:
        """What the operation answers. Raises LambdaError."""
        row = self._operations[operation]
        headers = CIMultiDictProxy(CIMultiDict[str]())
        return await row.handle(Call(parts, MultiDict(query), headers, body, "request", "eu-west-1"))

    async def create(self, **given: Any) -> dict[str, Any]:
        return self._body(await self.answer("CreateEventSourceMapping", {}, (), json.dumps(given).encode()), 202)

    async def update(self, uuid: str, **given: Any) -> dict[str, Any]:
        body = json.dumps(given).encode()
        return self._body(await self.answer("UpdateEventSourceMapping", {"UUID": uuid}, (), body), 202)

    async def delete(self, uuid: str) -> dict[str, Any]:
        return self._body(await self.answer("DeleteEventSourceMapping", {"UUID": uuid}, (), b""), 202)

    async def get(self, uuid: str) -> dict[str, Any]:
        return self._body(await self.answer("GetEventSourceMapping", {"UUID": uuid}, (), b""), 200)

    async def list(self, **query: str) -> dict[str, Any]:
        return self._body(await self.answer("ListEventSourceMappings", {}, query, b""), 200)

    async def tags(self, arn: str) -> dict[str, str]:
        tags: dict[str, str] = self._body(await self.answer("ListTags", {"ARN": arn}, (), b""), 200)["Tags"]
        return tags

    async def tag(self, arn: str, tags: Any) -> None:
        body = json.dumps({"Tags": tags}).encode()
        assert (await self.answer("TagResource", {"ARN": arn}, (), body)).status == 204

    async def untag(self, arn: str, *keys: str) -> None:
        query = [("tagKeys", key) for key in keys]
        assert (await self.answer("UntagResource", {"ARN": arn}, query, b"")).status == 204

    async def state(self, uuid: str) -> str:
        """`gone` for one that is no more."""
        try:
            return str((await self.get(uuid))["State"])
        except LambdaError as error:
            return "gone" if error.status == 404 else error.code

    async def settle(self, uuid: str, *states: str) -> None:
        """Wait until the mapping is in none of these states; each look must find one of them."""
        for _ in range(600):
            if (now := await self.state(uuid)) not in states:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"{uuid} is still {now}")

    def reload(self, **configuration: Any) -> None:
        """Run by another configuration."""
        self._path.write_text(json.dumps({"state": "memory:", **configuration}))
        self.running.apply(load([self._path], environ={}))

    @staticmethod
    def _body(answer: Answer, status: int) -> dict[str, Any]:
        assert answer.status == status
        body: dict[str, Any] = json.loads(json.dumps(answer.body))
        return body


@asynccontextmanager
async def mapping_world(
    tmp_path: Path,
    *,
    aws: FakeAws | None = None,
    store: StateStore | None = None,
    fleet: FleetStore | None = None,
    **configuration: Any,
) -> AsyncIterator[MappingWorld]:
    """From start to stop. `configuration` is a file's; queues `orders` and `more`, the stream `clicks` are there."""
    aws = aws or an_account()
    path = tmp_path / "poller.json"
    shared = {} if fleet is None else {"state": "sqlite:////shared", "fleet": {}}
    path.write_text(json.dumps({"state": "memory:", **shared, **configuration}))
    running = Poller(
        load([path], environ={}),
        store=store or MemoryStore(),
        fleet=fleet,
        clock=loop_time,
        transports=LocalTransports(aws),
        limits=ReadLimits(lambda _: nullcontext()),
        wall=lambda: EPOCH + asyncio.get_running_loop().time(),
    )
    async with running:
        yield MappingWorld(running, aws, path)
    assert not running.status.died


def an_account() -> FakeAws:
    """Sources and a function."""
    aws = FakeAws()
    aws.latency = 0.01
    aws.function(FUNCTION)
    aws.queue("orders")
    aws.queue("more")
    aws.stream("clicks")
    aws.table("events")
    return aws


async def refused(call: Any) -> tuple[int, str, str]:
    """Status, code and text of a refusal."""
    try:
        await call
    except LambdaError as error:
        return error.status, error.code, str(error)
    raise AssertionError("nothing was refused")
