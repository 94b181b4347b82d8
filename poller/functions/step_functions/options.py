"""The options of an Express workflow."""

from dataclasses import dataclass
from typing import ClassVar

from poller.configuration.model.functions import FunctionOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowOptions(FunctionOptions):
    """An Express workflow of Step Functions."""

    service: ClassVar[str] = "stepfunctions"
    state_machine_arn: str
    """With an optional version or alias."""

    @property
    def region(self) -> str:
        return self.state_machine_arn.split(":")[3]

    @property
    def target(self) -> str:
        return self.state_machine_arn
