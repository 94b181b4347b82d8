"""FunctionConfig: one target function, everything resolved. How it may be written, and what is refused, is
decided where it is read.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from poller.configuration.model.aws import AwsSettings
from poller.configuration.reading.secrets import Secret
from poller.values.arns import FunctionName, parse_function_name

SYNCHRONOUS_PAYLOAD_BYTES = 6 * 1024 * 1024
"""Lambda's limit for the payload of a synchronous invocation: 6 MB, counted as 6,291,456 bytes."""
EVENT_PAYLOAD_BYTES = 1024 * 1024
"""Lambda's limit for what is handed over to its own queue: 1 MB."""
WORKFLOW_PAYLOAD_BYTES = 262_144
"""Step Functions' limit for the input of an execution, 256 KiB of UTF-8."""
EMULATOR_NAME = "function"
"""What the Runtime Interface Emulator calls the one function it runs."""

BOOTSTRAP = "bootstrap"
"""The program that Lambda starts of a function which brings its own runtime."""

InvocationType = Literal["RequestResponse", "Event"]
LogType = Literal["None", "Tail"]
Digest = Literal["sha256", "sha512"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicAuth:
    username: Secret
    password: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class HmacSignature:
    """The hexadecimal HMAC of `SECONDS.BODY` in one header, the seconds since the epoch in another."""

    secret: Secret
    header: str
    timestamp_header: str
    algorithm: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class SigV4:
    service: str
    """As it stands in a signature's scope: `lambda`, `execute-api`."""
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebConfig:
    """How a function behind a URL is asked."""

    url: str
    headers: Mapping[str, Secret] = field(default_factory=dict, hash=False)
    bearer_token: Secret | None = None
    basic_auth: BasicAuth | None = None
    hmac: HmacSignature | None = None
    sigv4: SigV4 | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    """None where the certificate's file holds it too."""
    ca_bundle: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeConfig:
    """A function that runs here, by Lambda's Runtime API. `concurrency` is the number of its workers."""

    handler: str | None = None
    """Of Python code, `module.function`; beside a command only told to what that starts."""
    command: tuple[str, ...] = ()
    """What is started for a worker. Without it and a handler, that is `bootstrap` in `code`."""
    code: Path | None = None
    """The directory it runs in, absolute. None only with `runtime_listen`."""
    environment: Mapping[str, Secret] = field(default_factory=dict, hash=False)
    runtime_listen: str | None = None
    """`HOST:PORT` where workers that somebody else starts ask for events; then none is started."""
    allow_unauthenticated: bool = False
    minimum_workers: int = 1
    """Started at once and never ended for want of work."""
    idle_timeout_seconds: float | None = None
    """After which a worker beyond those that has no work is ended; None keeps it."""
    user: str | None = None
    """As whom workers run; None for the daemon's own user."""
    reload_on_change: bool = False
    """Workers are started anew when the code has changed."""
    init_timeout_seconds: float = 10.0
    memory_size: int = 128
    """MB, as the function is told; nobody enforces it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionConfig:
    key: str
    """Its key in `functions`; for a function named by a mapping alone, what stands there."""
    type: str
    """The name of its row in `poller.functions.types`."""
    function_name: str | None = None
    """Lambda: name, partial ARN or ARN without qualifier, as the Invoke API takes it."""
    qualifier: str | None = None
    invocation_type: InvocationType = "RequestResponse"
    log_type: LogType = "None"
    web: WebConfig | None = None
    """Of `http` and `function_url`."""
    runtime: RuntimeConfig | None = None
    state_machine_arn: str | None = None
    settings: Hashable = None
    """What only its type knows, for types without members of their own above."""
    timeout_seconds: float = 900
    concurrency: int | None = None
    """Most invocations at once, for all mappings together; None is without limit."""
    max_requests_per_second: float | None = None
    """Most invocations begun in a second, for all mappings together; None is without limit."""
    rie: bool = False
    """Lambda's Runtime Interface Emulator answers, whose errors come as status 200."""
    payload_limit: int = SYNCHRONOUS_PAYLOAD_BYTES
    """Most bytes of one event."""
    invoke_identity_arn: str | None = None
    function_arn: str | None = None
    aws: AwsSettings = field(default_factory=AwsSettings)

    @property
    def name(self) -> FunctionName | None:
        """The Lambda name taken apart; None for other types."""
        return parse_function_name(self.function_name) if self.function_name else None

    @property
    def url(self) -> str | None:
        return self.web.url if self.web else None

    @property
    def service(self) -> str:
        """The SDK's name of the service it is invoked through, as far as it is one."""
        return "lambda" if self.state_machine_arn is None else "stepfunctions"

    @property
    def endpoint_url(self) -> str | None:
        """Of the Lambda or Step Functions API, where one is set."""
        return self.aws.for_service(self.service)[0]

    @property
    def region(self) -> str | None:
        """Of the API to call, as far as the configuration says."""
        named = self.name.region if self.name else None
        if self.state_machine_arn is not None:
            named = self.state_machine_arn.split(":")[3]
        return self.aws.region_of(self.service, named)

    @property
    def likely_targets(self) -> tuple[Hashable, ...]:
        """Keys of which two functions have one in common wherever `same_target` holds; not only there."""
        key = (self.key, self.aws.key())
        if self.runtime is not None:
            return (key,)
        name = self.name.name if self.name else None
        return key, (self.type, self.url, self.qualifier, self.state_machine_arn, name, self.settings)

    def same_target(self, other: "FunctionConfig") -> bool:
        """Whether both stand for one function, qualifier included: one source may feed it only once."""
        if self.key == other.key and self.aws == other.aws:
            return True
        if self.type != other.type or self.url != other.url or self.qualifier != other.qualifier:
            return False
        if self.runtime is not None:
            # code may be run under two names with different environments
            return False
        if self.state_machine_arn != other.state_machine_arn or self.settings != other.settings:
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
