"""The keys of an Express workflow, and how they are read."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from poller.configuration.model.aws import AWS_OVER, AwsSettings
from poller.configuration.model.fields import Endpoint, Seconds, text
from poller.configuration.model.functions import FunctionConfig
from poller.functions.keys import TIMEOUT, TYPE, Entry, WrittenFunction, with_endpoint
from poller.functions.step_functions.options import WorkflowOptions

WORKFLOW_PAYLOAD_BYTES = 262_144
"""Bytes: Step Functions' limit for the input of an execution, 256 KiB of UTF-8."""
WORKFLOW_MOST_SECONDS = 300
"""Seconds: the longest run of an Express workflow."""
_STATE_MACHINE = re.compile(
    r"arn:aws[a-z-]*:states:[a-z0-9-]+:\d{12}:(?:stateMachine:[A-Za-z0-9_-]{1,80}(?::[A-Za-z0-9_.-]{1,80})?)"
)


def _state_machine(value: str) -> str:
    if not _STATE_MACHINE.fullmatch(value):
        raise ValueError(
            "must be the ARN of a state machine, arn:aws:states:REGION:ACCOUNT:stateMachine:NAME, with an optional "
            ":VERSION or :ALIAS"
        )
    return value


class WrittenStepFunctions(WrittenFunction):
    type: Literal["step_functions"] = Field(description=TYPE)
    state_machine_arn: Annotated[str, AfterValidator(_state_machine), text(f"^{_STATE_MACHINE.pattern}$")] = Field(
        description="the ARN of an Express workflow, with an optional version or alias"
    )
    endpoint_url: Endpoint | None = Field(default=None, description="an endpoint that speaks the Step Functions API")
    timeout_seconds: Seconds = Field(default=WORKFLOW_MOST_SECONDS, gt=0, le=WORKFLOW_MOST_SECONDS, description=TIMEOUT)
    aws: AwsSettings = Field(default=AwsSettings(), description=AWS_OVER)


def read(entry: Entry) -> FunctionConfig:
    """Resolve the function. Its keys cannot contradict each other."""
    model: WrittenStepFunctions = entry.model
    return FunctionConfig(
        **entry.common,
        options=WorkflowOptions(state_machine_arn=model.state_machine_arn),
        aws=with_endpoint("stepfunctions", model.endpoint_url, model.aws, entry.aws),
    )
