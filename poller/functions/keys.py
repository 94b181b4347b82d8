"""Has what the keys of all function types share: the keys of every type, limits, and the entry that is read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from poller.configuration.model.asynchronous import WrittenAsynchronous
from poller.configuration.model.aws import AwsSettings, ServiceSettings
from poller.configuration.model.fields import FilledText, Seconds, Whole, Written, shown_default
from poller.configuration.model.http_face import WrittenFace
from poller.configuration.reading.explain import Report
from poller.configuration.reading.tree import Node
from poller.values.limits import LONGEST_HOLD_SECONDS

LAMBDA_MOST_SECONDS = 900
"""The longest run of a Lambda function, in seconds."""
LOCAL_SECONDS = 30
"""The default timeout of functions that Lambda does not run."""
HTTP_CONCURRENCY = 10
RUNTIME_CONCURRENCY = 1
"""One worker by default."""
EMULATOR_CONCURRENCY = 1
"""The emulator runs one invocation at a time."""
MOST_PER_SECOND = 100_000

TYPE = "the type of the function"
TIMEOUT = "seconds after which an invocation has failed"


class WrittenFunction(Written):
    """The keys of every type. A type with another limit declares `timeout_seconds` anew."""

    timeout_seconds: Seconds | None = Field(default=LOCAL_SECONDS, gt=0, le=LONGEST_HOLD_SECONDS, description=TIMEOUT)
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
        description="most invocations started in a second, for all mappings together",
    )
    invoke_identity_arn: FilledText | None = Field(
        default=None,
        description="the role ARN in `invokeIdentityArn` of Kinesis events",
        json_schema_extra=shown_default("`aws.role_arn`, else `arn:aws:iam::ACCOUNT:role/poller`"),
    )
    function_arn: FilledText | None = Field(
        default=None,
        description="the function's ARN in invocation records and in `iam-policy`",
        json_schema_extra=shown_default("`arn:aws:lambda:REGION:ACCOUNT:function:KEY`"),
    )
    http_face: WrittenFace | None = Field(
        default=None, description="a face for plain HTTP requests, on the daemon's listener"
    )
    asynchronous: WrittenAsynchronous | None = Field(
        default=None, description="invocations of type `Event` through Lambda's API, by Lambda's rules"
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of `functions`, each of its keys valid by itself."""

    key: str
    model: Any
    """An instance of the class that the type names."""
    node: Node
    aws: AwsSettings
    """The settings of the process, which the function's own settings override."""
    report: Report
    common: dict[str, Any]
    """The members of FunctionConfig that every type has."""


def with_endpoint(service: str, endpoint_url: str | None, own: AwsSettings, aws: AwsSettings) -> AwsSettings:
    """The AWS settings of a function: its own over the process's, and its endpoint for one service over both."""
    if endpoint_url is None:
        return own.merged_over(aws)
    services = {service: ServiceSettings(endpoint_url=endpoint_url)}
    return AwsSettings(services=services).merged_over(own.merged_over(aws))


def read_path(node: Node, name: str, report: Report, *, directory: bool = False) -> Path | None:
    """The file or directory that a key names, relative to the file of the key. A missing one is reported."""
    found = node.get(name)
    if found is None or not isinstance(found.value, str):
        return None
    path = (found.origin.directory / found.value).absolute()
    if directory and not path.is_dir():
        report.say(f"{found.value!r} is no directory; a relative path is relative to this file", name)
    elif not directory and not path.is_file():
        report.say(f"{found.value!r} is no file; a relative path is relative to this file", name)
    return path
