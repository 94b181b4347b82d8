"""Builds Express workflows from their configuration."""

from poller.configuration.model.functions import FunctionConfig
from poller.functions.step_functions.function import StepFunctionsFunction
from poller.functions.step_functions.options import WorkflowOptions
from poller.functions.type import Place


class WorkflowBuilder:
    """See `FunctionBuilder`."""

    async def build(self, config: FunctionConfig, place: Place) -> StepFunctionsFunction:
        """The workflow is in the region of its ARN, unless an endpoint applies."""
        return StepFunctionsFunction(
            config.key,
            await place.transports.get(config.aws, config.region or place.region),
            state_machine_arn=WorkflowOptions.of(config).state_machine_arn,
            timeout=config.timeout_seconds,
            payload_limit=config.payload_limit,
        )

    def close(self) -> None:
        """Nothing is shared."""
