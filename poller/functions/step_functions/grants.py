"""The permission that starting an Express workflow needs."""

from collections.abc import Iterator

from poller.configuration.model.functions import FunctionConfig
from poller.functions.step_functions.options import WorkflowOptions
from poller.values.permissions import Grant


def grants(function: FunctionConfig, _region: str, _account: str) -> Iterator[Grant]:
    parts = WorkflowOptions.of(function).state_machine_arn.split(":")
    # IAM names version and alias in a condition, not in the resource
    qualifier = ("ForAnyValue:StringEquals", "states:StateMachineQualifier", parts[7]) if len(parts) > 7 else None
    yield Grant("StateMachines", ("states:StartSyncExecution",), ":".join(parts[:7]), qualifier)
