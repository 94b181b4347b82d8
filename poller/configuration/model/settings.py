"""The process's own settings. Where their values come from, and which wins, is decided when they are loaded."""

import ipaddress
import os
from collections.abc import Hashable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from poller.configuration.model.fields import Endpoint, FilledText, Seconds, Written
from poller.configuration.model.sizes import Size
from poller.configuration.reading.explain import similar
from poller.configuration.reading.secrets import Secret, SecretText
from poller.configuration.reading.tree import Node
from poller.support.extras import how_to_install, is_installed

MIB = 1024 * 1024
LEAST_BYTES_IN_FLIGHT = MIB
"""One SQS message of the largest size must fit."""
MOST_GRACE_SECONDS = 3600


class ServiceSettings(Written):
    endpoint_url: Endpoint | None = None
    region: FilledText | None = None


SERVICES = ("sqs", "kinesis", "dynamodbstreams", "lambda", "stepfunctions", "sns", "s3", "sts")
"""The services that are called, by the SDK's names."""
_MEANT = {
    "dynamodb": "dynamodbstreams (the table itself is not called)",
    "dynamodb-streams": "dynamodbstreams",
    "dynamodb_streams": "dynamodbstreams",
    "states": "stepfunctions",
    "step_functions": "stepfunctions",
    "sfn": "stepfunctions",
}
"""What other names of services stand for: of ARNs, permissions, other tools."""


def _service(name: str) -> str:
    """Raises ValueError for what is never called: its settings would be ignored."""
    if name in SERVICES:
        return name
    meant = _MEANT.get(name.lower()) or similar(name.lower(), SERVICES)
    hint = f"; did you mean {meant}?" if meant else ""
    raise ValueError(f"is no service that is called here, which are {', '.join(SERVICES)}{hint}")


class AwsSettings(Written):
    """How AWS is reached. What is not set is left to the SDK's own chain."""

    region: FilledText | None = None
    endpoint_url: Endpoint | None = None
    profile: FilledText | None = None
    role_arn: FilledText | None = None
    external_id: FilledText | None = Field(default=None, repr=False)
    services: dict[Annotated[str, AfterValidator(_service)], ServiceSettings] = Field(default_factory=dict)
    """By the SDK's service name, over the above."""
    transport: Literal["lean", "aiobotocore"] = "lean"
    """Who signs and sends the calls of the data path: we, or the SDK."""

    def for_service(self, name: str) -> tuple[str | None, str | None]:
        """`(endpoint_url, region)` of a service, as far as set."""
        own = self.services.get(name, ServiceSettings())
        return own.endpoint_url or self.endpoint_url, own.region or self.region

    def region_of(self, service: str, arn_region: str | None) -> str | None:
        """The region to call for something whose ARN names `arn_region`: the ARN's, and where an endpoint_url
        applies the configured one, since a local endpoint may know a single region.
        """
        endpoint_url, region = self.for_service(service)
        return (region or arn_region) if endpoint_url else (arn_region or region)

    def merged_over(self, base: "AwsSettings") -> "AwsSettings":
        """These settings over `base`, key by key; a service's keys one by one as well."""
        if not self.model_fields_set:
            return base
        merged = base.model_dump(exclude_unset=True)
        own = self.model_dump(exclude_unset=True)
        services = {name: dict(keys) for name, keys in merged.get("services", {}).items()}
        for name, keys in own.pop("services", {}).items():
            services.setdefault(name, {}).update(keys)
        return AwsSettings.model_validate({**merged, **own, **({"services": services} if services else {})})

    def key(self) -> Hashable:
        """Equal for equal settings, so that clients can be shared."""
        services = tuple(sorted((name, own.endpoint_url, own.region) for name, own in self.services.items()))
        return (
            self.region,
            self.endpoint_url,
            self.profile,
            self.role_arn,
            self.external_id,
            services,
            self.transport,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AwsSettings) and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())


_STAND_INS: Mapping[str, str] = {"region": "refused", "endpoint_url": "http://refused"}
"""For a value that was refused. Without it, what needs one would be said to have none."""


def usable_aws(written: Node | None) -> AwsSettings:
    """What is right of settings that were refused, to check by it what uses them; never to run."""
    if written is None or not isinstance(written.value, dict):
        return AwsSettings()
    usable: dict[str, Any] = {}
    for key, child in written.value.items():
        for value in (child.plain(), _STAND_INS.get(key)):
            if value is not None and not (child.broken and value == child.plain()):
                with suppress(ValidationError):
                    AwsSettings.model_validate({key: value})
                    usable[key] = value
                    break
    return AwsSettings.model_validate(usable)


def is_private(listen: str) -> bool:
    """Whether only this machine can connect: a Unix socket or a loopback address."""
    host = listen.rpartition(":")[0].strip("[]").lower()
    if listen.startswith("unix:") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_listen_address(value: str) -> bool:
    """`HOST:PORT` or `[IPv6]:PORT`."""
    host, _, port = value.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    return bool(host) and port.isdecimal() and int(port) <= 65535 and (":" not in host or bracketed)


class ApiSettings(Written):
    listen: str = "127.0.0.1:8642"
    """`HOST:PORT`, `[IPv6]:PORT` or `unix:PATH`; port 0 is any free one."""
    token: SecretText | None = Field(default=None, validate_default=True)

    @field_validator("listen")
    @classmethod
    def _listen(cls, value: str) -> str:
        if value.startswith("unix:"):
            if len(value) == len("unix:"):
                raise ValueError("names no socket; write unix:/run/poller/api.sock")
            return value
        if not is_listen_address(value):
            raise ValueError("must be HOST:PORT, [IPv6]:PORT or unix:PATH, for instance 127.0.0.1:8642")
        return value

    @field_validator("token")
    @classmethod
    def _token(cls, value: Secret | None, info: ValidationInfo) -> Secret | None:
        if value is not None and not value.read():
            raise ValueError("is empty; give a token, or remove the key")
        listen = info.data.get("listen")
        if value is None and listen is not None and not is_private(listen):
            raise ValueError(
                f"is required to listen on {listen}, which other machines can reach; or listen on 127.0.0.1"
            )
        return value

    @property
    def socket(self) -> Path | None:
        """The path of the Unix socket, where it listens on one."""
        return Path(self.listen.removeprefix("unix:")) if self.listen.startswith("unix:") else None

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class LogSettings(Written):
    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = "info"
    format: Annotated[Literal["json", "console"], BeforeValidator(_lower)] = "json"


class TelemetrySettings(Written):
    traces: Annotated[Literal["none", "otlp"], BeforeValidator(_lower)] = Field(default="none")
    """`otlp` exports OpenTelemetry traces to where the standard OTEL_EXPORTER_OTLP_* variables say."""

    @field_validator("traces")
    @classmethod
    def _traces(cls, value: str) -> str:
        if value == "otlp" and not is_installed("otel"):
            raise ValueError(f"is otlp, which needs OpenTelemetry: {how_to_install('otel')}")
        return value


def default_state(environ: Mapping[str, str]) -> str:
    """The state file of the systemd unit (which may name several directories), else of the user."""
    directory = environ.get("STATE_DIRECTORY", "").split(":")[0]
    if not directory:
        directory = str(Path(environ.get("HOME") or "~").expanduser() / ".local/state/poller")
    return f"sqlite:///{Path(directory, 'state.db').absolute()}"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="POLLER_", env_nested_delimiter="__", hide_input_in_errors=True
    )

    aws: AwsSettings = AwsSettings()
    state: str = Field(default_factory=lambda: default_state(os.environ))
    """`memory:` or `sqlite:///PATH`, the path absolute once loaded."""
    api: ApiSettings = ApiSettings()
    log: LogSettings = LogSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    shutdown_grace_seconds: Seconds = Field(default=25, ge=0, le=MOST_GRACE_SECONDS)
    max_bytes_in_flight: Size = Field(default=512 * MIB, ge=LEAST_BYTES_IN_FLIGHT)

    @field_validator("state")
    @classmethod
    def _state(cls, value: str) -> str:
        if value == "memory:" or (value.startswith("sqlite:///") and value.rstrip("/") != "sqlite:"):
            return value
        if value.partition(":")[0] in ("dynamodb", "postgresql"):
            raise ValueError("is not supported yet; use sqlite:////absolute/path or memory:")
        raise ValueError("must be sqlite:////absolute/path, sqlite:///relative/path or memory:")

    @property
    def state_path(self) -> Path | None:
        """The SQLite file, or None for `memory:`."""
        return Path(self.state.removeprefix("sqlite:///")) if self.state != "memory:" else None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  (the signature is the library's)
        init_settings: PydanticBaseSettingsSource,
        *others: PydanticBaseSettingsSource,  # noqa: ARG003
        **named: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is handed in: every value was given its place and precedence before, so that an error can name
        the file and line it came from.
        """
        return (init_settings,)
