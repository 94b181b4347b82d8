"""Builds functions that run here, from their configuration to workers, and keeps what all of them share."""

import importlib.util

from poller.configuration.model.functions import FunctionConfig
from poller.functions.runtime_api import kernel
from poller.functions.runtime_api.allowance import for_all_workers
from poller.functions.runtime_api.guarding import Guard
from poller.functions.runtime_api.options import BOOTSTRAP, RuntimeOptions
from poller.functions.runtime_api.pool import RuntimeFunction
from poller.functions.runtime_api.process import interpreter_command
from poller.functions.runtime_api.settings import RuntimeSettings
from poller.functions.runtime_api.shared import SharedRuntimeFunction
from poller.functions.type import Place
from poller.policy.backoff import Chance
from poller.support import telemetry
from poller.support.extras import how_to_install
from poller.values.errors import EnvironmentProblem


class Runtimes:
    """Builds each function once for all mappings and regions: it has one set of workers, or one address."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._guard = Guard()
        self._output = for_all_workers()

    async def build(self, config: FunctionConfig, place: Place) -> RuntimeFunction | SharedRuntimeFunction:
        """Build the function. Raises EnvironmentProblem for what this machine lacks."""
        runtime = RuntimeOptions.of(config)
        self._guard.adopting |= kernel.prepare()
        settings = settings_of(config, place)
        log = telemetry.logger(function=config.key)
        if runtime.runtime_listen is not None:
            shared = SharedRuntimeFunction(settings, log)
            host, _, port = runtime.runtime_listen.rpartition(":")
            await shared.open(host.strip("[]"), int(port))
            return shared
        function = RuntimeFunction(settings, self._guard, log, self._chance, self._output)
        function.start()
        return function

    def close(self) -> None:
        """Close what all functions share, after every function was closed."""
        self._guard.close()


def settings_of(config: FunctionConfig, place: Place) -> RuntimeSettings:
    """Resolve the settings. Raises EnvironmentProblem for what this machine lacks."""
    runtime = RuntimeOptions.of(config)
    return RuntimeSettings(
        name=config.key,
        function_arn=place.function_arn,
        region=place.region,
        timeout=config.timeout_seconds,
        payload_limit=config.payload_limit,
        concurrency=config.concurrency or 1,
        options=runtime,
        command=() if runtime.runtime_listen else command_of(config.key, runtime),
    )


def command_of(key: str, runtime: RuntimeOptions) -> tuple[str, ...]:
    """The command of a worker. Raises EnvironmentProblem where this machine lacks it."""
    if runtime.command:
        return runtime.command
    if runtime.handler is None:
        assert runtime.code is not None
        return (str(runtime.code / BOOTSTRAP),)
    if importlib.util.find_spec("awslambdaric") is None:
        raise EnvironmentProblem(
            f"function {key}: awslambdaric, which runs Python handlers, is not installed; {how_to_install('runtime')}"
        )
    return interpreter_command(runtime.handler)
