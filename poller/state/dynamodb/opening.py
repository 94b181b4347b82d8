"""Opens a table for a daemon's life, and makes it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from poller.aws.transports import Transports
from poller.state.dynamodb.fleet import DynamoDBFleet
from poller.state.dynamodb.items import item
from poller.state.dynamodb.table import ANSWER_SECONDS, CREATE, DESCRIBE, FORM, KEYS, SCAN, Refused, Table, Unmet
from poller.support import telemetry
from poller.values.errors import EnvironmentProblem, StateError, StoreAway

if TYPE_CHECKING:
    from poller.aws.transports import AwsSettings

VERSION = 1
MARK = ("poller", "schema")
"""The keys of the item that says whose table it is, and for which versions."""


@asynccontextmanager
async def opened(
    aws: "AwsSettings", name: str, region: str, fleet: str, seconds: float = ANSWER_SECONDS
) -> AsyncIterator[DynamoDBFleet]:
    """The rows of a fleet. Raises StoreAway where the table does not answer, and EnvironmentProblem where a person must
    change something. `seconds` is the deadline of each call.
    """
    async with _table(aws, name, region, seconds) as table:
        try:
            await judge(table)
        except Refused as error:
            raise EnvironmentProblem(str(error)) from error
        except StateError as error:
            raise StoreAway(str(error)) from error
        yield DynamoDBFleet(table, fleet)


@asynccontextmanager
async def _table(aws: "AwsSettings", name: str, region: str, seconds: float) -> AsyncIterator[Table]:
    transports = Transports(telemetry.logger())
    url, own = aws.for_service("dynamodb")
    try:
        # a local endpoint may know a single region, as for every service
        transport = await transports.get(aws, (own or region) if url else region)
        yield Table(transport, name, region, seconds)
    finally:
        await transports.close()


async def made(aws: "AwsSettings", name: str, region: str) -> str:
    """Make the table where there is none. Returns what it is, for a person. Raises EnvironmentProblem."""
    async with _table(aws, name, region, ANSWER_SECONDS) as table:
        try:
            try:
                await table.call(DESCRIBE, {"TableName": name})
            except Refused:
                await table.call(CREATE, {"TableName": name, **FORM})
                return f"the table {table.where} is being made, with on-demand capacity; it takes some seconds"
            await judge(table)
        except StateError as error:
            raise EnvironmentProblem(str(error)) from error
        return f"the table {table.where} is right"


async def judge(table: Table) -> None:
    """Raises StateError, and EnvironmentProblem for a table that is not this program's, or of no use to it."""
    found: dict[str, Any] = (await table.call(DESCRIBE, {"TableName": table.name})).get("Table") or {}
    where = table.where
    if found.get("TableStatus") == "CREATING":
        raise StateError(f"the store {where} is still being made")
    if found.get("KeySchema") != KEYS["KeySchema"]:
        raise EnvironmentProblem(f"the store {where} is a table of another program; give `state` another name")
    if found.get("Replicas"):
        raise EnvironmentProblem(
            f"the store {where} is a global table: writes in two regions would both be taken, and two daemons have one "
            "shard. Give `state` a table of one region"
        )
    mark = await table.get(*MARK)
    if mark is None:
        mark = await _marked(table)
    if mark["oldest"] > VERSION:
        raise EnvironmentProblem(
            f"the store {where} was made by a newer poller (schema {mark['version']}, for versions from "
            f"{mark['oldest']} on; this one is {VERSION}); run that version, or give `state` another name"
        )


async def _marked(table: Table) -> Any:
    """Mark an empty table as this program's."""
    if (await table.call(SCAN, {"TableName": table.name, "Limit": 1, "ConsistentRead": True})).get("Items"):
        # several may find it empty at the same moment, and one of them may be further
        mark = await table.get(*MARK)
        if mark is None:
            raise EnvironmentProblem(
                f"the store {table.where} holds items of another program; give `state` a table of its own"
            )
        return mark
    pk, sk = MARK
    try:
        await table.put(item(pk=pk, sk=sk, version=VERSION, oldest=VERSION), new=True)
    except Unmet as unmet:
        return unmet.item or {"version": VERSION, "oldest": VERSION}
    return {"version": VERSION, "oldest": VERSION}
