"""The settings of the process. Loading decides their sources and precedence."""

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from poller.configuration.model.aws import AwsSettings
from poller.configuration.model.failed_events import FailedEventsSettings
from poller.configuration.model.fields import Seconds, Written, shown_default, text
from poller.configuration.model.fleet import FleetSettings
from poller.configuration.model.sizes import Size
from poller.configuration.model.telling import LogSettings, TelemetrySettings
from poller.configuration.model.workers import Workers
from poller.configuration.reading.secrets import Secret, SecretText
from poller.state import kinds

MIB = 1024 * 1024
LEAST_BYTES_IN_FLIGHT = MIB
"""One SQS message of the largest size must fit."""
MOST_GRACE_SECONDS = 3600
SHORTEST_SECRET = 16
"""Characters of a secret access key; AWS's have 40."""


def is_private(listen: str) -> bool:
    """Whether only this machine can connect: a Unix socket or a loopback address."""
    host = listen.rpartition(":")[0].strip("[]").lower()
    if listen.startswith("unix:") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _access_key_id(value: str) -> str:
    if re.fullmatch(r"\w{1,128}", value, re.ASCII) is None:
        raise ValueError("must be 1 to 128 letters, digits and _")
    return value


LISTEN_PATTERN = r"^(\[[^\]]+\]|[^:\s]+):\d{1,5}$"
"""The pattern of `is_listen_address` for the JSON Schema."""


def is_listen_address(value: str) -> bool:
    """`HOST:PORT` or `[IPv6]:PORT`."""
    host, _, port = value.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    return bool(host) and port.isdecimal() and int(port) <= 65535 and (":" not in host or bracketed)


def absolute_address(listen: str, directory: Path) -> str:
    """The same address with a socket's relative path resolved against `directory`."""
    kind, _, path = listen.partition(":")
    return f"unix:{directory / path}" if kind == "unix" and path else listen


Scope = Literal["read", "steer", "invoke"]
SCOPES: tuple[Scope, ...] = get_args(Scope)


class ApiCredential(Written):
    access_key_id: Annotated[str, AfterValidator(_access_key_id), text(r"^\w{1,128}$")] = Field(
        examples=["AKIAPOLLER"],
        description="the id by which a client names it",
    )
    secret_access_key: SecretText = Field(description="the key with which a client signs; best as `{file: PATH}`")
    scopes: list[Scope] = Field(
        default=[*SCOPES],
        min_length=1,
        description="what it allows: `read` looks, `steer` changes mappings, `invoke` invokes functions",
    )

    @field_validator("secret_access_key")
    @classmethod
    def _secret(cls, value: Secret) -> Secret:
        if len(value.read()) < SHORTEST_SECRET:
            # a text that begins with `must` would repeat the value
            raise ValueError(f"is too short: a secret needs {SHORTEST_SECRET} characters or more")
        return value


class ApiSettings(Written):
    listen: Annotated[str, text(rf"{LISTEN_PATTERN}|^unix:.+$")] = Field(
        examples=["127.0.0.1:8642", "unix:/run/poller/api.sock"],
        default="127.0.0.1:8642",
        description="`HOST:PORT`, `[IPv6]:PORT` or `unix:PATH`; port 0 takes any free one, which is logged",
    )
    token: SecretText | None = Field(
        default=None,
        validate_default=True,
        description=(
            "the bearer token that every path but `/healthz` and `/readyz` requires; it must be set "
            "where other machines can reach `listen`"
        ),
    )

    read_token: SecretText | None = Field(
        default=None,
        description=(
            "a second bearer token that only looks: status, metrics, failures, and the page without its buttons; "
            "needs `token`"
        ),
    )
    token_scopes: list[Scope] = Field(
        default=[*SCOPES],
        min_length=1,
        description="what the bearer token allows; without `steer` it only looks",
        json_schema_extra=shown_default("all of them"),
    )
    credentials: list[ApiCredential] = Field(
        default=[],
        description=(
            "the credentials for clients of Lambda's API to sign with: "
            "`{access_key_id, secret_access_key, scopes}`, where `scopes` are all of `read` (look), `steer` (change "
            "mappings) and `invoke` unless it says fewer"
        ),
        json_schema_extra=shown_default("none"),
    )

    @field_validator("credentials")
    @classmethod
    def _credentials(cls, value: list[ApiCredential]) -> list[ApiCredential]:
        if len({one.access_key_id for one in value}) < len(value):
            raise ValueError("names one access_key_id twice; remove one")
        return value

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

    @field_validator("read_token")
    @classmethod
    def _read_token(cls, value: Secret | None, info: ValidationInfo) -> Secret | None:
        if value is None:
            return None
        if info.data.get("token", value) is None:
            raise ValueError("is set without token, so that everybody could steer; set token as well")
        if not value.read():
            raise ValueError("is empty; give a token, or remove the key")
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


def default_state(environ: Mapping[str, str]) -> str:
    """The state file in the directory of the systemd unit (the first of several), else in the user's."""
    directory = environ.get("STATE_DIRECTORY", "").split(":")[0]
    if not directory:
        directory = str(Path(environ.get("HOME") or "~").expanduser() / ".local/state/poller")
    return f"sqlite:///{Path(directory, 'state.db').absolute()}"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="POLLER_", env_nested_delimiter="__", hide_input_in_errors=True
    )

    aws: AwsSettings = Field(
        default=AwsSettings(), description="how to reach AWS; the SDK's own chain decides what is not set"
    )
    state: Annotated[str, text(kinds.PATTERN)] = Field(
        examples=["sqlite:////var/lib/poller/state.db", "postgresql://poller@db.example.com/poller", "memory:"],
        default_factory=lambda: default_state(os.environ),
        description=f"the store of stream positions: {kinds.forms('`')}",
        json_schema_extra=shown_default("`$STATE_DIRECTORY/state.db`, else `~/.local/state/poller/state.db`"),
    )
    """The path is absolute once loaded."""
    fleet: FleetSettings | None = Field(
        default=None,
        description="one of several daemons that share the shards of their streams; without it the daemon is alone",
        json_schema_extra=shown_default("none"),
    )
    workers: Workers = Field(
        default=1,
        examples=[2, "auto"],
        description=(
            "processes of `poller run`, which share the work: `auto` for as many as the daemon may use CPUs; 1 is the "
            "daemon by itself"
        ),
    )
    api: ApiSettings = Field(default=ApiSettings(), description="the HTTP server: health, metrics, status")
    log: LogSettings = Field(default=LogSettings(), description="the log, on stderr")
    telemetry: TelemetrySettings = Field(default=TelemetrySettings(), description="traces")
    failed_events: FailedEventsSettings = Field(
        default=FailedEventsSettings(), description="the events that functions failed of, kept to be looked at again"
    )
    shutdown_grace_seconds: Seconds = Field(
        default=25,
        ge=0,
        le=MOST_GRACE_SECONDS,
        description="seconds that invocations may continue after SIGTERM",
    )
    max_bytes_in_flight: Size = Field(
        default=512 * MIB,
        ge=LEAST_BYTES_IN_FLIGHT,
        description=("most bytes received and not yet settled, all mappings together; at this bound receives wait"),
    )

    @field_validator("state")
    @classmethod
    def _state(cls, value: str) -> str:
        return kinds.checked(value)

    @field_validator("fleet")
    @classmethod
    def _fleet(cls, value: FleetSettings | None, info: ValidationInfo) -> FleetSettings | None:
        state = info.data.get("state")
        if value is not None and isinstance(state, str) and kinds.kind_of(state).join is None:
            raise ValueError(f"needs a `state` that daemons can share, which {state} is not")
        return value

    @field_validator("workers")
    @classmethod
    def _workers(cls, value: int, info: ValidationInfo) -> int:
        state = info.data.get("state")
        if value > 1 and isinstance(state, str) and kinds.kind_of(state).join is None:
            raise ValueError(f"needs a `state` that processes can share, which {state} is not; or set `workers: 1`")
        return value

    @field_validator("max_bytes_in_flight")
    @classmethod
    def _bytes(cls, value: int, info: ValidationInfo) -> int:
        workers = info.data.get("workers", 1)
        if value < workers * LEAST_BYTES_IN_FLIGHT:
            raise ValueError(f"must be at least 1 MiB for each of {workers} workers, which share it")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  (the signature is the library's)
        init_settings: PydanticBaseSettingsSource,
        *others: PydanticBaseSettingsSource,  # noqa: ARG003
        **named: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take only the given values: the loader has merged all sources with their places, so that an error can name
        file and line.
        """
        return (init_settings,)
