"""The settings of one function that runs here: its options, and the resolved settings that every type has."""

from collections.abc import Mapping
from dataclasses import dataclass

from poller.functions.runtime_api.options import RuntimeOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSettings:
    name: str
    """The function's key in the configuration."""
    function_arn: str
    region: str
    timeout: float
    """Seconds from handing an event to the runtime until it has answered and asks again."""
    payload_limit: int
    concurrency: int
    """Most workers."""
    options: RuntimeOptions
    command: tuple[str, ...] = ()
    """The command of a worker, found by PATH and relative to `code`. Empty where runtimes are started elsewhere."""

    def environment(self) -> Mapping[str, str]:
        """Reads the configured variables, secrets included, as they are now. Raises ConfigurationError."""
        return {name: value.read() for name, value in self.options.environment.items()}
