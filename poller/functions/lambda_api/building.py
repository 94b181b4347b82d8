"""Builds Lambda functions from their configuration."""

from poller.configuration.model.functions import FunctionConfig
from poller.functions.lambda_api.function import LambdaFunction
from poller.functions.lambda_api.options import LambdaOptions
from poller.functions.type import Place


class LambdaBuilder:
    """See `FunctionBuilder`."""

    async def build(self, config: FunctionConfig, place: Place) -> LambdaFunction:
        """The function is in the mapping's region, unless the configuration names another."""
        options = LambdaOptions.of(config)
        return LambdaFunction(
            config.key,
            await place.transports.get(config.aws, config.region or place.region),
            function_name=options.name.unqualified,
            qualifier=options.name.qualifier,
            timeout=config.timeout_seconds,
            payload_limit=config.payload_limit,
            rie=options.rie,
            invocation_type=options.invocation_type,
            log_type=options.log_type,
        )

    def close(self) -> None:
        """Nothing is shared."""
