"""Reaching an Express workflow by describing it."""

from poller.aws.sdk_calls import SdkCalls
from poller.aws.transports import Borrowed, Transports
from poller.configuration.model.functions import FunctionConfig
from poller.functions.step_functions.options import WorkflowOptions
from poller.ports.reach import Tries


async def reach(function: FunctionConfig, region: str, _transports: Borrowed | Transports, tries: Tries) -> None:
    """Note the answers in `tries`."""
    arn = WorkflowOptions.of(function).state_machine_arn
    calls = SdkCalls(function.aws, function.region or region)
    tries.untried.append("states:StartSyncExecution (it would run the workflow)")
    await tries.ask(
        "states:DescribeStateMachine",
        lambda: calls.call("stepfunctions", "describe_state_machine", stateMachineArn=arn),
    )
