"""The aws command manages mappings and invokes functions at a running daemon, by an endpoint URL alone."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.live.api_world import FUNCTION, SOURCES, configuration
from tests.live.daemon import running, until

pytestmark = [pytest.mark.live, pytest.mark.slow]

INSTALL_SECONDS = 300
MAPPINGS = 250


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The one on the PATH, else awscli from PyPI in an environment of its own, since it wants a botocore of its own."""
    found = shutil.which("aws")
    if found is not None:
        return found
    folder = tmp_path_factory.mktemp("awscli")
    for command in ([sys.executable, "-m", "venv", str(folder)], [f"{folder}/bin/pip", "install", "-q", "awscli"]):
        try:
            subprocess.run(command, capture_output=True, text=True, check=True, timeout=INSTALL_SECONDS)
        except subprocess.SubprocessError as error:
            pytest.skip(f"awscli cannot be installed; is its registry reachable? {error}")
    return str(folder / "bin/aws")


class Cli:
    """`aws lambda` at one endpoint."""

    def __init__(self, program: str, folder: Path, endpoint: str) -> None:
        self._program, self._folder, self._endpoint = program, folder, endpoint

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        own = {"PATH": os.environ["PATH"], "HOME": str(self._folder), "AWS_EC2_METADATA_DISABLED": "true"}
        credentials = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "eu-west-1"}
        command = [self._program, "lambda", *arguments, "--endpoint-url", self._endpoint, "--output", "json"]
        return subprocess.run(
            command, cwd=self._folder, env=own | credentials, capture_output=True, text=True, check=False, timeout=120
        )

    def __call__(self, *arguments: str) -> Any:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None


@pytest.mark.parametrize("name", SOURCES)
def test_a_mapping_is_created_changed_tagged_and_deleted(aws, ministack, tmp_path, name):
    source = SOURCES[name](ministack)
    with running(configuration(tmp_path, ministack), ministack.environment()) as daemon:
        cli = Cli(aws, tmp_path, daemon.address)
        given = {"EventSourceArn": source.arn, "FunctionName": FUNCTION, **source.parameters}
        made = cli("create-event-source-mapping", "--cli-input-json", json.dumps(given))
        assert {key: made[key] for key in source.parameters} == source.parameters
        uuid = ("--uuid", made["UUID"])
        until(lambda: cli("get-event-source-mapping", *uuid)["State"] == "Enabled", "the mapping to be enabled")
        cli("update-event-source-mapping", *uuid, "--no-enabled")
        until(lambda: cli("get-event-source-mapping", *uuid)["State"] == "Disabled", "the mapping to be disabled")
        cli("tag-resource", "--resource", made["EventSourceMappingArn"], "--tags", "team=shop")
        assert cli("list-tags", "--resource", made["EventSourceMappingArn"])["Tags"] == {"team": "shop"}
        refused = cli.run("create-event-source-mapping", "--cli-input-json", json.dumps(given))
        assert refused.returncode != 0
        assert "(ResourceConflictException)" in refused.stderr
        assert cli("delete-event-source-mapping", *uuid)["State"] == "Deleting"
        until(lambda: cli("list-event-source-mappings")["EventSourceMappings"] == [], "the end of the mapping")
        daemon.stop()


def test_250_mappings_are_listed_whole(aws, ministack, tmp_path):
    account = ministack
    with running(configuration(tmp_path, account), account.environment()) as daemon:
        calls = boto3.client("lambda", **{**account.client_arguments(), "endpoint_url": daemon.address})
        made = set()
        for number in range(MAPPINGS):
            account.create_queue(f"q{number}")
            given = {"EventSourceArn": account.queue_arn(f"q{number}"), "FunctionName": FUNCTION, "Enabled": False}
            made.add(calls.create_event_source_mapping(**given)["UUID"])
        listed = Cli(aws, tmp_path, daemon.address)("list-event-source-mappings")["EventSourceMappings"]
        assert {one["UUID"] for one in listed} == made
        daemon.stop()


def test_a_function_is_invoked(aws, ministack, tmp_path):
    with running(configuration(tmp_path, ministack), ministack.environment()) as daemon:
        cli = Cli(aws, tmp_path, daemon.address)
        (tmp_path / "event.json").write_text('{"Records": []}')
        answer = cli(
            "invoke", "--function-name", FUNCTION, "--payload", "file://event.json", "--log-type", "Tail", "answer"
        )
        assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
        assert answer["LogResult"]
        assert json.loads((tmp_path / "answer").read_text()) == {"records": 0}
        daemon.stop()
