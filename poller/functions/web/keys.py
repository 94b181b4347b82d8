"""The keys of functions behind a URL, and how they are read."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from poller.configuration.model.aws import AWS_OVER, AwsSettings
from poller.configuration.model.fields import (
    Also,
    FilledText,
    Seconds,
    WebAddress,
    Written,
    same_fields,
    shown_default,
    text,
)
from poller.configuration.model.functions import FunctionConfig
from poller.configuration.model.sizes import Size
from poller.configuration.reading.explain import Report
from poller.configuration.reading.secrets import Secret, SecretText
from poller.functions.keys import (
    LAMBDA_MOST_SECONDS,
    TIMEOUT,
    TYPE,
    Entry,
    WrittenFunction,
    read_path,
)
from poller.functions.web.options import BasicAuth, Digest, HmacSignature, SigV4, WebOptions
from poller.values.limits import SYNCHRONOUS_PAYLOAD_BYTES

HEADERS = "headers of each request; values may be secrets, which are read again when the service answers 401 or 403"
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FRAMING = frozenset({"connection", "content-length", "transfer-encoding", "host"})
"""Headers that frame and route the request; the connection sets them."""
_URL_REGION = re.compile(r".+\.lambda-url\.([a-z0-9-]+)\.on\.aws(?:\.[a-z.]+)?")
_TLS_FILES = ("client_certificate", "client_key", "ca_bundle")


def is_header_name(value: str) -> bool:
    return _HEADER_NAME.fullmatch(value) is not None


def _header_name(value: str) -> str:
    if not is_header_name(value):
        raise ValueError("must be a name for an HTTP header, such as X-Signature")
    return value


def _auth(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


HeaderName = Annotated[str, AfterValidator(_header_name), text(f"^{_HEADER_NAME.pattern}$")]


class WrittenFunctionUrl(WrittenFunction):
    type: Literal["function_url"] = Field(description=TYPE)
    url: WebAddress = Field(description="the function URL: `https://ID.lambda-url.REGION.on.aws/`")
    auth: Annotated[Literal["AWS_IAM", "NONE"], BeforeValidator(_auth), Also(enum=["aws_iam", "none"])] = Field(
        default="AWS_IAM", description="`AWS_IAM` signs each request"
    )
    headers: dict[FilledText, SecretText] = Field(default_factory=dict, description=HEADERS)
    timeout_seconds: Seconds = Field(default=LAMBDA_MOST_SECONDS, gt=0, le=LAMBDA_MOST_SECONDS, description=TIMEOUT)
    aws: AwsSettings = Field(default=AwsSettings(), description=AWS_OVER)


class WrittenBasicAuth(Written):
    username: SecretText = Field(description="the user name")
    password: SecretText = Field(description="the password")


class WrittenHmac(Written):
    secret: SecretText = Field(description="the key of the HMAC of `SECONDS.BODY`")
    header: HeaderName = Field(default="X-Signature", description="the header of the signature, in hexadecimal digits")
    timestamp_header: HeaderName = Field(
        default="X-Signature-Timestamp", description="the header of the time, in seconds since the epoch"
    )
    algorithm: Digest = Field(default="sha256", description="the hash function of the HMAC")


class WrittenSigV4(Written):
    service: FilledText = Field(description="the service in the signature's scope, such as `execute-api`")
    region: FilledText | None = Field(
        default=None, description="the region in the signature's scope", json_schema_extra=shown_default("`aws.region`")
    )


class WrittenHttp(WrittenFunction):
    type: Literal["http"] = Field(description=TYPE)
    url: WebAddress = Field(description="the URL to which events are posted; redirects are not followed")
    headers: dict[FilledText, SecretText] = Field(default_factory=dict, description=HEADERS)
    bearer_token: SecretText | None = Field(default=None, description="sent as `Authorization: Bearer …`")
    basic_auth: WrittenBasicAuth | None = Field(default=None, description="sent as `Authorization: Basic …`")
    hmac: WrittenHmac | None = Field(
        default=None, description="signs each body, so that the service can verify the sender"
    )
    sigv4: WrittenSigV4 | None = Field(default=None, description="signs each request by AWS Signature Version 4")
    client_certificate: FilledText | None = Field(default=None, description="PEM file of the client certificate")
    client_key: FilledText | None = Field(
        default=None, description="PEM file of its private key, where the certificate's file does not hold it"
    )
    ca_bundle: FilledText | None = Field(
        default=None,
        description=(
            "PEM file of the certificate authorities to trust for this service, instead of the "
            "machine's; certificates are always verified"
        ),
    )
    max_payload_bytes: Size = Field(
        default=SYNCHRONOUS_PAYLOAD_BYTES,
        ge=1,
        description="the largest event that the service accepts; a larger batch is split",
    )
    aws: AwsSettings = Field(default=AwsSettings(), description=AWS_OVER)


def read_function_url(entry: Entry) -> FunctionConfig:
    """Resolve a function URL. Reports keys that contradict each other."""
    model: WrittenFunctionUrl = entry.model
    report = entry.report
    merged = model.aws.merged_over(entry.aws)
    sigv4 = None
    if model.auth == "AWS_IAM":
        found = _URL_REGION.fullmatch(urlsplit(model.url).hostname or "")
        region = found[1] if found else merged.for_service("lambda")[1]
        if region is None:
            report.say("names no region to sign for; set aws.region, or auth: none", "url")
        sigv4 = SigV4(service="lambda", region=region or "")
    _check_headers(model.headers, report, {"authorization"} if sigv4 else set())
    options = WebOptions(url=model.url, headers=model.headers, sigv4=sigv4)
    return FunctionConfig(**entry.common, options=options, aws=merged)


def read_http(entry: Entry) -> FunctionConfig:
    """Resolve a function behind a URL. Reports keys that contradict each other."""
    model: WrittenHttp = entry.model
    report = entry.report
    merged = model.aws.merged_over(entry.aws)
    authorizing = [name for name in ("bearer_token", "basic_auth", "sigv4") if getattr(model, name) is not None]
    if model.hmac is not None and model.sigv4 is not None:
        report.say("signs the request already; keep one of hmac and sigv4", "sigv4")
    for name in authorizing[1:]:
        report.say(f"sets the Authorization header, as {authorizing[0]} does; keep one of them", name)
    taken = {"authorization"} if authorizing else set()
    if model.hmac is not None:
        taken |= {model.hmac.header.lower(), model.hmac.timestamp_header.lower()}
        if not model.hmac.secret.read():
            report.say("is empty; anyone could sign with it", "hmac", "secret")
    _check_headers(model.headers, report, taken)
    certificate, private_key, bundle = (read_path(entry.node, name, report) for name in _TLS_FILES)
    secure = urlsplit(model.url).scheme == "https"
    for name in _TLS_FILES:
        if getattr(model, name) is not None and not secure:
            report.say("needs an https URL", name)
    if private_key is not None and certificate is None:
        report.say("needs client_certificate", "client_key")
    return FunctionConfig(
        **{**entry.common, "payload_limit": model.max_payload_bytes},
        options=WebOptions(
            **{
                **same_fields(model, WebOptions),
                "basic_auth": BasicAuth(**dict(model.basic_auth)) if model.basic_auth else None,
                "hmac": HmacSignature(**dict(model.hmac)) if model.hmac else None,
                "sigv4": _sigv4(model, merged, report),
                "client_certificate": certificate,
                "client_key": private_key,
                "ca_bundle": bundle,
            }
        ),
        aws=merged,
    )


def _sigv4(model: WrittenHttp, aws: AwsSettings, report: Report) -> SigV4 | None:
    if model.sigv4 is None:
        return None
    region = model.sigv4.region or aws.region
    if region is None:
        report.say("is missing; name the region to sign for here, or set aws.region", "sigv4", "region")
    return SigV4(service=model.sigv4.service, region=region or "")


def _check_headers(headers: Mapping[str, Secret], report: Report, taken: set[str]) -> None:
    for name, value in headers.items():
        if not is_header_name(name):
            report.say("is no name for an HTTP header", "headers", name)
        elif name.lower() in _FRAMING:
            report.say("is set by the connection itself; remove it", "headers", name)
        elif name.lower() in taken:
            report.say("is set by how requests are authorized; remove one", "headers", name)
        elif re.search(r"[\r\n\0]", value.read()):
            report.say("holds a line end, which no HTTP header can", "headers", name)
