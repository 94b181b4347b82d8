"""FunctionConfig: one target function, everything resolved. How it may be written, and what is refused, is
decided where it is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from poller.configuration.arns import FunctionName, parse_function_name
from poller.configuration.secrets import Secret
from poller.configuration.settings import AwsSettings

SYNCHRONOUS_PAYLOAD_BYTES = 6 * 1024 * 1024
"""Lambda's limit for the payload of a synchronous invocation: 6 MB, counted as 6,291,456 bytes."""
EMULATOR_NAME = "function"
"""What the Runtime Interface Emulator calls the one function it runs."""

FunctionType = Literal["lambda", "http"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionConfig:
    key: str
    """Its key in `functions`; for a function named by a mapping alone, what stands there."""
    type: FunctionType
    function_name: str | None = None
    """Lambda: name, partial ARN or ARN without qualifier, as the Invoke API takes it."""
    qualifier: str | None = None
    url: str | None = None
    headers: Mapping[str, Secret] = field(default_factory=dict, hash=False)
    timeout_seconds: float = 900
    concurrency: int | None = None
    """Most invocations at once, for all mappings together; None is without limit."""
    rie: bool = False
    """Lambda's Runtime Interface Emulator answers, whose errors come as status 200."""
    max_payload_bytes: int = SYNCHRONOUS_PAYLOAD_BYTES
    invoke_identity_arn: str | None = None
    function_arn: str | None = None
    aws: AwsSettings = field(default_factory=AwsSettings)

    @property
    def payload_limit(self) -> int:
        """Most bytes of one event."""
        return self.max_payload_bytes

    @property
    def name(self) -> FunctionName | None:
        """The Lambda name taken apart; None for other types."""
        return parse_function_name(self.function_name) if self.function_name else None

    @property
    def endpoint_url(self) -> str | None:
        """Of the Lambda API, where one is set."""
        return self.aws.for_service("lambda")[0]

    @property
    def region(self) -> str | None:
        """Of the Lambda API to call, as far as the configuration says."""
        lambda_name = self.name
        return self.aws.region_of("lambda", lambda_name.region if lambda_name else None)

    def same_target(self, other: "FunctionConfig") -> bool:
        """Whether both stand for one function, qualifier included: one source may feed it only once."""
        if self.key == other.key and self.aws == other.aws:
            return True
        if self.type != other.type or self.url != other.url or self.qualifier != other.qualifier:
            return False
        mine, theirs = self.name, other.name
        if mine is None or theirs is None:
            return True
        return (
            mine.name == theirs.name
            and (None in (mine.account, theirs.account) or mine.account == theirs.account)
            and (None in (self.region, other.region) or self.region == other.region)
            and self.endpoint_url == other.endpoint_url
        )
