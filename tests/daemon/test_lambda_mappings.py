"""The configured mappings as an SDK's client lists and reads them from the daemon."""

import asyncio
import json
from contextlib import asynccontextmanager

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from poller.configuration import load
from poller.daemon.api.lambda_api.changes import ChangeOperations
from poller.daemon.api.lambda_api.mappings import MappingOperations
from poller.daemon.api.server import serve
from poller.engine.app import Poller
from poller.state.memory.store import MemoryStore
from tests.daemon.samples import Reloading

pytestmark = pytest.mark.real_time

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
NAMED = "arn:aws:lambda:eu-west-1:123456789012:function"
PATTERN = '{"body": {"kind": ["order"]}}'
FILES = [
    {
        "Name": "orders",
        "EventSourceArn": QUEUE,
        "FunctionName": "thumbnails:live",
        "ScalingConfig": {"MaximumConcurrency": 5},
        "FilterCriteria": {"Filters": [{"Pattern": PATTERN}]},
        "Tags": {"team": "shop"},
    },
    {
        "Name": "clicks",
        "EventSourceArn": STREAM,
        "FunctionName": "audit",
        "StartingPosition": "TRIM_HORIZON",
        "MaximumRetryAttempts": 0,
        "Enabled": False,
        "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:eu-west-1:123456789012:failed"}},
    },
]


@asynccontextmanager
async def client(tmp_path, mappings):
    """A function that calls an operation of botocore's client for Lambda, against mappings that do not run."""
    file = tmp_path / "poller.json"
    listen = {"listen": "127.0.0.1:0"}
    file.write_text(json.dumps({"state": "memory:", "api": listen, "event_source_mappings": mappings}))
    configuration = load([file], environ={})
    poller = Poller(configuration, store=MemoryStore())
    try:
        async with asyncio.timeout(50):
            await poller.open()
            operations = [
                *MappingOperations(poller.catalog, 1000.5).operations(),
                *ChangeOperations(poller.catalog, poller.looking, 1000.5).operations(),
            ]
            api = configuration.settings.api
            async with serve(poller.status, api, poller.steering, Reloading(), operations=operations) as address:
                made = botocore.session.Session().create_client(
                    "lambda",
                    region_name="eu-west-1",
                    endpoint_url=address,
                    aws_access_key_id="any",
                    aws_secret_access_key="any",
                    config=Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=10),
                )

                async def call(operation, **parameters):
                    return await asyncio.to_thread(getattr(made, operation), **parameters)

                yield call
                made.close()
    finally:
        await poller.close()


async def test_every_parameter_comes_back_as_lambda_shows_it(tmp_path):
    async with client(tmp_path, FILES) as call:
        listed = (await call("list_event_source_mappings"))["EventSourceMappings"]
        by_source = {one["EventSourceArn"]: one for one in listed}
        queue, stream = by_source[QUEUE], by_source[STREAM]
        assert queue["FunctionArn"] == f"{NAMED}:thumbnails:live"
        assert queue["FilterCriteria"] == {"Filters": [{"Pattern": PATTERN}]}
        assert queue["ScalingConfig"] == {"MaximumConcurrency": 5}
        assert (queue["BatchSize"], queue["StateTransitionReason"]) == (10, "USER_INITIATED")
        assert "StartingPosition" not in queue
        assert (stream["StartingPosition"], stream["MaximumRetryAttempts"]) == ("TRIM_HORIZON", 0)
        assert (stream["State"], stream["StateTransitionReason"]) == ("Disabled", "User action")
        assert stream["LastProcessingResult"] == "No records processed"
        assert stream["DestinationConfig"]["OnFailure"]["Destination"].endswith(":failed")
        for one in (queue, stream):
            got = await call("get_event_source_mapping", UUID=one["UUID"])
            assert {name: got[name] for name in one} == one
        assert (await call("list_tags", Resource=queue["EventSourceMappingArn"]))["Tags"] == {"team": "shop"}


async def test_250_mappings_are_listed_in_pages_and_found_by_source_and_function(tmp_path):
    mappings = [{"EventSourceArn": f"{QUEUE}{number}", "FunctionName": f"f{number}"} for number in range(250)]
    async with client(tmp_path, mappings) as call:
        found: list[str] = []
        marker: dict[str, str] = {}
        pages = 0
        while True:
            page = await call("list_event_source_mappings", **marker)
            found += [one["UUID"] for one in page["EventSourceMappings"]]
            pages += 1
            if "NextMarker" not in page:
                break
            marker = {"Marker": page["NextMarker"]}
        assert (len(set(found)), len(found), pages) == (250, 250, 3)
        for asked in ({"EventSourceArn": f"{QUEUE}7"}, {"FunctionName": "f7"}, {"FunctionName": f"{NAMED}:f7"}):
            (one,) = (await call("list_event_source_mappings", **asked))["EventSourceMappings"]
            assert one["EventSourceArn"] == f"{QUEUE}7"
        assert (await call("list_event_source_mappings", FunctionName="none"))["EventSourceMappings"] == []


async def test_what_would_change_a_configured_mapping_is_refused(tmp_path):
    async with client(tmp_path, FILES) as call:
        (one,) = (await call("list_event_source_mappings", EventSourceArn=QUEUE))["EventSourceMappings"]
        arn = one["EventSourceMappingArn"]
        for operation, given in (
            ("update_event_source_mapping", {"UUID": one["UUID"], "BatchSize": 1}),
            ("delete_event_source_mapping", {"UUID": one["UUID"]}),
            ("tag_resource", {"Resource": arn, "Tags": {"a": "b"}}),
            ("untag_resource", {"Resource": arn, "TagKeys": ["team"]}),
        ):
            with pytest.raises(ClientError) as refused:
                await call(operation, **given)
            assert refused.value.response["Error"]["Code"] == "ResourceConflictException"
            text = f"The mapping orders stands in the files of poller's configuration at {tmp_path}/poller.json:1: change it"
            assert text in str(refused.value)
        nobody = "00000000-0000-4000-8000-000000000000"
        unknown = f"arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:{nobody}"
        for operation, given in (
            ("get_event_source_mapping", {"UUID": nobody}),
            ("update_event_source_mapping", {"UUID": nobody}),
            ("delete_event_source_mapping", {"UUID": nobody}),
            ("list_tags", {"Resource": unknown}),
        ):
            with pytest.raises(ClientError) as refused:
                await call(operation, **given)
            assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
