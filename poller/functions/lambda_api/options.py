"""The options of a Lambda function."""

from dataclasses import dataclass
from typing import Literal, Self

from poller.configuration.model.functions import FunctionOptions
from poller.values.arns import FunctionName, parse_function_name

InvocationType = Literal["RequestResponse", "Event"]
LogType = Literal["None", "Tail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaOptions(FunctionOptions):
    """A function behind the Invoke API."""

    function_name: str
    """Name, partial ARN or ARN, each with an optional version or alias."""
    invocation_type: InvocationType = "RequestResponse"
    log_type: LogType = "None"
    rie: bool = False
    """Whether Lambda's Runtime Interface Emulator answers, whose errors have status 200."""

    @property
    def name(self) -> FunctionName:
        return parse_function_name(self.function_name)

    @property
    def region(self) -> str | None:
        return self.name.region

    @property
    def answers(self) -> bool:
        return self.invocation_type != "Event"

    @property
    def target(self) -> tuple[str, str | None]:
        name = self.name
        return name.name, name.qualifier

    def may_equal(self, other: Self) -> bool:
        accounts = self.name.account, other.name.account
        return self.target == other.target and (None in accounts or accounts[0] == accounts[1])
