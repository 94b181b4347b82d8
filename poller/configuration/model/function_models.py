"""The entries of `functions` as users write them, type by type: keys, defaults and ranges."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from poller.configuration.model.fields import Endpoint, FilledText, Seconds, WebAddress, Whole, Written
from poller.configuration.model.functions import SYNCHRONOUS_PAYLOAD_BYTES, Digest, InvocationType, LogType
from poller.configuration.model.settings import AwsSettings, is_listen_address
from poller.configuration.model.sizes import Size
from poller.configuration.reading.secrets import SecretText

LAMBDA_MOST_SECONDS = 900
"""The longest a Lambda function can run."""
WORKFLOW_MOST_SECONDS = 300
"""The longest an Express workflow can run: five minutes."""
LOCAL_SECONDS = 30
HELD_MOST_SECONDS = 42_300
"""As long as a batch can be held."""
MOST_PER_SECOND = 100_000
INIT_SECONDS = 10
"""Lambda's own limit for the initialization of a function."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_STATE_MACHINE = re.compile(
    r"arn:aws[a-z-]*:states:[a-z0-9-]+:\d{12}:(?:stateMachine:[A-Za-z0-9_-]{1,80}(?::[A-Za-z0-9_.-]{1,80})?)"
)


def is_header_name(value: str) -> bool:
    return _HEADER_NAME.fullmatch(value) is not None


def _header_name(value: str) -> str:
    if not is_header_name(value):
        raise ValueError("must be a name for an HTTP header, such as X-Signature")
    return value


def _state_machine(value: str) -> str:
    if not _STATE_MACHINE.fullmatch(value):
        raise ValueError(
            "must be the ARN of a state machine, arn:aws:states:REGION:ACCOUNT:stateMachine:NAME, with an optional "
            ":VERSION or :ALIAS"
        )
    return value


def _listen(value: str) -> str:
    if not is_listen_address(value):
        raise ValueError("must be HOST:PORT or [IPv6]:PORT, for instance 127.0.0.1:9001")
    return value


def _auth(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


HeaderName = Annotated[str, AfterValidator(_header_name)]


class _Common(Written):
    concurrency: Whole | None = Field(default=None, ge=1)
    max_requests_per_second: Seconds | None = Field(default=None, gt=0, le=MOST_PER_SECOND)
    invoke_identity_arn: FilledText | None = None
    function_arn: FilledText | None = None


class WrittenLambda(_Common):
    type: Literal["lambda"]
    function_name: FilledText
    endpoint_url: Endpoint | None = None
    invocation_type: InvocationType = "RequestResponse"
    log_type: LogType = "None"
    rie: bool | None = None
    timeout_seconds: Seconds | None = Field(default=None, gt=0, le=LAMBDA_MOST_SECONDS)
    """By default 900, and 30 to hand an event over."""
    aws: AwsSettings = AwsSettings()


class WrittenFunctionUrl(_Common):
    type: Literal["function_url"]
    url: WebAddress
    auth: Annotated[Literal["AWS_IAM", "NONE"], BeforeValidator(_auth)] = "AWS_IAM"
    headers: dict[FilledText, SecretText] = Field(default_factory=dict)
    timeout_seconds: Seconds = Field(default=LAMBDA_MOST_SECONDS, gt=0, le=LAMBDA_MOST_SECONDS)
    aws: AwsSettings = AwsSettings()


class WrittenBasicAuth(Written):
    username: SecretText
    password: SecretText


class WrittenHmac(Written):
    secret: SecretText
    header: HeaderName = "X-Signature"
    timestamp_header: HeaderName = "X-Signature-Timestamp"
    algorithm: Digest = "sha256"


class WrittenSigV4(Written):
    service: FilledText
    region: FilledText | None = None


class WrittenHttp(_Common):
    type: Literal["http"]
    url: WebAddress
    headers: dict[FilledText, SecretText] = Field(default_factory=dict)
    bearer_token: SecretText | None = None
    basic_auth: WrittenBasicAuth | None = None
    hmac: WrittenHmac | None = None
    sigv4: WrittenSigV4 | None = None
    client_certificate: FilledText | None = None
    client_key: FilledText | None = None
    ca_bundle: FilledText | None = None
    timeout_seconds: Seconds = Field(default=LOCAL_SECONDS, gt=0, le=HELD_MOST_SECONDS)
    max_payload_bytes: Size = Field(default=SYNCHRONOUS_PAYLOAD_BYTES, ge=1)
    aws: AwsSettings = AwsSettings()


class WrittenRuntime(_Common):
    type: Literal["runtime"]
    handler: FilledText | None = None
    command: list[FilledText] = Field(default_factory=list)
    code: FilledText | None = None
    environment: dict[FilledText, SecretText] = Field(default_factory=dict)
    runtime_listen: Annotated[str, AfterValidator(_listen)] | None = None
    allow_unauthenticated: bool = False
    minimum_workers: Whole | None = Field(default=None, ge=0)
    idle_timeout_seconds: Seconds | None = Field(default=None, gt=0, le=HELD_MOST_SECONDS)
    user: FilledText | None = None
    reload_on_change: bool = False
    init_timeout_seconds: Seconds = Field(default=INIT_SECONDS, gt=0, le=HELD_MOST_SECONDS)
    memory_size: Whole = Field(default=128, ge=128, le=10_240)
    timeout_seconds: Seconds = Field(default=LOCAL_SECONDS, gt=0, le=HELD_MOST_SECONDS)


class WrittenStepFunctions(_Common):
    type: Literal["step_functions"]
    state_machine_arn: Annotated[str, AfterValidator(_state_machine)]
    endpoint_url: Endpoint | None = None
    timeout_seconds: Seconds = Field(default=WORKFLOW_MOST_SECONDS, gt=0, le=WORKFLOW_MOST_SECONDS)
    aws: AwsSettings = AwsSettings()


TYPES: Mapping[str, type[_Common]] = {
    "lambda": WrittenLambda,
    "function_url": WrittenFunctionUrl,
    "http": WrittenHttp,
    "runtime": WrittenRuntime,
    "step_functions": WrittenStepFunctions,
}


def types_with(key: str) -> list[str]:
    """Of which a key is one."""
    return [kind for kind, model in TYPES.items() if key in model.model_fields]
