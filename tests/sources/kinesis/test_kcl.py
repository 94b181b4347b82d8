"""Lease tables of the Kinesis Client Library, as progress of a mapping: duplicates where in doubt, never a gap."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from poller.aws.port import Operation, Reply
from poller.policy.progress import LaneProgress, ShardProgress
from poller.sources.kinesis.kcl import Taker, left_by_kcl
from poller.values.errors import EnvironmentProblem, ServiceError
from tests.fakes.aws import FakeAws

ACCOUNT = "123456789012"
ENDED = ShardProgress(finished=True)


@dataclass
class Account:
    """The streams of an account, and one lease table."""

    aws: FakeAws = field(default_factory=FakeAws)
    leases: list[dict[str, Any]] = field(default_factory=list)
    page: int = 2
    scanned: Callable[[], None] = lambda: None

    async def call(self, operation: Operation, body: bytes, *rest: Any, **named: Any) -> Reply:
        if operation.name != "Scan":
            return await self.aws.call(operation, body, *rest, **named)
        request = json.loads(body)
        start = int(request.get("ExclusiveStartKey", {"leaseKey": {"S": "0"}})["leaseKey"]["S"])
        answer: dict[str, Any] = {"Items": self.leases[start : start + self.page]}
        if start + self.page < len(self.leases):
            answer["LastEvaluatedKey"] = {"leaseKey": {"S": str(start + self.page)}}
        reply = Reply(200, {}, json.dumps(answer).encode())
        self.scanned()
        return reply

    def lease(self, shard: str, checkpoint: str, sub: int = 0, **more: Any) -> None:
        row = {"leaseKey": {"S": shard}, "leaseCounter": {"N": "7"}, "checkpoint": {"S": checkpoint}}
        self.leases.append({**row, "checkpointSubSequenceNumber": {"N": str(sub)}, **more})

    async def taken(self, stream: Any, *, deaggregate: bool = False, at_time: bool = False) -> Any:
        taker = Taker("m", stream.arn, ACCOUNT, "eu-west-1", deaggregate, at_time)
        return await left_by_kcl(self, "app", taker)  # type: ignore[arg-type]

    async def refused(self, stream: Any, **how: bool) -> str:
        with pytest.raises(EnvironmentProblem) as refused:
            await self.taken(stream, **how)
        return str(refused.value)


@pytest.fixture
def account():
    return Account()


def at(position):
    return ShardProgress((LaneProgress(position),))


async def test_each_lease_becomes_the_progress_of_its_shard(account):
    stream = account.aws.stream("s", shards=4)
    one, two, three, four = stream.open_shards()
    account.lease(one, "4950")
    account.lease(two, "SHARD_END")
    account.lease(three, "TRIM_HORIZON")
    account.lease(four, "LATEST", pendingCheckpoint={"S": "9999"})
    account.lease("shardId-gone", "12")
    found = await account.taken(stream)
    assert found.shards == {one: at("4950"), two: ENDED, three: ShardProgress(), four: ShardProgress(initial=True)}
    assert (found.name, found.event_source_arn, found.epoch) == ("m", stream.arn, stream.label)
    assert found.start is not None


async def test_what_kcl_has_finished_and_forgotten_is_finished_and_what_it_has_not_seen_is_read(account):
    stream = account.aws.stream("s", shards=1)
    [first] = stream.open_shards()
    stream.split(first)
    low, high = stream.open_shards()
    stream.split(low)
    children = [shard for shard in stream.open_shards() if shard not in (low, high)]
    account.lease(children[0], "4950")
    account.lease(high, "4951")
    found = (await account.taken(stream)).shards
    assert found == {children[0]: at("4950"), high: at("4951"), low: ENDED, first: ENDED}


@pytest.mark.parametrize(
    ("sub", "deaggregate", "position"),
    [(0, False, "4950"), (3, False, "4950:3"), (0, True, "4950:0"), (3, True, "4950:3")],
)
async def test_a_place_inside_an_aggregate_is_kept_and_never_covers_the_whole_one(account, sub, deaggregate, position):
    stream = account.aws.stream("s")
    shard = stream.open_shards()[0]
    account.lease(shard, "4950", sub)
    assert (await account.taken(stream, deaggregate=deaggregate)).shards == {shard: at(position)}


async def test_of_a_table_of_several_streams_only_the_stream_itself_counts(account):
    stream = account.aws.stream("s")
    shard, created = stream.open_shards()[0], int(stream.created_at)
    account.lease(f"{ACCOUNT}:other:{created}:{shard}", "1")
    account.lease(f"{ACCOUNT}:s:{created - 9}:{shard}", "2")
    account.lease(f"210987654321:s:{created}:{shard}", "3")
    assert "has no lease of" in await account.refused(stream)
    account.lease(f"{ACCOUNT}:s:{created}:{shard}", "4")
    assert (await account.taken(stream)).shards == {shard: at("4")}


async def test_rows_that_are_no_leases_are_passed_over(account):
    stream = account.aws.stream("s")
    shard = stream.open_shards()[0]
    account.leases.append({"leaseKey": {"S": "worker-1"}, "entityType": {"S": "WORKER_METRICS"}})
    account.lease(shard, "4", entityType={"S": "LEASE"})
    assert (await account.taken(stream)).shards == {shard: at("4")}


async def test_nothing_is_taken_while_a_worker_renews_a_lease(account):
    stream = account.aws.stream("s")
    account.lease(stream.open_shards()[0], "4")

    def renew():
        account.leases[0]["leaseCounter"] = {"N": "8"}

    account.scanned = renew
    began = asyncio.get_running_loop().time()
    assert "a worker of KCL runs" in await account.refused(stream)
    assert asyncio.get_running_loop().time() - began == 30


@pytest.mark.parametrize(
    ("checkpoint", "at_time"), [("TRIM_HORIZON", True), ("AT_TIMESTAMP", False)], ids=["beginning", "time"]
)
async def test_a_lease_that_has_not_begun_wants_the_mapping_to_begin_there(account, checkpoint, at_time):
    stream = account.aws.stream("s")
    account.lease(stream.open_shards()[0], checkpoint)
    assert f"`starting_position` {checkpoint}" in await account.refused(stream, at_time=at_time)


async def test_a_lease_at_a_time_is_read_from_the_mapping_s(account):
    stream = account.aws.stream("s")
    account.lease(stream.open_shards()[0], "AT_TIMESTAMP")
    assert (await account.taken(stream, at_time=True)).shards == {stream.open_shards()[0]: ShardProgress()}


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"leaseKey": {"S": "a:b"}, "leaseCounter": {"N": "1"}, "checkpoint": {"S": "1"}},
        {"leaseKey": {"S": "a"}, "leaseCounter": {"N": "x"}, "checkpoint": {"S": "1"}},
        {"leaseKey": None},
    ],
)
async def test_a_table_that_is_none_of_kcl_s_is_refused(account, row):
    account.leases.append(row)
    assert "is no lease table of KCL" in await account.refused(account.aws.stream("s"))


async def test_a_checkpoint_that_is_not_known_is_no_position(account):
    stream = account.aws.stream("s")
    account.lease(stream.open_shards()[0], "SOMEWHERE")
    assert "not known: 'SOMEWHERE'" in await account.refused(stream)


async def test_a_stream_or_table_that_cannot_be_read_is_told(account):
    stream = account.aws.stream("s")
    account.aws.streams.delete_stream("s")
    assert "cannot be read" in await account.refused(stream)

    class Denied(Account):
        async def call(self, operation: Operation, body: bytes, *rest: Any, **named: Any) -> Reply:
            if operation.name == "Scan":
                raise ServiceError(400, "AccessDeniedException", "no")
            return await super().call(operation, body, *rest, **named)

    denied = Denied()
    assert "AccessDeniedException" in await denied.refused(denied.aws.stream("s"))
