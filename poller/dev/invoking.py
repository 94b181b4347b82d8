"""`poller invoke`: one event to one function."""

import random

from poller.aws.transports import Transports
from poller.configuration import Configuration, FunctionConfig
from poller.functions.arns import function_arn
from poller.functions.type import Place
from poller.functions.types import FUNCTION_TYPES
from poller.policy.response import Outcome
from poller.support import telemetry
from poller.values.errors import ConfigurationError

REGION, ACCOUNT = "us-east-1", "123456789012"
"""For functions that no mapping uses, where nothing else is known."""


def function_of(configuration: Configuration, name: str) -> tuple[FunctionConfig, str, str]:
    """`(function, region, account)`. Raises ConfigurationError."""
    function = configuration.functions.get(name)
    if function is None:
        known = ", ".join(configuration.functions) or "none"
        raise ConfigurationError([f"there is no function {name}; the configuration has: {known}"])
    for mapping in configuration.mappings:
        if mapping.function.key == name:
            return function, mapping.region, mapping.source.account
    return function, configuration.settings.aws.region or REGION, ACCOUNT


async def invoke(configuration: Configuration, name: str, event: bytes) -> tuple[Outcome, float]:
    """The outcome, and the seconds it took. Raises ConfigurationError and EnvironmentProblem."""
    import asyncio  # noqa: PLC0415

    function, region, account = function_of(configuration, name)
    transports = Transports(telemetry.logger())
    builder = FUNCTION_TYPES[function.type].builder(random.random)
    try:
        called = await builder.build(function, Place(region, function_arn(function, region, account), transports))
        try:
            began = asyncio.get_running_loop().time()
            outcome = await called.invoke(event)
            return outcome, asyncio.get_running_loop().time() - began
        finally:
            await called.close()
    finally:
        builder.close()
        await transports.close()
