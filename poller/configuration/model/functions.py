"""FunctionConfig: one target function, everything resolved. How it may be written, and what is refused, is
decided where it is read; what only one type has is in the folder of that type.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import ClassVar, Self

from poller.configuration.model.asynchronous import Asynchronous
from poller.configuration.model.aws import AwsSettings
from poller.values.arns import FunctionName
from poller.values.http_face import HttpFace
from poller.values.limits import SYNCHRONOUS_PAYLOAD_BYTES


class FunctionOptions:
    """What one type of function has beyond the members of every type. Each type's folder has a frozen class of it."""

    __slots__ = ()

    service: ClassVar[str] = "lambda"
    """The SDK's name of the service whose region and endpoint apply."""

    @classmethod
    def of(cls, function: "FunctionConfig") -> Self:
        """The options of a function of this type."""
        assert isinstance(function.options, cls)
        return function.options

    @property
    def name(self) -> FunctionName | None:
        """The Lambda name that is called, qualifier included; None for what has none."""
        return None

    @property
    def region(self) -> str | None:
        """The region that the options name."""
        return None

    @property
    def answers(self) -> bool:
        """Whether an invocation waits for the function's answer."""
        return True

    @property
    def target(self) -> Hashable:
        """What is called. Functions of one type that differ in it are different ones; None says nothing."""
        return None

    def may_equal(self, other: Self) -> bool:
        """Whether both may call the same function, as far as the options tell."""
        return self.target is not None and self.target == other.target


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionConfig:
    key: str
    """Its key in `functions`; for a function named by a mapping alone, what stands there."""
    type: str
    """The name of its row in `poller.functions.types`."""
    options: FunctionOptions
    """Of the class of its type."""
    timeout_seconds: float = 900
    concurrency: int | None = None
    """Most invocations at once, for all mappings together; None is without limit."""
    max_requests_per_second: float | None = None
    """Most invocations begun in a second, for all mappings together; None is without limit."""
    payload_limit: int = SYNCHRONOUS_PAYLOAD_BYTES
    """Most bytes of one event."""
    invoke_identity_arn: str | None = None
    function_arn: str | None = None
    http_face: HttpFace | None = None
    asynchronous: Asynchronous | None = None
    aws: AwsSettings = field(default_factory=AwsSettings)

    @property
    def name(self) -> FunctionName | None:
        """The Lambda name that is called; None for other types."""
        return self.options.name

    @property
    def endpoint_url(self) -> str | None:
        """Of the API to call, where one is set."""
        return self.aws.for_service(self.options.service)[0]

    @property
    def region(self) -> str | None:
        """Of the API to call, as far as the configuration says."""
        return self.aws.region_of(self.options.service, self.options.region)

    @property
    def likely_targets(self) -> tuple[Hashable, ...]:
        """Keys of which two functions have one in common wherever `same_target` holds; not only there."""
        key, target = (self.key, self.aws.key()), self.options.target
        return (key,) if target is None else (key, (self.type, target))

    def same_target(self, other: "FunctionConfig") -> bool:
        """Whether both stand for one function, qualifier included: one source may feed it only once."""
        if self.key == other.key and self.aws == other.aws:
            return True
        if self.type != other.type or not self.options.may_equal(other.options):
            return False
        # a name means a function only where it is called; a URL or an ARN says that itself
        return self.name is None or (
            (None in (self.region, other.region) or self.region == other.region)
            and self.endpoint_url == other.endpoint_url
        )
