"""The keys of a Lambda function, and how they are read."""

from typing import Literal

from pydantic import Field

from poller.configuration.model.aws import AWS_OVER, AwsSettings
from poller.configuration.model.fields import Endpoint, FilledText, Seconds, shown_default
from poller.configuration.model.functions import FunctionConfig
from poller.functions.keys import (
    EMULATOR_CONCURRENCY,
    LAMBDA_MOST_SECONDS,
    LOCAL_SECONDS,
    TIMEOUT,
    TYPE,
    Entry,
    WrittenFunction,
    with_endpoint,
)
from poller.functions.lambda_api.options import InvocationType, LambdaOptions, LogType
from poller.values.arns import parse_function_name

EMULATOR_NAME = "function"
"""The name of the one function that the Runtime Interface Emulator runs."""
EVENT_PAYLOAD_BYTES = 1024 * 1024
"""Lambda's limit for an event that goes to its own queue: 1 MB."""


class WrittenLambda(WrittenFunction):
    type: Literal["lambda"] = Field(description=TYPE)
    function_name: FilledText = Field(description="a name, partial ARN or ARN, each with an optional version or alias")
    endpoint_url: Endpoint | None = Field(default=None, description="an endpoint that speaks the Lambda API")
    invocation_type: InvocationType = Field(
        default="RequestResponse", description="`Event` gives the batch to Lambda's own queue: status 202 settles it"
    )
    log_type: LogType = Field(
        default="None",
        description="`Tail` asks for the end of the function's log, which is logged when an invocation fails",
    )
    rie: bool | None = Field(
        default=None,
        description=("the endpoint is the Runtime Interface Emulator, which reports errors with status 200"),
        json_schema_extra=shown_default("`true` for a function called `function` with an `endpoint_url`"),
    )
    timeout_seconds: Seconds | None = Field(
        default=None,
        gt=0,
        le=LAMBDA_MOST_SECONDS,
        description=TIMEOUT,
        json_schema_extra=shown_default(f"{LAMBDA_MOST_SECONDS}; {LOCAL_SECONDS} with `invocation_type: Event`"),
    )
    """By default 900 s, and 30 s for handing an event over."""
    aws: AwsSettings = Field(default=AwsSettings(), description=AWS_OVER)


def read(entry: Entry) -> FunctionConfig | None:
    """Resolve the function. Reports keys that contradict each other."""
    model: WrittenLambda = entry.model
    report = entry.report
    try:
        name = parse_function_name(model.function_name)
    except ValueError as error:
        report.say(str(error), "function_name")
        return None
    merged = with_endpoint("lambda", model.endpoint_url, model.aws, entry.aws)
    has_endpoint = merged.for_service("lambda")[0] is not None
    if model.rie and not has_endpoint:
        report.say("needs an endpoint_url: the emulator runs somewhere of its own", "rie")
    rie = (has_endpoint and name.name == EMULATOR_NAME) if model.rie is None else model.rie
    event = model.invocation_type == "Event"
    if rie and event:
        report.say("Event is not supported by the Runtime Interface Emulator, which has no queue", "invocation_type")
    if event and model.log_type == "Tail":
        report.say("Tail needs the function's answer, which invocation_type Event does not wait for", "log_type")
    given = dict(entry.common)
    given["timeout_seconds"] = model.timeout_seconds or (LOCAL_SECONDS if event else LAMBDA_MOST_SECONDS)
    if event:
        given["payload_limit"] = EVENT_PAYLOAD_BYTES
    given["concurrency"] = model.concurrency or (EMULATOR_CONCURRENCY if rie else None)
    return FunctionConfig(
        **given,
        options=LambdaOptions(
            function_name=model.function_name,
            invocation_type=model.invocation_type,
            log_type=model.log_type,
            rie=rie,
        ),
        aws=merged,
    )
