"""What `deploy/` holds fits what the daemon does."""

import json
from pathlib import Path

from poller.aws.port import Operation
from poller.destinations import sqs as destination
from poller.sources.dynamodb import api as dynamodb
from poller.sources.kinesis import api as kinesis
from poller.sources.sqs import queue

POLICY = Path(__file__).parent.parent / "deploy/iam/policy.json"
PREFIXES = {"dynamodbstreams": "dynamodb"}
"""Where IAM's name of a service is not the SDK's."""


def test_the_policy_allows_every_action_that_is_called_and_no_other():
    called = {"lambda:InvokeFunction"}
    for module in (queue, kinesis, dynamodb, destination):
        for operation in vars(module).values():
            if isinstance(operation, Operation):
                prefix = PREFIXES.get(operation.service, operation.service)
                # the batch forms of SQS are allowed by the action of the single one
                called.add(f"{prefix}:{operation.name.removesuffix('Batch')}")
    statements = json.loads(POLICY.read_text(encoding="utf-8"))["Statement"]
    allowed = [
        action
        for one in statements
        for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
    ]
    assert sorted(allowed) == sorted(called)
