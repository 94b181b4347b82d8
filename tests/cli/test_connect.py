"""`poller check --connect`: what it says of each target, with permissions refused, and that it changes nothing."""

import asyncio
import json

import pytest

from poller.cli.main import main
from tests.cli.connecting import ACCOUNT, FAILED, QUEUE, STREAM, World, lines, web, web_server
from tests.fakes.faults import ACCESS_DENIED, HANG, NOT_SENT, refused
from tests.live.daemon import configuration

HARMLESS = {
    "GetQueueAttributes",
    "DescribeStreamSummary",
    "DescribeStream",
    "ListShards",
    "GetShardIterator",
    "GetRecords",
    "Invoke",
    "DeleteMessageBatch",
    "ChangeMessageVisibilityBatch",
}
"""Invoke as a dry run; the last two with a receipt handle that no message has."""
DENIED = {
    "GetQueueAttributes": "sqs:GetQueueAttributes",
    "DeleteMessageBatch": "sqs:DeleteMessage",
    "ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "DescribeStreamSummary": "kinesis:DescribeStreamSummary",
    "ListShards": "kinesis:ListShards",
    "DescribeStream": "dynamodb:DescribeStream",
    "Invoke": "lambda:InvokeFunction",
}
"""What is refused, and the permission that is named. GetShardIterator and GetRecords are told apart below."""


async def test_what_is_there_and_allowed_is_ok_and_what_could_not_be_tried_is_said(tmp_path):
    found = await World(tmp_path).reach()
    assert {tries.answer for tries in found.values()} == {"ok"}
    assert len(found) == 5, "each once, however many mappings have it"
    assert "not tried: sqs:ReceiveMessage" in lines(found[QUEUE])
    assert "not tried: sqs:SendMessage" in lines(found[FAILED])
    assert lines(found[STREAM]) == ""


async def test_nothing_is_received_sent_invoked_or_changed(tmp_path):
    world = World(tmp_path)
    await world.reach()
    assert set(world.aws.calls) == HARMLESS
    assert world.function.invocations.peak == 0
    assert world.queue.counts() == (1, 0, 0)
    assert not world.aws.queues["failed"].messages
    assert not [entry for entry in world.aws.ledger.entries.values() if entry.receives]


@pytest.mark.parametrize(("operation", "action"), DENIED.items())
async def test_a_permission_that_is_missing_is_named(tmp_path, operation, action):
    world = World(tmp_path)
    world.aws.faults.always(operation, ACCESS_DENIED)
    found = await world.reach()
    refused_ones = {name: tries for name, tries in found.items() if not tries.ok}
    assert [tries.missing for tries in refused_ones.values()] == [[action]]
    (tries,) = refused_ones.values()
    assert tries.answer == "refused"
    assert f"missing permission: {action}; allow it to whoever runs this" in lines(tries)


async def test_what_comes_behind_a_refused_iterator_is_said_not_to_be_tried(tmp_path):
    world = World(tmp_path)
    world.aws.faults.always("GetShardIterator", ACCESS_DENIED)
    found = await world.reach()
    assert found[STREAM].missing == ["kinesis:GetShardIterator"]
    assert "not tried: kinesis:GetRecords" in lines(found[STREAM])
    assert found[world.table.arn].missing == ["dynamodb:GetShardIterator"]


async def test_all_missing_permissions_of_a_target_are_named_at_once(tmp_path):
    world = World(tmp_path)
    for operation in ("GetQueueAttributes", "DeleteMessageBatch", "GetRecords"):
        world.aws.faults.always(operation, ACCESS_DENIED)
    found = await world.reach()
    assert found[QUEUE].missing == ["sqs:GetQueueAttributes", "sqs:DeleteMessage"]
    assert found[STREAM].missing == ["kinesis:GetRecords"]


async def test_a_key_that_may_not_be_used_is_not_mistaken_for_the_stream(tmp_path):
    world = World(tmp_path)
    world.aws.faults.always("GetRecords", refused(400, "KMSAccessDeniedException", "not allowed to use the key"))
    found = await world.reach()
    assert found[STREAM].missing == ["kms:Decrypt"]
    assert "kinesis:GetRecords: KMSAccessDeniedException" in lines(found[STREAM])


async def test_a_role_that_has_to_be_allowed_is_named(tmp_path):
    role = f"arn:aws:iam::{ACCOUNT}:role/r"
    world = World(tmp_path)
    world.aws.faults.always("GetQueueAttributes", ACCESS_DENIED)
    found = await world.reach({"event_source_arn": QUEUE, "function_name": "ship"}, aws={"role_arn": role})
    assert f"allow it to {role}" in lines(found[QUEUE])


async def test_a_destination_that_may_not_be_asked_lacks_nothing(tmp_path):
    world = World(tmp_path)
    mapping = world.mappings()[1]
    world.aws.faults.always("GetQueueAttributes", ACCESS_DENIED)
    found = await world.reach(mapping)
    assert found[FAILED].ok
    assert "whether it is there (sqs:GetQueueAttributes is not allowed, and need not be)" in lines(found[FAILED])


async def test_what_is_missing_is_told_from_what_is_refused(tmp_path):
    world = World(tmp_path)
    world.aws.delete_queue("orders")
    world.aws.delete_queue("failed")
    world.aws.streams.delete_stream("clicks")
    mappings = world.mappings()
    mappings[0]["function_name"] = "nobody"
    found = await world.reach(*mappings)
    assert {name for name, tries in found.items() if tries.answer == "missing"} == {QUEUE, FAILED, STREAM, "nobody"}
    assert "check the ARN" in lines(found[QUEUE])
    assert world.aws.calls["DeleteMessageBatch"] == 0, "what is not there is asked nothing more"


async def test_what_does_not_answer_is_given_up_and_holds_up_nobody(tmp_path):
    world = World(tmp_path)
    world.aws.faults.always("ListShards", HANG)
    world.aws.faults.always("GetQueueAttributes", NOT_SENT)
    found = await world.reach()
    assert found[STREAM].answer == found[QUEUE].answer == "unreachable"
    assert found["ship"].ok


async def test_many_targets_are_reached_together(tmp_path):
    world = World(tmp_path)
    world.aws.latency = 1.0
    names = [f"q{n}" for n in range(40)]
    for name in names:
        world.aws.queue(name)
    arns = [f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{name}" for name in names]
    begun = asyncio.get_running_loop().time()
    found = await world.reach(*({"event_source_arn": arn, "function_name": "ship"} for arn in arns))
    assert all(found[arn].ok for arn in arns)
    one_by_one = 40 * 3 * world.aws.latency
    assert asyncio.get_running_loop().time() - begun < one_by_one / 10


@pytest.mark.live
def test_the_command_tells_it_in_a_table_and_ends_with_1_if_something_is_wrong(
    ministack, tmp_path, capsys, monkeypatch
):
    for name, value in ministack.environment().items():
        monkeypatch.setenv(name, value)
    url = ministack.create_queue("orders")
    ministack.send(url, "kept")
    topic = ministack.client("sns").create_topic(Name="failed")["TopicArn"]
    ministack.client("kinesis").create_stream(StreamName="clicks", ShardCount=1)
    orders = {"event_source_arn": ministack.queue_arn("orders"), "function_name": "nobody"}
    clicks = {
        "name": "clicks",
        "event_source_arn": f"arn:aws:kinesis:eu-west-1:{ministack.account}:stream/clicks",
        "function_name": "nobody",
        "starting_position": "LATEST",
        "destination_config": {"on_failure": {"destination": topic}},
    }
    path = configuration(tmp_path, orders, clicks)
    with pytest.raises(SystemExit) as ended:
        main(["check", "--connect", "--config", str(path)])
    printed = capsys.readouterr()
    assert ended.value.code == 1
    rows = {
        line.split()[1]: line.split()[2]
        for line in printed.out.splitlines()
        if line.startswith(("source ", "function ", "destination "))
    }
    assert rows == {
        ministack.queue_arn("orders"): "ok",
        clicks["event_source_arn"]: "ok",
        "nobody": "missing",
        topic: "ok",
    }
    assert "1 of 4 not as they should be" in printed.out
    (message,) = ministack.client("sqs").receive_message(QueueUrl=url, AttributeNames=["All"])["Messages"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


def test_a_configuration_that_is_wrong_reaches_nobody(tmp_path):
    path = tmp_path / "poller.json"
    path.write_text(json.dumps({"event_source_mappings": [{"event_source_arn": QUEUE}]}))
    with pytest.raises(SystemExit) as ended:
        main(["check", "--connect", "--config", str(path)])
    assert ended.value.code == 2


@pytest.mark.live
def test_the_command_ends_with_0_where_all_is_well(ministack, tmp_path, capsys, monkeypatch):
    for name, value in ministack.environment().items():
        monkeypatch.setenv(name, value)
    ministack.create_queue("orders")
    with web_server(lambda _: None) as port:
        orders = {"event_source_arn": ministack.queue_arn("orders"), "function_name": "web"}
        path = configuration(tmp_path, orders, **web(f"http://127.0.0.1:{port}/"))
        with pytest.raises(SystemExit) as ended:
            main(["check", "--connect", "--config", str(path)])
    assert not ended.value.code
    assert "sources, functions and destinations: 2 reached" in capsys.readouterr().out
