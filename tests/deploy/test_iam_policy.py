"""The least policy of the examples is theirs."""

import json
from pathlib import Path

from poller.cli.permissions import policies
from poller.configuration import load

ROOT = Path(__file__).parents[2]


def test_the_policy_is_that_of_the_example_configurations():
    configuration = load([ROOT / "config/poller.yaml", ROOT / "config/streams.yaml"], environ={})
    policy = json.loads((ROOT / "deploy/iam/policy.json").read_text(encoding="utf-8"))
    again = (
        "run: poller iam-policy --config config/poller.yaml --config config/streams.yaml --for default "
        "> deploy/iam/policy.json"
    )
    assert policy == policies(configuration)["default"], again
