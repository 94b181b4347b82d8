"""A function that runs here, where it is used: its options, and what every type has, found out."""

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
    """Seconds from the hand-over of an event to the runtime's answer and its asking again."""
    payload_limit: int
    concurrency: int
    """Most workers."""
    options: RuntimeOptions
    command: tuple[str, ...] = ()
    """What is run for a worker, found by PATH and relative to `code`. Nothing where others start the runtimes."""

    def environment(self) -> Mapping[str, str]:
        """The configured variables, secrets as they are now. Raises ConfigurationError."""
        return {name: value.read() for name, value in self.options.environment.items()}
