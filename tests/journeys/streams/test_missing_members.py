"""A service that leaves out of its answers what its model does not require: nothing is lost, and nothing ends for ever.

Which members those are, the SDK's model of each service says. What can be delivered without them is; where something
cannot, it is said why, and everything goes on once the member is there again.
"""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import botocore.session
import pytest

from tests.journeys.streams.test_fan_out import FanOutWorld
from tests.journeys.streams.test_shard_ends import end_shards
from tests.journeys.streams.world import StreamLife, StreamWorld
from tests.present import present

WORLDS = {"kinesis": StreamWorld, "fan_out": FanOutWorld, "dynamodb": lambda: StreamWorld(table=True)}
ANSWERS = [
    ("kinesis", "kinesis", "GetRecords"),
    ("kinesis", "kinesis", "ListShards"),
    ("kinesis", "kinesis", "DescribeStreamSummary"),
    ("kinesis", "kinesis", "GetShardIterator"),
    ("fan_out", "kinesis", "SubscribeToShard"),
    ("dynamodb", "dynamodbstreams", "GetRecords"),
    ("dynamodb", "dynamodbstreams", "DescribeStream"),
    ("dynamodb", "dynamodbstreams", "GetShardIterator"),
]
UNDELIVERABLE = {
    "dynamodbstreams GetRecords Records": "unreachable",
    "dynamodbstreams GetRecords Records dynamodb": "unreadable_record",
    "dynamodbstreams GetRecords Records dynamodb SequenceNumber": "unreadable_record",
    "dynamodbstreams DescribeStream StreamDescription": "unreachable",
    "dynamodbstreams DescribeStream StreamDescription Shards": "unreachable",
    "dynamodbstreams DescribeStream StreamDescription Shards ShardId": "unreachable",
    "dynamodbstreams DescribeStream StreamDescription Shards SequenceNumberRange": "parent",
    "dynamodbstreams DescribeStream StreamDescription Shards SequenceNumberRange EndingSequenceNumber": "parent",
    "dynamodbstreams GetShardIterator ShardIterator": "unreachable",
    "kinesis ListShards Shards": "unreachable",
    "kinesis ListShards Shards SequenceNumberRange EndingSequenceNumber": "parent",
    "kinesis GetShardIterator ShardIterator": "unreachable",
}
"""What nothing can be delivered without, and the reason that is shown meanwhile."""


def optional(shape, path=()):
    """The paths of the members of a shape that are not required, lists being passed through."""
    if shape.type_name == "list":
        yield from optional(shape.member, path)
    elif shape.type_name == "structure":
        for name, member in shape.members.items():
            if not member.metadata.get("exception"):
                if name not in shape.required_members:
                    yield (*path, name)
                yield from optional(member, (*path, name))


def left_out():
    session = botocore.session.get_session()
    for way, service, operation in ANSWERS:
        shape = session.get_service_model(service).operation_model(operation).output_shape
        if operation == "SubscribeToShard":
            shape = shape.members["EventStream"].members["SubscribeToShardEvent"]
        for path in optional(shape):
            yield pytest.param(way, operation, path, id=" ".join((service, operation, *path)))


def without(value, path):
    if isinstance(value, list):
        return [without(one, path) for one in value]
    if not isinstance(value, dict) or path[0] not in value:
        return value
    rest = {name: one for name, one in value.items() if name != path[0]}
    return rest if len(path) == 1 else rest | {path[0]: without(value[path[0]], path[1:])}


@dataclass
class Stripped:
    """An event stream whose events lack something."""

    events: Any
    service: "Service"

    @property
    def date(self):
        return self.events.date

    async def event(self, room=None):
        event = await self.events.event(room)
        return None if event is None else self.service.changed("SubscribeToShard", event)

    async def close(self):
        await self.events.close()


class Service:
    """Between a world's account and its mapping: leaves out what `change` leaves out of the answers of operations."""

    def __init__(self, world, operations, change):
        self.change = change
        self.times = 0
        """How often something was left out."""
        self._operations = operations
        self._call, self._subscribe = world.aws.call, world.aws.subscribe
        world.aws.call, world.aws.subscribe = self.call, self.subscribe

    def put_right(self):
        self._operations = ()

    async def call(self, operation, body, timeout=None, **rest):  # noqa: ASYNC109
        reply = await self._call(operation, body, timeout, **rest)
        return replace(reply, body=self.changed(operation.name, reply.body))

    async def subscribe(self, operation, body):
        return Stripped(await self._subscribe(operation, body), self)

    def changed(self, operation, body):
        if operation not in self._operations:
            return body
        found = self.change(json.loads(body))
        self.times += found != json.loads(body)
        return json.dumps(found).encode()


def reasons(status):
    shown = [status.reason, *(one.reason for one in (*status.partitions, *status.waiting))]
    return {reason.code.value for reason in shown if reason is not None}


@pytest.mark.parametrize(("way", "operation", "path"), list(left_out()))
async def test_a_member_that_the_service_need_not_send_is_not_there(way, operation, path, request):
    world = WORLDS[way]()
    service = Service(world, {operation}, lambda answer: without(answer, path))
    for number in range(6):
        world.put(f"k{number}", number)
    life = StreamLife(world, world.mapping(parallelization_factor=2, batch_size=4, destination=True))
    await asyncio.sleep(20)
    end_shards(world)
    for number in range(6, 12):
        world.put(f"k{number}", number)
    await asyncio.sleep(100)
    expected = UNDELIVERABLE.get(request.node.callspec.id)
    if expected is None:
        assert world.lost() == set()
    else:
        assert service.times
        assert world.lost()
        assert expected in reasons(life.status)
    service.put_right()
    world.put("k", 12)
    await world.until_done(within=600)
    await life.end()
    assert world.breaches == []
    assert not life.log.named("partition_failed")


NAMES = {"PartitionKey": "partitionKey", "Data": "data", "ApproximateArrivalTimestamp": "approximateArrivalTimestamp"}


@pytest.mark.parametrize("missing", [["PartitionKey"], sorted(NAMES)], ids=" ".join)
@pytest.mark.parametrize("null", [False, True], ids=["left out", "null"])
@pytest.mark.parametrize("make", [StreamWorld, FanOutWorld])
async def test_a_record_without_a_partition_key_stops_its_shard(make, null, missing):
    """Streams that distribute their records by themselves have such records; lanes share them."""

    def bare(answer):
        for record in answer["Records"]:
            for name in missing:
                del record[name]
            record.update(dict.fromkeys(missing if null else ()))
        return answer

    world = make()
    service = Service(world, {"GetRecords", "SubscribeToShard"}, bare)
    for number in range(40):
        world.put("the same", number)
    seen: list[Any]
    lanes: Counter[Any]
    lanes, seen = Counter(), []

    async def handler(event):
        seen.extend(record["kinesis"] for record in event["Records"])
        lanes["now"] += 1
        lanes["most"] = max(lanes["most"], lanes["now"])
        await asyncio.sleep(1)
        lanes["now"] -= 1

    world.function.handler = handler
    life = StreamLife(world, world.mapping(parallelization_factor=4, batch_size=5, maximum_record_age_in_seconds=60))
    await world.until_done(within=60)
    await life.end()
    assert service.times
    assert world.breaches == []
    assert len(seen) == life.account.delivered == 40
    assert all(record[NAMES[name]] is None for record in seen for name in missing)
    assert lanes["most"] == 4


async def test_records_before_one_without_a_sequence_number_are_delivered_and_those_behind_it_wait():
    world = StreamWorld(table=True)
    numbers = [world.put(f"k{number}", number) for number in range(5)]

    def change(answer):
        for record in answer["Records"]:
            if record["dynamodb"]["SequenceNumber"] == numbers[3]:
                del record["dynamodb"]["SequenceNumber"]
        return answer

    service = Service(world, {"GetRecords"}, change)
    life = StreamLife(world, world.mapping())
    await asyncio.sleep(100)
    assert world.lost() == set(numbers[3:])
    reason = life.status.reason
    assert (life.status.state, present(reason).code) == ("problem", "unreadable_record")
    assert numbers[2] in present(reason).text
    assert "eventID" in present(reason).text
    assert life.account.polled == life.account.delivered == 3
    assert world.aws.calls["GetRecords"] < 30
    service.put_right()
    await world.until_done(within=120)
    assert (life.status.state, life.status.reason) == ("running", None)
    await life.end()
    world.check()
