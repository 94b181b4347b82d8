"""The entries of `functions` as users write them, type by type: keys, defaults and ranges."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from poller.configuration.model.aws import AWS_OVER, AwsSettings
from poller.configuration.model.fields import (
    Also,
    Endpoint,
    FilledText,
    Seconds,
    WebAddress,
    Whole,
    Written,
    shown_default,
    text,
)
from poller.configuration.model.functions import SYNCHRONOUS_PAYLOAD_BYTES, Digest, InvocationType, LogType
from poller.configuration.model.settings import LISTEN_PATTERN, is_listen_address
from poller.configuration.model.sizes import Size
from poller.configuration.reading.secrets import SecretText

LAMBDA_MOST_SECONDS = 900
"""The longest a Lambda function can run."""
WORKFLOW_MOST_SECONDS = 300
"""The longest an Express workflow can run: five minutes."""
LOCAL_SECONDS = 30
HELD_MOST_SECONDS = 42_300
"""As long as a batch can be held."""
HTTP_CONCURRENCY = 10
RUNTIME_CONCURRENCY = 1
"""One worker, as long as no more are asked for."""
EMULATOR_CONCURRENCY = 1
"""The emulator runs one invocation at a time."""
MOST_PER_SECOND = 100_000
INIT_SECONDS = 10
"""Lambda's own limit for the initialization of a function."""

TYPE = "which kind of function it is"
TIMEOUT = "after which an invocation has failed"
HEADERS = "sent with each request; values may be secrets, read again when the service answers 401 or 403"

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


HeaderName = Annotated[str, AfterValidator(_header_name), text(f"^{_HEADER_NAME.pattern}$")]


class _Common(Written):
    concurrency: Whole | None = Field(
        default=None,
        ge=1,
        description="most invocations at once, for all mappings that use the function together",
        json_schema_extra=shown_default(
            f"none; http {HTTP_CONCURRENCY}, runtime {RUNTIME_CONCURRENCY}, the emulator {EMULATOR_CONCURRENCY}"
        ),
    )
    max_requests_per_second: Seconds | None = Field(
        default=None,
        gt=0,
        le=MOST_PER_SECOND,
        description="most invocations begun in a second, for all mappings together",
    )
    invoke_identity_arn: FilledText | None = Field(
        default=None,
        description="the role that Kinesis events name",
        json_schema_extra=shown_default("`aws.role_arn`, else `arn:aws:iam::ACCOUNT:role/poller`"),
    )
    function_arn: FilledText | None = Field(
        default=None,
        description="the function's ARN where one is told of it: on-failure records, `iam-policy`",
        json_schema_extra=shown_default("`arn:aws:lambda:REGION:ACCOUNT:function:KEY`"),
    )


class WrittenLambda(_Common):
    type: Literal["lambda"] = Field(description=TYPE)
    function_name: FilledText = Field(description="name, partial ARN or ARN, each with an optional version or alias")
    endpoint_url: Endpoint | None = Field(default=None, description="an endpoint that speaks the Lambda API")
    invocation_type: InvocationType = Field(
        default="RequestResponse", description="`Event` hands the batch over to Lambda's own queue: 202 settles it"
    )
    log_type: LogType = Field(
        default="None",
        description="`Tail` asks for the end of the function's log, which is logged when an invocation fails",
    )
    rie: bool | None = Field(
        default=None,
        description="the Runtime Interface Emulator answers, whose errors come as status 200",
        json_schema_extra=shown_default("`true` for a function called `function` with an `endpoint_url`"),
    )
    timeout_seconds: Seconds | None = Field(
        default=None,
        gt=0,
        le=LAMBDA_MOST_SECONDS,
        description=TIMEOUT,
        json_schema_extra=shown_default(f"{LAMBDA_MOST_SECONDS}; {LOCAL_SECONDS} with `invocation_type: Event`"),
    )
    """By default 900, and 30 to hand an event over."""
    aws: AwsSettings = Field(default=AwsSettings(), description=AWS_OVER)


class WrittenFunctionUrl(_Common):
    type: Literal["function_url"] = Field(description=TYPE)
    url: WebAddress = Field(description="of the function: `https://ID.lambda-url.REGION.on.aws/`")
    auth: Annotated[Literal["AWS_IAM", "NONE"], BeforeValidator(_auth), Also(enum=["aws_iam", "none"])] = Field(
        default="AWS_IAM", description="`AWS_IAM` signs each request"
    )
    headers: dict[FilledText, SecretText] = Field(default_factory=dict, description=HEADERS)
    timeout_seconds: Seconds = Field(default=LAMBDA_MOST_SECONDS, gt=0, le=LAMBDA_MOST_SECONDS, description=TIMEOUT)
    aws: AwsSettings = Field(default=AwsSettings(), description=AWS_OVER)


class WrittenBasicAuth(Written):
    username: SecretText = Field(description="the user's name")
    password: SecretText = Field(description="the user's password")


class WrittenHmac(Written):
    secret: SecretText = Field(description="key of the HMAC of `SECONDS.BODY`")
    header: HeaderName = Field(default="X-Signature", description="header that holds it, hexadecimal")
    timestamp_header: HeaderName = Field(
        default="X-Signature-Timestamp", description="header that holds the seconds since the epoch"
    )
    algorithm: Digest = Field(default="sha256", description="of the HMAC")


class WrittenSigV4(Written):
    service: FilledText = Field(description="as it stands in a signature's scope, such as `execute-api`")
    region: FilledText | None = Field(
        default=None, description="to sign for", json_schema_extra=shown_default("`aws.region`")
    )


class WrittenHttp(_Common):
    type: Literal["http"] = Field(description=TYPE)
    url: WebAddress = Field(description="where the event is posted; redirects are not followed")
    headers: dict[FilledText, SecretText] = Field(default_factory=dict, description=HEADERS)
    bearer_token: SecretText | None = Field(default=None, description="sent as `Authorization: Bearer …`")
    basic_auth: WrittenBasicAuth | None = Field(default=None, description="sent as `Authorization: Basic …`")
    hmac: WrittenHmac | None = Field(
        default=None, description="signs each body, so that the service can tell who sent it"
    )
    sigv4: WrittenSigV4 | None = Field(default=None, description="signs each request as AWS services ask for")
    client_certificate: FilledText | None = Field(default=None, description="PEM file that the service is shown")
    client_key: FilledText | None = Field(
        default=None, description="PEM file of its key, where the certificate's does not hold it"
    )
    ca_bundle: FilledText | None = Field(
        default=None,
        description=(
            "PEM file of the authorities to trust for this service, in place of the machine's; "
            "certificates are always verified"
        ),
    )
    timeout_seconds: Seconds = Field(default=LOCAL_SECONDS, gt=0, le=HELD_MOST_SECONDS, description=TIMEOUT)
    max_payload_bytes: Size = Field(
        default=SYNCHRONOUS_PAYLOAD_BYTES, ge=1, description="largest event the service takes; what is larger is split"
    )
    aws: AwsSettings = Field(default=AwsSettings(), description=AWS_OVER)


class WrittenRuntime(_Common):
    type: Literal["runtime"] = Field(description=TYPE)
    handler: FilledText | None = Field(
        default=None, description="of Python code: `module.function`; beside a `command` only told to it, in `_HANDLER`"
    )
    command: list[FilledText] = Field(
        default_factory=list,
        description=(
            "a program that speaks Lambda's Runtime API, started once per worker; by default `bootstrap` in "
            "`code`, or the client that runs a Python `handler`"
        ),
    )
    code: FilledText | None = Field(default=None, description="the directory it runs in; relative to this file")
    environment: dict[FilledText, SecretText] = Field(
        default_factory=dict, description="of the workers; values may be secrets"
    )
    runtime_listen: Annotated[str, AfterValidator(_listen), text(LISTEN_PATTERN)] | None = Field(
        default=None, description="`HOST:PORT` where workers that somebody else starts ask for events"
    )
    allow_unauthenticated: bool = Field(
        default=False, description="lets `runtime_listen` be reached from other machines: whoever does gets events"
    )
    minimum_workers: Whole | None = Field(
        default=None,
        ge=0,
        description="kept ready, whatever there is to do; one is started at 0 too, to know that it can",
        json_schema_extra=shown_default("1, or less where `concurrency` is"),
    )
    idle_timeout_seconds: Seconds | None = Field(
        default=None,
        gt=0,
        le=HELD_MOST_SECONDS,
        description="after which a worker beyond those that has no work is ended; by default none is",
    )
    user: FilledText | None = Field(
        default=None,
        description=(
            "as whom workers run, with all groups of that user; needs a daemon that is root or has "
            "CAP_SETUID, CAP_SETGID and CAP_KILL. By default as the daemon"
        ),
    )
    reload_on_change: bool = Field(
        default=False, description="starts workers anew when a file of `code` has changed, each after its invocation"
    )
    init_timeout_seconds: Seconds = Field(
        default=INIT_SECONDS,
        gt=0,
        le=HELD_MOST_SECONDS,
        description="after which a worker that does not ask for events has failed to start",
    )
    memory_size: Whole = Field(
        default=128, ge=128, le=10_240, description="MB, as the function is told; nobody enforces it"
    )
    timeout_seconds: Seconds = Field(default=LOCAL_SECONDS, gt=0, le=HELD_MOST_SECONDS, description=TIMEOUT)


class WrittenStepFunctions(_Common):
    type: Literal["step_functions"] = Field(description=TYPE)
    state_machine_arn: Annotated[str, AfterValidator(_state_machine), text(f"^{_STATE_MACHINE.pattern}$")] = Field(
        description="an Express workflow, with an optional version or alias"
    )
    endpoint_url: Endpoint | None = Field(default=None, description="an endpoint that speaks the Step Functions API")
    timeout_seconds: Seconds = Field(default=WORKFLOW_MOST_SECONDS, gt=0, le=WORKFLOW_MOST_SECONDS, description=TIMEOUT)
    aws: AwsSettings = Field(default=AwsSettings(), description=AWS_OVER)


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
