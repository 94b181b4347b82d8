"""Terraform with its AWS provider manages mappings at a running daemon: apply, no drift, change, no drift, destroy."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.live.api_world import FUNCTION, SOURCES, Source, configuration
from tests.live.daemon import Daemon, running

pytestmark = [pytest.mark.live, pytest.mark.slow]

PLAN_SECONDS = 300
"""The provider's start takes some seconds on an idle machine."""
NOTHING_TO_DO, CHANGES = 0, 2
"""Exit codes of `terraform plan -detailed-exitcode`."""
ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "queue": {
        "filter_criteria": {"filter": {"pattern": '{"body": [{"prefix": "keep"}]}'}},
        "scaling_config": {"maximum_concurrency": 2},
        "function_response_types": ["ReportBatchItemFailures"],
    },
    "stream": {
        "starting_position": "TRIM_HORIZON",
        "maximum_retry_attempts": 0,
        "destination_config": {"on_failure": {"destination_arn": "FAILED"}},
    },
    "table": {
        "starting_position": "TRIM_HORIZON",
        "bisect_batch_on_function_error": True,
        "maximum_batching_window_in_seconds": 1,
    },
}
CHANGED: Mapping[str, Mapping[str, Any]] = {
    "queue": {"batch_size": 3, "enabled": False},
    "stream": {"starting_position": "TRIM_HORIZON", "parallelization_factor": 2, "maximum_record_age_in_seconds": 600},
    "table": {"starting_position": "TRIM_HORIZON", "batch_size": 7, "tumbling_window_in_seconds": 30},
}
"""What is not named any more is taken away."""


class Terraform:
    """One working folder of the program."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("terraform") or shutil.which("tofu")
        if program is None:
            pytest.skip("terraform is not installed: put it, or tofu, on the PATH")
        self._program = program
        self._folder = folder
        folder.mkdir()

    def write(self, daemon: Daemon, source: Source, arguments: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        mapping = {"event_source_arn": source.arn, "function_name": FUNCTION, "tags": tags, **arguments}
        provider = {
            "region": "eu-west-1",
            "access_key": "any",
            "secret_key": "any",
            "skip_credentials_validation": True,
            "skip_metadata_api_check": True,
            "skip_requesting_account_id": True,
            "endpoints": {"lambda": daemon.address},
        }
        whole = {
            "terraform": {"required_providers": {"aws": {"source": "hashicorp/aws"}}},
            "provider": {"aws": provider},
            "resource": {"aws_lambda_event_source_mapping": {"orders": mapping}},
        }
        (self._folder / "main.tf.json").write_text(json.dumps(whole))

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        own = {name: os.environ[name] for name in ("PATH", "HOME", "TF_CLI_CONFIG_FILE") if name in os.environ}
        command = [self._program, *arguments, "-no-color", "-input=false"]
        return subprocess.run(
            command,
            cwd=self._folder,
            env={**own, "CHECKPOINT_DISABLE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PLAN_SECONDS,
        )

    def start(self) -> None:
        """Have the provider, or skip."""
        started = self.run("init")
        if started.returncode:
            told = started.stderr.strip().splitlines()
            pytest.skip(f"terraform cannot get the provider hashicorp/aws; is its registry reachable? {told[:3]}")

    def apply(self) -> None:
        done = self.run("apply", "-auto-approve")
        assert done.returncode == 0, done.stderr

    def plan(self) -> tuple[int, str]:
        planned = self.run("plan", "-detailed-exitcode")
        assert planned.returncode in (NOTHING_TO_DO, CHANGES), planned.stderr
        return planned.returncode, planned.stdout


@pytest.mark.parametrize("name", SOURCES)
def test_a_mapping_is_made_changed_and_destroyed_without_drift(ministack, tmp_path, name):
    source = SOURCES[name](ministack)
    terraform = Terraform(tmp_path / "terraform")
    text = json.dumps(ARGUMENTS[name]).replace("FAILED", ministack.queue_arn("failed"))
    with running(configuration(tmp_path, ministack), ministack.environment()) as daemon:
        terraform.write(daemon, source, json.loads(text), {"team": "shop"})
        terraform.start()
        terraform.apply()
        code, planned = terraform.plan()
        assert code == NOTHING_TO_DO, planned
        terraform.write(daemon, source, CHANGED[name], {"team": "sales", "stage": "test"})
        assert terraform.plan()[0] == CHANGES
        terraform.apply()
        code, planned = terraform.plan()
        assert code == NOTHING_TO_DO, planned
        (status,) = daemon.status().values()
        assert status["tags"] == {"team": "sales", "stage": "test"}
        done = terraform.run("destroy", "-auto-approve")
        assert done.returncode == 0, done.stderr
        assert daemon.status() == {}
        daemon.stop()
