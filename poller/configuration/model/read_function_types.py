"""Entries of `functions` whose functions are behind a URL or run here, to FunctionConfig."""

import os
import pwd
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from poller.configuration.model.aws import AwsSettings
from poller.configuration.model.function_models import (
    HTTP_CONCURRENCY,
    RUNTIME_CONCURRENCY,
    WrittenFunctionUrl,
    WrittenHttp,
    WrittenRuntime,
    is_header_name,
)
from poller.configuration.model.functions import (
    BOOTSTRAP,
    BasicAuth,
    FunctionConfig,
    HmacSignature,
    RuntimeConfig,
    SigV4,
    WebConfig,
)
from poller.configuration.model.settings import is_private
from poller.configuration.reading.explain import Report
from poller.configuration.reading.secrets import Secret
from poller.configuration.reading.tree import Node
from poller.support.extras import how_to_install, is_installed

_FRAMING = frozenset({"connection", "content-length", "transfer-encoding", "host"})
"""Headers that say how the request is framed and where it goes, which is not the user's to say."""
_URL_REGION = re.compile(r".+\.lambda-url\.([a-z0-9-]+)\.on\.aws(?:\.[a-z.]+)?")
_HANDLER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*\.[A-Za-z_][A-Za-z0-9_]*")
_OF_STARTED = frozenset(
    {
        "handler",
        "command",
        "code",
        "environment",
        "minimum_workers",
        "idle_timeout_seconds",
        "user",
        "reload_on_change",
        "init_timeout_seconds",
        "memory_size",
    }
)
_TLS_FILES = ("client_certificate", "client_key", "ca_bundle")


def common(key: str, model: Any) -> dict[str, Any]:
    """What every type has."""
    return {
        "key": key,
        "type": model.type,
        "timeout_seconds": model.timeout_seconds,
        "concurrency": model.concurrency,
        "max_requests_per_second": model.max_requests_per_second,
        "invoke_identity_arn": model.invoke_identity_arn,
        "function_arn": model.function_arn,
    }


def _path(node: Node, name: str, report: Report, *, directory: bool = False) -> Path | None:
    """The file or directory a key names, relative to the file it stands in; reported where it is not there."""
    found = node.get(name)
    if found is None or not isinstance(found.value, str):
        return None
    path = (found.origin.directory / found.value).absolute()
    if directory and not path.is_dir():
        report.say(f"{found.value!r} is no directory; a relative path is relative to this file", name)
    elif not directory and not path.is_file():
        report.say(f"{found.value!r} is no file; a relative path is relative to this file", name)
    return path


def read_function_url(
    key: str, model: WrittenFunctionUrl, _node: Node, aws: AwsSettings, report: Report
) -> FunctionConfig:
    merged = model.aws.merged_over(aws)
    sigv4 = None
    if model.auth == "AWS_IAM":
        found = _URL_REGION.fullmatch(urlsplit(model.url).hostname or "")
        region = found[1] if found else merged.for_service("lambda")[1]
        if region is None:
            report.say("names no region to sign for; set aws.region, or auth: none", "url")
        sigv4 = SigV4(service="lambda", region=region or "")
    _check_headers(model.headers, report, {"authorization"} if sigv4 else set())
    return FunctionConfig(
        **common(key, model), web=WebConfig(url=model.url, headers=model.headers, sigv4=sigv4), aws=merged
    )


def read_http(key: str, model: WrittenHttp, node: Node, aws: AwsSettings, report: Report) -> FunctionConfig:
    merged = model.aws.merged_over(aws)
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
    certificate, private_key, bundle = (_path(node, name, report) for name in _TLS_FILES)
    secure = urlsplit(model.url).scheme == "https"
    for name in _TLS_FILES:
        if getattr(model, name) is not None and not secure:
            report.say("needs an https URL", name)
    if private_key is not None and certificate is None:
        report.say("needs client_certificate", "client_key")
    return FunctionConfig(
        **{**common(key, model), "concurrency": model.concurrency or HTTP_CONCURRENCY},
        web=WebConfig(
            url=model.url,
            headers=model.headers,
            bearer_token=model.bearer_token,
            basic_auth=BasicAuth(**dict(model.basic_auth)) if model.basic_auth else None,
            hmac=HmacSignature(**dict(model.hmac)) if model.hmac else None,
            sigv4=_sigv4(model, merged, report),
            client_certificate=certificate,
            client_key=private_key,
            ca_bundle=bundle,
        ),
        payload_limit=model.max_payload_bytes,
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


def read_runtime(key: str, model: WrittenRuntime, node: Node, _aws: AwsSettings, report: Report) -> FunctionConfig:
    code = _path(node, "code", report, directory=True)
    if model.runtime_listen is None:
        _check_started(model, code, report)
    else:
        _check_listening(model, report)
    for name in model.environment:
        if "=" in name or "\0" in name:
            report.say("is no name for an environment variable", "environment", name)
    concurrency = model.concurrency or RUNTIME_CONCURRENCY
    minimum = min(1, concurrency) if model.minimum_workers is None else model.minimum_workers
    if minimum > concurrency:
        report.say(f"is more than concurrency, {concurrency}, which is the most workers", "minimum_workers")
    return FunctionConfig(
        **{**common(key, model), "concurrency": concurrency},
        runtime=RuntimeConfig(
            handler=model.handler,
            command=tuple(model.command),
            code=code,
            environment=model.environment,
            runtime_listen=model.runtime_listen,
            allow_unauthenticated=model.allow_unauthenticated,
            minimum_workers=minimum,
            idle_timeout_seconds=model.idle_timeout_seconds,
            user=model.user,
            reload_on_change=model.reload_on_change,
            init_timeout_seconds=model.init_timeout_seconds,
            memory_size=model.memory_size,
        ),
    )


def _check_started(model: WrittenRuntime, code: Path | None, report: Report) -> None:
    """Workers that we start."""
    if model.allow_unauthenticated:
        report.say("is for runtime_listen; remove it", "allow_unauthenticated")
    if not (model.handler or model.command or model.code):
        report.say("is missing; it needs a handler, a command, a code with a bootstrap, or runtime_listen", "handler")
    elif model.code is None:
        report.say("is missing; it is the directory the function runs in", "code")
    elif not (model.handler or model.command) and code is not None and code.is_dir():
        if not (code / BOOTSTRAP).is_file():
            report.say("holds no file named bootstrap to start; set handler for Python code, or command", "code")
        elif not os.access(code / BOOTSTRAP, os.X_OK):
            report.say("holds a bootstrap that may not be executed; chmod +x it", "code")
    if model.user is not None and not _is_user(model.user):
        report.say(f"is {model.user!r}, and there is no user of that name on this machine", "user")
    # what a command makes of its handler is its own business
    if model.handler and not model.command and not _HANDLER.fullmatch(model.handler):
        report.say(f"is {model.handler!r}; it must be module.function, such as app.handler", "handler")
    if model.handler and not model.command and not is_installed("runtime"):
        report.say(
            f"is Python code, which awslambdaric runs, and that is not installed: {how_to_install('runtime')}",
            "handler",
        )


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _check_listening(model: WrittenRuntime, report: Report) -> None:
    """Workers that somebody else starts."""
    assert model.runtime_listen is not None
    if not is_private(model.runtime_listen) and not model.allow_unauthenticated:
        report.say(
            "can be reached from other machines, and the Runtime API has no authentication: whoever reaches it gets "
            "the events; listen on 127.0.0.1, or set allow_unauthenticated: true",
            "runtime_listen",
        )
    for name in sorted(_OF_STARTED & model.model_fields_set):
        report.say("is for workers that poller starts, and with runtime_listen somebody else does; remove one", name)
