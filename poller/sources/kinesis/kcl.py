"""Positions that the Kinesis Client Library left in its lease table, as progress of a mapping.

When in doubt a record is delivered again: of a position inside an aggregate, of a shard that begins at LATEST, and of
parents whose lease is gone while a child has none.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from poller.aws.port import Operation, Transport
from poller.policy.positions import inside
from poller.policy.progress import LaneProgress, ShardProgress, StreamProgress
from poller.sources.kinesis.api import KinesisApi
from poller.sources.sharded.api import Shard
from poller.support import codec
from poller.values.errors import CallError, EnvironmentProblem, StreamGone

SCAN = Operation("dynamodb", "Scan", "DynamoDB_20120810.Scan", timeout=30.0)
QUIET_SECONDS = 30.0
"""A worker of KCL renews each of its leases several times in it."""
ENDED, OLDEST, NEWEST, AT_TIME = "SHARD_END", "TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"
NONSENSE = (ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """One lease of the table."""

    key: str
    shard: str
    counter: int
    checkpoint: str
    sub_sequence: int
    stream: tuple[str, str, str] | None
    """Account, name and creation in seconds, of a table of several streams."""


@dataclass(frozen=True, slots=True)
class Taker:
    """The mapping that is to go on from there."""

    name: str
    stream_arn: str
    account: str
    region: str
    deaggregate: bool
    at_time: bool
    """Whether it starts at a time."""


async def left_by_kcl(transport: Transport, table: str, taker: Taker) -> StreamProgress:
    """What the lease table says of a stream. Takes half a minute, to see that nobody renews a lease.

    Raises EnvironmentProblem where a worker runs, where the table is none of KCL's, or cannot be read.
    """
    api = KinesisApi(transport, arn=taker.stream_arn, region=taker.region, invoke_identity_arn="")
    try:
        facts = await api.facts()
        before = await _rows(transport, table)
        await asyncio.sleep(QUIET_SECONDS)
        rows = await _rows(transport, table)
        shards = await api.shards()
    except (CallError, StreamGone) as error:
        raise EnvironmentProblem(f"the lease table {table} or its stream cannot be read: {error}") from error
    moving = sorted(key for key, row in rows.items() if key in before and before[key].counter != row.counter)
    if moving:
        raise EnvironmentProblem(
            f"a worker of KCL runs: it renewed {', '.join(moving[:3])} of {table} just now. Stop every worker, so that "
            "none moves its position after it was taken"
        )
    name, created = taker.stream_arn.rpartition("/")[2], str(int(float(facts.epoch)))
    mine = [row for row in rows.values() if row.stream in (None, (taker.account, name, created))]
    if not mine:
        raise EnvironmentProblem(f"the table {table} has no lease of {taker.stream_arn}")
    found = progress_of(mine, shards, deaggregate=taker.deaggregate, at_time=taker.at_time)
    start = facts.date if any(one.initial for one in found.values()) else None
    return StreamProgress(taker.name, taker.stream_arn, facts.epoch, start, found)


async def _rows(transport: Transport, table: str) -> dict[str, LeaseRow]:
    """Every lease by its key. Raises CallError and EnvironmentProblem."""
    found: dict[str, LeaseRow] = {}
    request: dict[str, Any] = {"TableName": table, "ConsistentRead": True}
    while True:
        reply = await transport.call(SCAN, codec.dumps(request))
        try:
            answer = codec.loads(reply.body)
            rows = [lease_of(written) for written in answer["Items"]]
            following = answer.get("LastEvaluatedKey")
        except NONSENSE as error:
            raise EnvironmentProblem(f"{table} is no lease table of KCL: {error!r:.200}") from error
        found |= {row.key: row for row in rows if row is not None}
        if not following:
            return found
        request["ExclusiveStartKey"] = following


def lease_of(written: Mapping[str, Any]) -> LeaseRow | None:
    """A row of the table; None for one that is no lease. Raises one of `NONSENSE`."""
    kind = written.get("entityType", {}).get("S", "lease")
    if kind.lower() != "lease":
        return None
    key = written["leaseKey"]["S"]
    *stream, shard = key.split(":")
    if len(stream) not in (0, 3):
        raise ValueError(f"the lease key {key!r} is neither a shard nor account:stream:creation:shard")
    return LeaseRow(
        key,
        shard,
        int(written["leaseCounter"]["N"]),
        written["checkpoint"]["S"],
        int(written.get("checkpointSubSequenceNumber", {}).get("N", "0")),
        (stream[0], stream[1], stream[2]) if stream else None,
    )


def progress_of(
    rows: Iterable[LeaseRow], shards: Iterable[Shard], *, deaggregate: bool, at_time: bool
) -> dict[str, ShardProgress]:
    """Progress by shard. KCL deletes the leases of shards that it has finished: what has a lease among its descendants,
    and none itself, is finished. Raises EnvironmentProblem.
    """
    listed = {shard.id: shard for shard in shards}
    leases = {row.shard: row for row in rows if row.shard in listed}
    found = {shard: _of_lease(row, deaggregate=deaggregate, at_time=at_time) for shard, row in leases.items()}
    waiting = [parent for shard in leases for parent in listed[shard].parents]
    while waiting:
        shard = waiting.pop()
        if shard in listed and shard not in found:
            found[shard] = ShardProgress(finished=True)
            waiting += listed[shard].parents
    return found


def _of_lease(row: LeaseRow, *, deaggregate: bool, at_time: bool) -> ShardProgress:
    match row.checkpoint:
        case "SHARD_END":
            return ShardProgress(finished=True)
        case "LATEST":
            return ShardProgress(initial=True)
        case "TRIM_HORIZON" if not at_time:
            return ShardProgress()
        case "AT_TIMESTAMP" if at_time:
            return ShardProgress()
        case "TRIM_HORIZON" | "AT_TIMESTAMP":
            raise EnvironmentProblem(
                f"the lease {row.key} has not begun yet, at {row.checkpoint}: give the mapping the `starting_position` "
                f"{row.checkpoint}, which is where it would begin"
            )
        case number if number.isdecimal():
            # an inner record is settled, and maybe not the rest of its aggregate
            partly = row.sub_sequence > 0 or deaggregate
            return ShardProgress((LaneProgress(inside(number, row.sub_sequence) if partly else number),))
    raise EnvironmentProblem(f"the lease {row.key} has a checkpoint that is not known: {row.checkpoint!r:.100}")
