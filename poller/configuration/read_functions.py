"""Entries of `functions`, and functions that a mapping names itself, to FunctionConfig."""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import Field

from poller.configuration.arns import parse_function_name
from poller.configuration.explain import Report
from poller.configuration.fields import Endpoint, FilledText, Seconds, WebAddress, Whole, Written, is_name
from poller.configuration.functions import (
    EMULATOR_NAME,
    SYNCHRONOUS_PAYLOAD_BYTES,
    FunctionConfig,
)
from poller.configuration.secrets import Secret, SecretText
from poller.configuration.settings import AwsSettings, ServiceSettings
from poller.configuration.sizes import Size
from poller.configuration.tree import Node

LAMBDA_MOST_SECONDS = 900
"""The longest a Lambda function can run."""
HTTP_SECONDS = 30
HTTP_MOST_SECONDS = 42_300
"""As long as a batch can be held."""
HTTP_CONCURRENCY = 10
EMULATOR_CONCURRENCY = 1
"""The emulator runs one invocation at a time."""

LATER_TYPES = ("function_url", "runtime", "step_functions")
LATER_KEYS = {"invocation_type": "is not supported yet; every invocation is synchronous (RequestResponse)"}
KEYS_OF: Mapping[str, str] = {
    "function_name": "lambda",
    "endpoint_url": "lambda",
    "rie": "lambda",
    "aws": "lambda",
    "url": "http",
    "headers": "http",
    "max_payload_bytes": "http",
}
"""Keys that only one type has."""


class _Common(Written):
    concurrency: Whole | None = Field(default=None, ge=1)
    invoke_identity_arn: FilledText | None = None
    function_arn: FilledText | None = None


class _Lambda(_Common):
    type: Literal["lambda"]
    function_name: FilledText
    endpoint_url: Endpoint | None = None
    rie: bool | None = None
    timeout_seconds: Seconds = Field(default=LAMBDA_MOST_SECONDS, gt=0, le=LAMBDA_MOST_SECONDS)
    aws: AwsSettings = AwsSettings()


class _Http(_Common):
    type: Literal["http"]
    url: WebAddress
    headers: dict[FilledText, SecretText] = Field(default_factory=dict)
    timeout_seconds: Seconds = Field(default=HTTP_SECONDS, gt=0, le=HTTP_MOST_SECONDS)
    max_payload_bytes: Size = Field(default=SYNCHRONOUS_PAYLOAD_BYTES, ge=1)


_TYPES: Mapping[str, type[_Lambda] | type[_Http]] = {"lambda": _Lambda, "http": _Http}


_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FRAMING = frozenset({"connection", "content-length", "transfer-encoding"})
"""Headers that say how the request is framed, which is not the user's to say."""


def read_function(key: str, node: Node, aws: AwsSettings, report: Report) -> FunctionConfig | None:
    """One entry of `functions`; None with everything wrong about it reported."""
    kind = _type_of(node, report)
    if kind is None:
        return None
    foreign = [name for name in node.value if name in LATER_KEYS or KEYS_OF.get(name, kind) != kind]
    for name in foreign:
        reason = f"is for functions of type {KEYS_OF.get(name)}, and this one is {kind}; remove it"
        report.say(LATER_KEYS.get(name, reason), name)
    if not is_name(key):
        report.say("is no name for a function; use letters, digits and any of _ . : $ -")
    model = report.validated(_TYPES[kind], node.without(foreign))
    if isinstance(model, _Http):
        _check_headers(model.headers, report)
        return _http(key, model)
    if isinstance(model, _Lambda):
        return _lambda(key, model, aws, report)
    return None


def implied_function(
    function_name: str, aws: AwsSettings, report: Report, known: Iterable[str]
) -> FunctionConfig | None:
    """A Lambda function that a mapping names without an entry in `functions`."""
    try:
        parse_function_name(function_name)
    except ValueError as error:
        close = difflib.get_close_matches(function_name, known, n=1)
        hint = f"; did you mean {close[0]}, a key of functions?" if close else ""
        report.say(f"{error}, nor a key of functions{hint}", "function_name")
        return None
    return _lambda(function_name, _Lambda(type="lambda", function_name=function_name), aws, report)


def _type_of(node: Node, report: Report) -> str | None:
    if not isinstance(node.value, dict):
        report.say("must hold the keys of a function, such as type and function_name")
        return None
    type_node = node.get("type")
    if type_node is None:
        report.say("is missing; it can be lambda or http", "type")
    elif type_node.value in LATER_TYPES:
        report.say(f"{type_node.value} is not supported yet; it can be lambda or http", "type")
    elif not isinstance(type_node.value, str) or type_node.value not in _TYPES:
        report.say(f"is {type_node.plain()!r}; it can be lambda or http", "type")
    else:
        return type_node.value
    return None


def _check_headers(headers: Mapping[str, Secret], report: Report) -> None:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            report.say("is no name for an HTTP header", "headers", name)
        elif name.lower() in _FRAMING:
            report.say("is set by the connection itself; remove it", "headers", name)
        elif re.search(r"[\r\n\0]", value.read()):
            report.say("holds a line end, which no HTTP header can", "headers", name)


def _http(key: str, model: _Http) -> FunctionConfig:
    return FunctionConfig(
        key=key,
        type="http",
        url=model.url,
        headers=model.headers,
        timeout_seconds=model.timeout_seconds,
        concurrency=model.concurrency or HTTP_CONCURRENCY,
        max_payload_bytes=model.max_payload_bytes,
        invoke_identity_arn=model.invoke_identity_arn,
        function_arn=model.function_arn,
    )


def _lambda(key: str, model: _Lambda, aws: AwsSettings, report: Report) -> FunctionConfig | None:
    try:
        name = parse_function_name(model.function_name)
    except ValueError as error:
        report.say(str(error), "function_name")
        return None
    own = {"lambda": ServiceSettings(endpoint_url=model.endpoint_url)} if model.endpoint_url else {}
    merged = AwsSettings(services=own).merged_over(model.aws.merged_over(aws)) if own else model.aws.merged_over(aws)
    has_endpoint = merged.for_service("lambda")[0] is not None
    if model.rie and not has_endpoint:
        report.say("needs an endpoint_url: the emulator runs somewhere of its own", "rie")
    rie = (has_endpoint and name.name == EMULATOR_NAME) if model.rie is None else model.rie
    return FunctionConfig(
        key=key,
        type="lambda",
        function_name=name.unqualified,
        qualifier=name.qualifier,
        timeout_seconds=model.timeout_seconds,
        concurrency=model.concurrency or (EMULATOR_CONCURRENCY if rie else None),
        rie=rie,
        invoke_identity_arn=model.invoke_identity_arn,
        function_arn=model.function_arn,
        aws=merged,
    )
