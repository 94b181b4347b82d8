"""boto3 as it comes from PyPI manages mappings and invokes functions at a running daemon, as at Lambda."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.live.api_world import FUNCTION, SOURCES, configuration, seen
from tests.live.daemon import Daemon, running, until

pytestmark = [pytest.mark.live, pytest.mark.heavy]


@contextmanager
def client(daemon: Daemon) -> Iterator[Any]:
    """The client of a user: signs, and repeats by itself."""
    made = boto3.client(
        "lambda",
        endpoint_url=daemon.address,
        region_name="eu-west-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )
    yield made
    made.close()


def state(client: Any, uuid: str) -> str:
    try:
        return str(client.get_event_source_mapping(UUID=uuid)["State"])
    except client.exceptions.ResourceNotFoundException:
        return "gone"


@pytest.mark.parametrize("name", SOURCES)
def test_a_mapping_lives_from_create_to_delete_and_records_flow_meanwhile(ministack, tmp_path, name):
    source = SOURCES[name](ministack)
    filtered = "FilterCriteria" in source.parameters
    config = configuration(tmp_path, ministack)
    with running(config, ministack.environment()) as daemon, client(daemon) as calls:
        source.send("keep 1")
        made = calls.create_event_source_mapping(
            EventSourceArn=source.arn, FunctionName=FUNCTION, Tags={"team": "shop"}, **source.parameters
        )
        uuid = made["UUID"]
        assert {key: made[key] for key in source.parameters} == source.parameters
        until(lambda: state(calls, uuid) == "Enabled", "the mapping to be enabled")
        until(lambda: seen(tmp_path) == ["keep 1"], "the first record")
        changed = calls.update_event_source_mapping(UUID=uuid, **source.changes)
        assert changed["State"] == "Updating"
        assert {key: changed.get(key, {}) for key in source.changes} == source.changes
        while filtered and daemon.status()[uuid]["state"] != "running":
            # a long poll under way returns with it
            source.send("drop")
        until(lambda: state(calls, uuid) == "Enabled", "the change")
        calls.tag_resource(Resource=made["EventSourceMappingArn"], Tags={"stage": "test"})
        calls.untag_resource(Resource=made["EventSourceMappingArn"], TagKeys=["team"])
        daemon.terminate()
        # as above; without it, a queue's receive would be given a message when nobody is there any more
        if filtered:
            source.send("drop")
        assert daemon.wait() == 0
        assert daemon.wait_for_log("stopped")["mappings"][uuid]["delivered"] == 1
    with running(config, ministack.environment()) as daemon, client(daemon) as calls:
        daemon.wait_until_running(uuid)
        (listed,) = (
            calls.get_paginator("list_event_source_mappings").paginate().build_full_result()["EventSourceMappings"]
        )
        unlike = {key for key in changed if key != "ResponseMetadata" and listed.get(key) != changed[key]}
        assert unlike <= {"State", "LastModified", "LastProcessingResult"}
        assert calls.list_tags(Resource=made["EventSourceMappingArn"])["Tags"] == {"stage": "test"}
        source.send("keep 2")
        until(lambda: seen(tmp_path) == ["keep 1", "keep 2"], "the record after the restart")
        assert calls.delete_event_source_mapping(UUID=uuid)["State"] == "Deleting"
        source.send("keep 3")
        until(lambda: state(calls, uuid) == "gone", "the end of the mapping")
        assert daemon.status() == {}
        daemon.stop()
    with running(config, ministack.environment()) as daemon, client(daemon) as calls:
        assert calls.list_event_source_mappings()["EventSourceMappings"] == []
        daemon.stop()
    assert seen(tmp_path) == ["keep 1", "keep 2"]


def test_refusals_are_the_exceptions_that_the_sdk_knows(ministack, tmp_path):
    queue = SOURCES["queue"](ministack)
    with running(configuration(tmp_path, ministack), ministack.environment()) as daemon, client(daemon) as calls:
        known, given = calls.exceptions, {"EventSourceArn": queue.arn, "FunctionName": FUNCTION}
        calls.create_event_source_mapping(**given, Enabled=False)
        with pytest.raises(known.ResourceConflictException, match="already exists"):
            calls.create_event_source_mapping(**given)
        with pytest.raises(known.InvalidParameterValueException, match="NonExistentQueue"):
            calls.create_event_source_mapping(EventSourceArn=f"{queue.arn}-none", FunctionName=FUNCTION)
        with pytest.raises(known.ResourceNotFoundException):
            calls.delete_event_source_mapping(UUID="00000000-0000-4000-8000-000000000000")
        with pytest.raises(ClientError, match="ValidationException"):
            calls.create_event_source_mapping(**given, BatchSize=10_001)
        daemon.stop()


def test_a_function_is_invoked_with_its_log_and_its_errors(ministack, tmp_path):
    with running(configuration(tmp_path, ministack), ministack.environment()) as daemon, client(daemon) as calls:
        answer = calls.invoke(FunctionName=FUNCTION, Payload=b'{"Records": []}', LogType="Tail")
        assert json.load(answer["Payload"]) == {"records": 0}
        assert b"an answer is on its way" in base64.b64decode(answer["LogResult"])
        answer = calls.invoke(FunctionName=FUNCTION, Payload=b'{"do": "exit"}')
        assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
        assert json.load(answer["Payload"])["errorType"] == "Runtime.ExitError"
        assert [one["FunctionName"] for one in calls.list_functions()["Functions"]] == [FUNCTION]
        daemon.stop()


def test_an_event_is_accepted_at_once_and_its_end_is_told_to_the_destination(ministack, tmp_path):
    queue = ministack.create_queue("events")
    told = ministack.create_queue("well")
    asynchronous = {"queue": ministack.queue_arn("events"), "on_success": ministack.queue_arn("well")}
    config = configuration(tmp_path, ministack, asynchronous=asynchronous)
    with running(config, ministack.environment()) as daemon, client(daemon) as calls:
        given = {"FunctionName": FUNCTION, "InvocationType": "Event"}
        answer = calls.invoke(**given, Payload=b'{"Records": [{"body": "later"}], "total": 1.50}')
        assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
        until(lambda: seen(tmp_path) == ["later"], "the invocation")
        sqs = ministack.client("sqs")
        (message,) = until(lambda: sqs.receive_message(QueueUrl=told).get("Messages"), "the record")
        record = json.loads(message["Body"])
        assert record["requestContext"]["condition"] == "Success"
        assert record["requestContext"]["requestId"] == answer["ResponseMetadata"]["RequestId"]
        assert '"total": 1.50' in message["Body"]
        assert record["responsePayload"] == {"records": 1}
        with pytest.raises(calls.exceptions.RequestTooLargeException):
            calls.invoke(**given, Payload=json.dumps("x" * 1_000_000).encode())
        with pytest.raises(calls.exceptions.InvalidRequestContentException):
            calls.invoke(**given, Payload=b"{")
        daemon.terminate()
        # a long poll under way returns with it
        ministack.send(queue, "{}")
        assert daemon.wait() == 0
