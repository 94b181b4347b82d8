"""Builds Python callables from what the program passes."""

from poller.configuration.model.functions import FunctionConfig
from poller.functions.callable.function import CallableFunction
from poller.functions.callable.settings import Callable
from poller.functions.type import Place
from poller.support import telemetry


class CallableBuilder:
    """See `FunctionBuilder`."""

    async def build(self, config: FunctionConfig, place: Place) -> CallableFunction:
        """See `FunctionBuilder.build`."""
        log = telemetry.logger(function=config.key)
        return CallableFunction(config.key, Callable.of(config), function_arn=place.function_arn, log=log)

    def close(self) -> None:
        """Nothing is shared."""
