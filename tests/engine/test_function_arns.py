"""One ARN for a function, whoever names it, and of the place where it is called; and the partitions of the SDK's table."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import create_loader

from poller.aws.chain import open_session
from poller.aws.endpoints import resolve_endpoint
from poller.cli.permissions import policies
from poller.configuration import AwsSettings, Configuration, load
from poller.functions.arns import arn_of
from poller.functions.runtime_api.building import settings_of
from poller.functions.type import Place
from poller.policy.invocation_record import Discarded
from poller.sources.kinesis.api import KinesisApi
from poller.sources.sharded.notifying import notifier
from poller.values.partitions import dns_suffix, partition_of
from poller.values.queues import queue_url
from tests.engine.house import LocalTransports
from tests.fakes.aws import FakeAws

OURS, OTHER = "123456789012", "999999999999"
ROLE = f"arn:aws:iam::{OTHER}:role/r"
NAMES = {
    "a bare name, in the stream's region": ("f", {}, "us-east-1", f"us-east-1:{OURS}:function:f"),
    "a bare name, where the settings say": ("f", {"region": "eu-west-1"}, "us-east-1", f"eu-west-1:{OURS}:function:f"),
    "a role of another account": ("f:live", {"role_arn": ROLE}, "us-east-1", f"us-east-1:{OTHER}:function:f:live"),
    "a partial ARN": (f"{OTHER}:function:f", {}, "us-east-1", f"us-east-1:{OTHER}:function:f"),
    "an ARN": (
        f"arn:aws:lambda:eu-north-1:{OTHER}:function:f:3",
        {"region": "eu-west-1"},
        "us-east-1",
        f"eu-north-1:{OTHER}:function:f:3",
    ),
    "another partition": ("f", {}, "eusc-de-east-1", f"eusc-de-east-1:{OURS}:function:f"),
}


def configured(path: Path, function: dict[str, Any], aws: dict[str, Any], region: str) -> Configuration:
    file = path / "poller.json"
    mapping = {
        "name": "m",
        "event_source_arn": f"arn:{partition_of(region)}:kinesis:{region}:{OURS}:stream/s",
        "starting_position": "LATEST",
        "function_name": "key",
    }
    file.write_text(json.dumps({"aws": aws, "functions": {"key": function}, "event_source_mappings": [mapping]}))
    return load([file], environ={})


class Destination:
    name = "arn"
    record: dict[str, Any]

    async def send(self, record: dict[str, Any], **_: object) -> None:
        self.record = record


@pytest.mark.parametrize(("name", "aws", "region", "expected"), NAMES.values(), ids=NAMES)
async def test_the_record_the_policy_and_the_call_name_the_same_function(
    tmp_path: Path, name: str, aws: dict[str, Any], region: str, expected: str
) -> None:
    configuration = configured(tmp_path, {"type": "lambda", "function_name": name}, aws, region)
    [mapping] = configuration.mappings
    arn = f"arn:{partition_of(expected.partition(':')[0])}:lambda:{expected}"
    assert arn_of(mapping) == arn

    destination = Destination()
    api = KinesisApi(None, arn=mapping.event_source_arn, region=region, invoke_identity_arn="arn")  # type: ignore[arg-type]
    discarded = Discarded([], "RetryAttemptsExhausted", 3, "r", None, None)
    notify = notifier(api, destination, function_arn=arn_of(mapping), event_source_arn=mapping.event_source_arn)
    await notify(discarded, "shardId-0", 1767225700.0)
    assert destination.record["requestContext"]["functionArn"] == arn

    granted = [statement for policy in policies(configuration).values() for statement in policy["Statement"]]  # type: ignore[attr-defined]
    assert [one["Resource"] for one in granted if "lambda:InvokeFunction" in one["Action"]] == [[arn]]

    function = mapping.function
    called = function.region or mapping.region
    endpoint = resolve_endpoint(open_session(function.aws, called), function.aws, "lambda", called)
    assert endpoint.region == arn.split(":")[3]


def test_a_function_that_runs_here_is_told_the_same_arn(tmp_path: Path) -> None:
    function = {"type": "runtime", "runtime_listen": "127.0.0.1:0"}
    [mapping] = configured(tmp_path, function, {"role_arn": ROLE}, "us-east-1").mappings
    place = Place(mapping.region, arn_of(mapping), LocalTransports(FakeAws()))
    told = settings_of(mapping.function, place).function_arn
    assert told == f"arn:aws:lambda:us-east-1:{OURS}:function:key"


def test_a_source_is_called_in_its_arns_region_whatever_region_is_configured(tmp_path: Path) -> None:
    function = {"type": "lambda", "function_name": "f"}
    [mapping] = configured(tmp_path, function, {"region": "eu-west-1"}, "us-east-1").mappings
    endpoint = resolve_endpoint(open_session(mapping.aws, mapping.region), mapping.aws, "kinesis", mapping.region)
    assert endpoint[:2] == ("https://kinesis.us-east-1.amazonaws.com", "us-east-1")


PARTITIONS = create_loader().load_data("partitions")["partitions"]


@pytest.mark.parametrize("partition", PARTITIONS, ids=lambda one: one["id"])
def test_a_queue_of_every_partition_has_the_host_the_sdk_calls(partition: Any) -> None:
    name = partition["id"]
    for region in (region for region in partition["regions"] if "global" not in region):
        assert partition_of(region) == name
        url = queue_url(f"arn:{name}:sqs:{region}:{OURS}:q", None)
        settings = AwsSettings()
        endpoint = resolve_endpoint(open_session(settings, region), settings, "sqs", region)
        assert url == f"{endpoint.url}/{OURS}/q"


def test_a_partition_nobody_knows_yet_is_taken_for_the_one_most_are_in() -> None:
    assert (partition_of("mars-north-1"), dns_suffix("aws-mars")) == ("aws", "amazonaws.com")
