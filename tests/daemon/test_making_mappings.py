"""Mappings made, changed, tagged and deleted through Lambda's API: their states, what is stored, what comes back."""

import asyncio
import json

import pytest

from poller.state.memory.store import MemoryStore
from poller.values.errors import StateError
from tests.daemon.mapping_world import FUNCTION, an_account, mapping_world, refused

NAMED = "arn:aws:lambda:eu-west-1:123456789012:function:thumbnails"
ACCOUNT = an_account()
QUEUE = ACCOUNT.queues["orders"].arn
MORE = ACCOUNT.queues["more"].arn
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
PATTERN = '{"body":  {"kind": ["order"]}}'
FAILED = "arn:aws:sqs:eu-west-1:123456789012:failed"
OF_A_QUEUE = {
    "EventSourceArn": QUEUE,
    "FunctionName": FUNCTION,
    "BatchSize": 5,
    "MaximumBatchingWindowInSeconds": 1,
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "ScalingConfig": {"MaximumConcurrency": 7},
    "FilterCriteria": {"Filters": [{"Pattern": PATTERN}]},
    "MetricsConfig": {"Metrics": ["EventCount"]},
}
OF_A_STREAM = {
    "EventSourceArn": STREAM,
    "FunctionName": f"{FUNCTION}:live",
    "StartingPosition": "TRIM_HORIZON",
    "BatchSize": 50,
    "MaximumBatchingWindowInSeconds": 2,
    "ParallelizationFactor": 3,
    "MaximumRetryAttempts": 0,
    "MaximumRecordAgeInSeconds": 120,
    "BisectBatchOnFunctionError": True,
    "DestinationConfig": {"OnFailure": {"Destination": FAILED}},
}
CHANGING = ("Creating", "Enabling", "Disabling", "Updating")


async def test_every_parameter_comes_back_as_it_was_given(tmp_path):
    async with mapping_world(tmp_path) as world:
        made = await world.create(**OF_A_QUEUE)
        assert {name: made[name] for name in OF_A_QUEUE if name != "FunctionName"} == {
            name: value for name, value in OF_A_QUEUE.items() if name != "FunctionName"
        }
        assert (made["FunctionArn"], made["State"], made["StateTransitionReason"]) == (
            NAMED,
            "Creating",
            "USER_INITIATED",
        )
        assert (
            made["EventSourceMappingArn"]
            == f"arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:{made['UUID']}"
        )
        assert not {"FunctionName", "Enabled", "Tags", "StartingPosition", "LastProcessingResult"} & made.keys()
        world.aws.function(FUNCTION)
        stream = await world.create(**OF_A_STREAM)
        assert {name: stream[name] for name in OF_A_STREAM if name != "FunctionName"} == {
            name: value for name, value in OF_A_STREAM.items() if name != "FunctionName"
        }
        assert stream["FunctionArn"] == f"{NAMED}:live"
        assert (stream["StateTransitionReason"], stream["LastProcessingResult"]) == (
            "User action",
            "No records processed",
        )
        listed = (await world.list())["EventSourceMappings"]
        assert {one["UUID"] for one in listed} == {made["UUID"], stream["UUID"]}
        await world.settle(made["UUID"], *CHANGING)
        assert {**await world.get(made["UUID"]), "State": "Creating"} == made


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (FUNCTION, NAMED),
        (f"{FUNCTION}:$LATEST", f"{NAMED}:$LATEST"),
        (f"123456789012:function:{FUNCTION}:3", f"{NAMED}:3"),
        (NAMED, NAMED),
        (
            f"arn:aws:lambda:eu-west-1:999999999999:function:{FUNCTION}",
            f"arn:aws:lambda:eu-west-1:999999999999:function:{FUNCTION}",
        ),
    ],
)
async def test_the_function_comes_back_as_its_arn_with_the_qualifier_that_was_given(tmp_path, given, shown):
    async with mapping_world(tmp_path) as world:
        assert (await world.create(EventSourceArn=QUEUE, FunctionName=given))["FunctionArn"] == shown


async def test_messages_flow_through_a_made_mapping_until_it_is_deleted(tmp_path):
    store, aws = MemoryStore(), an_account()
    async with mapping_world(tmp_path, aws=aws, store=store) as world:
        made = await world.create(EventSourceArn=QUEUE, FunctionName=FUNCTION)
        await world.settle(made["UUID"], *CHANGING)
        aws.queues["orders"].send("one")
        await world.running.settled(made["UUID"])
        assert world.running.status.mappings[0].account.delivered == 1
    async with mapping_world(tmp_path, aws=aws, store=store) as world:
        assert await world.state(made["UUID"]) == "Enabled"
        aws.queues["orders"].send("two")
        await world.running.settled(made["UUID"])
        assert (await world.delete(made["UUID"]))["State"] == "Deleting"
        await world.settle(made["UUID"], "Deleting")
        assert await world.state(made["UUID"]) == "gone"
        aws.queues["orders"].send("three")
        await asyncio.sleep(60)
        assert world.running.status.mappings == []
    assert len(aws.functions[FUNCTION].invocations.all) == 2


async def test_states_follow_what_is_asked_for(tmp_path):
    async with mapping_world(tmp_path) as world:
        queue = (await world.create(EventSourceArn=QUEUE, FunctionName=FUNCTION, Enabled=False))["UUID"]
        assert await world.state(queue) == "Disabled"
        stream = await world.create(**OF_A_STREAM, Enabled=False)
        assert stream["State"] == "Creating"
        await world.settle(stream["UUID"], "Creating")
        for uuid in (queue, stream["UUID"]):
            assert await world.state(uuid) == "Disabled"
            for enabled, meanwhile, then in ((True, "Enabling", "Enabled"), (False, "Disabling", "Disabled")):
                assert (await world.update(uuid, Enabled=enabled))["State"] == meanwhile
                code = await refused(world.update(uuid, BatchSize=2))
                assert code == (
                    400,
                    "ResourceInUseException",
                    "Cannot update the event source mapping because it is in use.",
                )
                code = await refused(world.delete(uuid))
                assert code == (
                    400,
                    "ResourceInUseException",
                    "Cannot delete the event source mapping because it is in use.",
                )
                await world.settle(uuid, meanwhile)
                assert await world.state(uuid) == then
        assert (await world.update(queue, BatchSize=3))["State"] == "Disabled"
        assert (await world.update(stream["UUID"], BatchSize=3))["State"] == "Updating"


async def test_an_update_keeps_what_it_does_not_name_and_takes_away_what_is_empty(tmp_path):
    async with mapping_world(tmp_path) as world:
        made = await world.create(**OF_A_QUEUE)
        await world.settle(made["UUID"], *CHANGING)
        changed = await world.update(made["UUID"], BatchSize=2, ScalingConfig=None)
        unlike = {name for name in made if made[name] != changed[name]}
        assert unlike == {"BatchSize", "State", "LastModified"}
        await world.settle(made["UUID"], *CHANGING)
        changed = await world.update(
            made["UUID"],
            FilterCriteria={},
            ScalingConfig={},
            FunctionResponseTypes=[],
            MetricsConfig={"Metrics": []},
        )
        assert not {"FilterCriteria", "ScalingConfig", "MetricsConfig"} & changed.keys()
        assert changed["FunctionResponseTypes"] == []
        stream = await world.create(**OF_A_STREAM)
        await world.settle(stream["UUID"], *CHANGING)
        changed = await world.update(stream["UUID"], DestinationConfig={"OnFailure": {"Destination": ""}})
        assert changed["DestinationConfig"] == {"OnFailure": {}}
        assert changed["MaximumRetryAttempts"] == 0


async def test_tags_are_given_and_taken_while_the_mapping_goes_on(tmp_path):
    async with mapping_world(tmp_path) as world:
        made = await world.create(EventSourceArn=QUEUE, FunctionName=FUNCTION, Tags={"team": "shop"})
        arn = made["EventSourceMappingArn"]
        await world.settle(made["UUID"], *CHANGING)
        begun = world.aws.calls["GetQueueAttributes"]
        await world.tag(arn, {"team": "sales", "stage": "é"})
        assert await world.tags(arn) == {"team": "sales", "stage": "é"}
        assert dict(world.running.status.mappings[0].tags) == {"team": "sales", "stage": "é"}
        await world.untag(arn, "team", "none")
        assert await world.tags(arn) == {"stage": "é"}
        assert await world.state(made["UUID"]) == "Enabled"
        await asyncio.sleep(5)
        assert world.aws.calls["GetQueueAttributes"] == begun
        assert (await refused(world.untag(arn)))[1] == "ValidationException"
        assert (await refused(world.tag(arn, {str(number): "" for number in range(51)})))[
            1
        ] == "InvalidParameterValueException"
        assert (await refused(world.tag(arn, {"aws:x": ""})))[1] == "InvalidParameterValueException"
        assert (await refused(world.tag(arn, {"x": 1})))[1] == "SerializationException"
        other = arn.replace("eu-west-1", "us-east-1")
        for call in (world.tags(other), world.tag(other, {}), world.untag(other, "a")):
            assert await refused(call) == (404, "ResourceNotFoundException", f"Event source mapping not found: {other}")


async def test_a_stream_mapping_made_after_one_was_deleted_begins_at_its_own_starting_position(tmp_path):
    store, aws = MemoryStore(), an_account()
    async with mapping_world(tmp_path, aws=aws, store=store) as world:
        made = (await world.create(EventSourceArn=STREAM, FunctionName=FUNCTION, StartingPosition="TRIM_HORIZON"))[
            "UUID"
        ]
        aws.streams.streams["clicks"].put("a", b"1")
        await asyncio.sleep(10)
        assert set(await store.stored()) == {made}
        await world.delete(made)
        await world.settle(made, "Deleting")
        again = await world.create(EventSourceArn=STREAM, FunctionName=FUNCTION, StartingPosition="TRIM_HORIZON")
        await asyncio.sleep(10)
        assert await world.state(again["UUID"]) == "Enabled"
        assert world.running.status.mappings[0].account.delivered == 1


async def test_a_pause_shows_as_disabled_and_an_update_that_enables_ends_it(tmp_path):
    async with mapping_world(tmp_path) as world:
        made = (await world.create(EventSourceArn=QUEUE, FunctionName=FUNCTION))["UUID"]
        await world.settle(made, *CHANGING)
        await world.running.pause(made)
        assert await world.state(made) == "Disabled"
        await world.update(made, BatchSize=3)
        await world.settle(made, *CHANGING)
        assert await world.state(made) == "Disabled"
        assert (await world.update(made, Enabled=True))["State"] == "Enabling"
        await world.settle(made, *CHANGING)
        assert await world.state(made) == "Enabled"


async def test_nothing_changes_where_it_cannot_be_stored(tmp_path):
    class Full(MemoryStore):
        full = False

        async def write_mapping(self, mapping):
            if self.full:
                raise StateError("the disk is full: /secret/path")
            return await super().write_mapping(mapping)

    store = Full()
    async with mapping_world(tmp_path, store=store) as world:
        made = await world.create(**OF_A_QUEUE)
        await world.settle(made["UUID"], *CHANGING)
        before = await world.get(made["UUID"])
        store.full = True
        for call in (
            world.create(EventSourceArn=MORE, FunctionName=FUNCTION),
            world.update(made["UUID"], BatchSize=1),
            world.delete(made["UUID"]),
            world.tag(made["EventSourceMappingArn"], {"a": "b"}),
        ):
            status, code, text = await refused(call)
            assert (status, code) == (500, "ServiceException")
            assert "/secret/path" not in text
        assert (await world.list())["EventSourceMappings"] == [before]
        assert [status.name for status in world.running.status.mappings] == [made["UUID"]]


async def test_several_calls_at_once_make_one_mapping_of_a_source_and_a_function(tmp_path):
    async with mapping_world(tmp_path) as world:
        calls = [world.create(EventSourceArn=QUEUE, FunctionName=FUNCTION) for _ in range(5)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        made = [answer for answer in answers if isinstance(answer, dict)]
        assert len(made) == 1
        assert {type(answer).__name__ for answer in answers} == {"dict", "LambdaError"}
        assert len((await world.list())["EventSourceMappings"]) == 1


async def test_130_made_mappings_are_listed_in_pages(tmp_path):
    aws = an_account()
    for number in range(130):
        aws.queue(f"q{number}")
    async with mapping_world(tmp_path, aws=aws) as world:
        base = QUEUE.rpartition(":")[0]
        for number in range(130):
            await world.create(EventSourceArn=f"{base}:q{number}", FunctionName=FUNCTION, Enabled=False)
        found: list[str] = []
        marker: dict[str, str] = {}
        while True:
            page = await world.list(MaxItems="60", **marker)
            found += [one["UUID"] for one in page["EventSourceMappings"]]
            if "NextMarker" not in page:
                break
            marker = {"Marker": page["NextMarker"]}
        assert (len(found), len(set(found))) == (130, 130)
        (one,) = (await world.list(EventSourceArn=f"{base}:q7"))["EventSourceMappings"]
        assert one["EventSourceArn"].endswith(":q7")
        assert len((await world.list(FunctionName=NAMED))["EventSourceMappings"]) == 100
        assert (await world.list(FunctionName=f"{FUNCTION}:1"))["EventSourceMappings"] == []


async def test_a_stored_mapping_is_plain_json(tmp_path):
    store = MemoryStore()
    async with mapping_world(tmp_path, store=store) as world:
        made = await world.create(**OF_A_QUEUE, Tags={"a": "b"})
    (stored,) = (await store.mappings()).values()
    assert json.loads(json.dumps(stored.parameters)) == {**OF_A_QUEUE, "Tags": {"a": "b"}}
    assert (stored.uuid, stored.revision, stored.modified) == (made["UUID"], 1, made["LastModified"])
