"""Mappings of DocumentDB made through Lambda's API, over a fake cluster: what comes back, what flows, what is refused."""

import asyncio
from contextlib import asynccontextmanager, nullcontext

import pytest

from poller.sources.documentdb.building import ChangeStreamBuilder
from poller.sources.kind import Shared
from poller.sources.sharded.limits import ReadLimits
from poller.state.memory.store import MemoryStore
from tests.daemon.mapping_world import FUNCTION, an_account, mapping_world, refused
from tests.daemon.test_making_mappings import CHANGING
from tests.fakes.mongo.commands import FakeMongo
from tests.fakes.mongo.port import FakeServer
from tests.fakes.streams.account import virtual_clock

INVALID = "InvalidParameterValueException"
CLUSTER = "arn:aws:rds:eu-west-1:123456789012:cluster:shop"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop-AbCdEf"
ACCESS = [{"Type": "BASIC_AUTH", "URI": SECRET}]
ORDERS = {"DatabaseName": "shop", "CollectionName": "orders"}
GIVEN = {
    "EventSourceArn": CLUSTER,
    "FunctionName": FUNCTION,
    "StartingPosition": "TRIM_HORIZON",
    "BatchSize": 50,
    "DocumentDBEventSourceConfig": {**ORDERS, "FullDocument": "UpdateLookup"},
    "SourceAccessConfigurations": ACCESS,
}


def given(**changed):
    """None leaves a parameter out."""
    return {name: value for name, value in {**GIVEN, **changed}.items() if value is not None}


def config(**changed):
    return given(DocumentDBEventSourceConfig={name: value for name, value in {**ORDERS, **changed}.items() if value})


@asynccontextmanager
async def cluster(tmp_path):
    """A daemon, and the cluster that every ARN of one leads to."""
    mongo, aws, store = FakeMongo(virtual_clock), an_account(), MemoryStore()
    async with mapping_world(tmp_path, aws=aws, store=store) as world:
        shared = Shared(store, set(), ReadLimits(lambda _: nullcontext()))
        world.running.wiring.builders["documentdb"] = ChangeStreamBuilder(shared, lambda _: FakeServer(mongo))
        yield world, mongo


async def test_every_parameter_of_a_cluster_comes_back_and_changes_flow_until_it_is_deleted(tmp_path):
    async with cluster(tmp_path) as (world, mongo):
        made = await world.create(**GIVEN)
        assert {name: made[name] for name in GIVEN if name != "FunctionName"} == {
            name: value for name, value in GIVEN.items() if name != "FunctionName"
        }
        # the default of half a second is no number of whole seconds, and Lambda leaves it out too
        assert "MaximumBatchingWindowInSeconds" not in made
        assert (made["LastProcessingResult"], made["StateTransitionReason"]) == ("No records processed", "User action")
        assert made["EventSourceMappingArn"].startswith("arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:")
        uuid = made["UUID"]
        await world.settle(uuid, *CHANGING)
        mongo.log.insert("shop", "orders", {"_id": 1})
        mongo.log.insert("shop", "other", {"_id": 2})
        await asyncio.sleep(30)
        assert world.running.status.mappings[0].account.delivered == 1
        assert [one["UUID"] for one in (await world.list(EventSourceArn=CLUSTER))["EventSourceMappings"]] == [uuid]
        await world.delete(uuid)
        await world.settle(uuid, "Deleting")
        assert await world.state(uuid) == "gone"


async def test_what_was_not_given_is_left_out_or_filled_in_as_at_lambda(tmp_path):
    async with cluster(tmp_path) as (world, _):
        made = await world.create(**given(BatchSize=None, DocumentDBEventSourceConfig={"DatabaseName": "shop"}))
        assert made["DocumentDBEventSourceConfig"] == {"DatabaseName": "shop", "FullDocument": "Default"}
        assert made["BatchSize"] == 100


async def test_an_update_changes_how_documents_are_read_and_never_which(tmp_path):
    async with cluster(tmp_path) as (world, _):
        uuid = (await world.create(**GIVEN))["UUID"]
        await world.settle(uuid, *CHANGING)
        changed = await world.update(
            uuid, DocumentDBEventSourceConfig={"FullDocument": "Default"}, MaximumBatchingWindowInSeconds=3
        )
        assert changed["DocumentDBEventSourceConfig"] == {**ORDERS, "FullDocument": "Default"}
        assert changed["MaximumBatchingWindowInSeconds"] == 3
        assert changed["SourceAccessConfigurations"] == ACCESS
        await world.settle(uuid, *CHANGING)
        other = [{"Type": "BASIC_AUTH", "URI": SECRET + "2"}]
        assert (await world.update(uuid, SourceAccessConfigurations=other))["SourceAccessConfigurations"] == other
        await world.settle(uuid, *CHANGING)
        for name, value in ORDERS.items():
            answer = await refused(world.update(uuid, DocumentDBEventSourceConfig={name: value}))
            assert answer == (400, INVALID, f"{name} cannot be changed by an update; create another mapping")
        assert (await world.get(uuid))["DocumentDBEventSourceConfig"] == {**ORDERS, "FullDocument": "Default"}


async def test_database_and_collection_are_part_of_what_a_second_mapping_may_not_share(tmp_path):
    async with cluster(tmp_path) as (world, _):
        uuid = (await world.create(**GIVEN))["UUID"]
        await world.create(**config(CollectionName="carts"))
        await world.create(**config(CollectionName=None))
        status, code, text = await refused(world.create(**config(FullDocument="Default")))
        assert (status, code) == (409, "ResourceConflictException")
        assert uuid in text


@pytest.mark.parametrize(
    ("parameters", "code", "begin"),
    [
        (given(DocumentDBEventSourceConfig=None), INVALID, "Invalid parameters: documentDBEventSourceConfig, database"),
        (config(DatabaseName=None), INVALID, "Invalid parameters: documentDBEventSourceConfig, databaseName"),
        (given(SourceAccessConfigurations=None), INVALID, "Invalid parameters: sourceAccessConfigurations, source"),
        (given(SourceAccessConfigurations=ACCESS * 2), INVALID, "Invalid parameters: sourceAccessConfigurations"),
        (
            given(SourceAccessConfigurations=[{"Type": "VPC_SUBNET", "URI": "subnet-1"}]),
            INVALID,
            "Invalid parameters: sourceAccessConfigurations",
        ),
        (
            given(SourceAccessConfigurations=[{"Type": "PASSWORD", "URI": SECRET}]),
            "ValidationException",
            "1 validation error detected: Value 'PASSWORD' at 'sourceAccessConfigurations.1.member.type' failed",
        ),
        (
            given(SourceAccessConfigurations=[{"Type": "BASIC_AUTH", "URI": '{"password": "x"}'}]),
            "ValidationException",
            "1 validation error detected",
        ),
        (
            config(FullDocument="Always"),
            "ValidationException",
            "1 validation error detected: Value 'Always' at 'documentDBEventSourceConfig.fullDocument' failed to satisf",
        ),
        (config(DatabaseName="a.b"), "ValidationException", "1 validation error detected: Value 'a.b'"),
        (config(DatabaseName="x" * 64), "ValidationException", "1 validation error detected"),
        (config(CollectionName="system.users"), "ValidationException", "1 validation error detected"),
        (config(CollectionName="x" * 58), "ValidationException", "1 validation error detected"),
        (given(DocumentDBEventSourceConfig=[]), "SerializationException", "START_ARRAY can not be converted to Str"),
        (config(DatabaseName=5), "SerializationException", "NUMBER_VALUE can not be converted to String"),
        (given(SourceAccessConfigurations={}), "SerializationException", "START_OBJECT can not be converted to List"),
        (given(StartingPosition=None), INVALID, "1 validation error detected: Value null at 'startingPosition'"),
        (given(StartingPosition="AT_TIMESTAMP"), INVALID, "When the starting position is 'AT_TIMESTAMP', a starting"),
        (given(ScalingConfig={"MaximumConcurrency": 2}), INVALID, "Unsupported ScalingConfig parameter"),
        (given(Mongodb={"uri": "mongodb://h"}), INVALID, "Mongodb is not a parameter"),
    ],
)
async def test_a_mapping_of_a_cluster_is_refused_with_the_member_s_name(tmp_path, parameters, code, begin):
    async with cluster(tmp_path) as (world, _):
        status, named, text = await refused(world.create(**parameters))
        assert (status, named) == (400, code)
        assert text.startswith(begin)
        assert await world.running.store.mappings() == {}
