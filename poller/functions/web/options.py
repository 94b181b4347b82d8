"""The options of a function behind a URL."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from poller.configuration.model.functions import FunctionOptions
from poller.configuration.reading.secrets import Secret

Digest = Literal["sha256", "sha512"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicAuth:
    username: Secret
    password: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class HmacSignature:
    """Signs with the hexadecimal HMAC of `SECONDS.BODY` in one header, and the seconds since the epoch in another."""

    secret: Secret
    header: str
    timestamp_header: str
    algorithm: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class SigV4:
    service: str
    """The service in the signature's scope: `lambda`, `execute-api`."""
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebOptions(FunctionOptions):
    """The URL of a function, and how requests to it are authorized."""

    url: str
    headers: Mapping[str, Secret] = field(default_factory=dict, hash=False)
    bearer_token: Secret | None = None
    basic_auth: BasicAuth | None = None
    hmac: HmacSignature | None = None
    sigv4: SigV4 | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    """None where the certificate's file holds the key too."""
    ca_bundle: Path | None = None

    @property
    def target(self) -> str:
        return self.url
