"""The SDK's credential chain with the configured profile, assumed role, and region and endpoint of STS."""

import asyncio
import datetime as dt
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache
from typing import Any, Protocol
from uuid import uuid4

from aiobotocore.config import AioConfig
from aiobotocore.credentials import (
    AioCredentials,
    AioDeferredRefreshableCredentials,
    AioProcessProvider,
    AioProfileProviderBuilder,
)
from aiobotocore.session import AioSession
from botocore.credentials import ReadOnlyCredentials
from botocore.loaders import create_loader

from poller.aws.sdk_session import SdkHttp
from poller.aws.signer import Credentials


class AwsSettings(Protocol):
    """The configured settings for AWS; the SDK's chain provides the rest."""

    @property
    def profile(self) -> str | None: ...
    @property
    def role_arn(self) -> str | None: ...
    @property
    def external_id(self) -> str | None: ...

    def for_service(self, name: str) -> tuple[str | None, str | None]:
        """`(endpoint_url, region)`."""


def open_session(aws: AwsSettings, region: str) -> AioSession:
    """Open a session with the credentials of the profile and, if one is set, of the role it assumes.

    `region` is where STS is called unless the settings, or a profile on the way, name another.
    """
    session = _Session(aws, region)
    if aws.role_arn is not None:
        session.register_component("credential_provider", _AssumedRole(aws, _Session(aws, region)))
    return session


@cache
def _loader(data_path: str | None) -> Any:
    """Keep what the SDK knows of services and regions once for all sessions; each would load 1 MB for its endpoints."""
    return create_loader(data_path)


def ca_bundle_of(session: AioSession) -> str | None:
    """Path of the CA bundle that replaces the machine's: AWS_CA_BUNDLE, the profile's, REQUESTS_CA_BUNDLE."""
    bundle: str | None = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
    return bundle


def lend_credentials(session: AioSession, current: Callable[[], Awaitable[Credentials]]) -> None:
    """Make the session's clients sign each request with `current()`, instead of the credentials of their creation."""
    session.register_component("credential_provider", _Lent(current))


class _Session(AioSession):  # type: ignore[misc]  # the SDK has no types
    """A session whose chain makes its own calls with the same settings."""

    def __init__(self, aws: AwsSettings, region: str) -> None:
        super().__init__(profile=aws.profile)
        self._aws = aws
        self._region = region
        self.set_default_client_config(AioConfig(http_session_cls=SdkHttp))

    def _register_data_loader(self) -> None:
        self._components.lazy_register_component("data_loader", lambda: _loader(self.get_config_variable("data_path")))

    def create_client(self, service_name: str, region_name: str | None = None, **arguments: Any) -> Any:
        if service_name == "sts":
            # the chain's providers pass neither of them
            endpoint_url, region = self._aws.for_service("sts")
            region_name = region_name or region or self.get_config_variable("region") or self._region
            arguments["endpoint_url"] = arguments.get("endpoint_url") or endpoint_url
        return super().create_client(service_name, region_name, **arguments)

    def _create_credential_resolver(self) -> Any:
        resolver = super()._create_credential_resolver()
        # the SDK has no public way to set how a credential_process is started
        builder = _ProfileProviders(self, cache={}, region_name=None)
        resolver.get_provider("assume-role")._profile_provider_builder = builder  # noqa: SLF001
        resolver.get_provider("custom-process")._popen = _start  # noqa: SLF001
        return resolver


class _ProfileProviders(AioProfileProviderBuilder):  # type: ignore[misc]
    """Builds the providers of profiles that other profiles name as their source."""

    def _create_process_provider(self, profile_name: str) -> AioProcessProvider:
        provider = super()._create_process_provider(profile_name)
        provider._popen = _start  # noqa: SLF001
        return provider


class _Process:
    """A credential_process that ends when the wait for it is cancelled; asyncio would leave it running."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    async def communicate(self) -> tuple[bytes, bytes]:
        try:
            return await self._process.communicate()
        finally:
            if self._process.returncode is None:
                with suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()


async def _start(*arguments: str, **options: Any) -> _Process:
    # no standard input, because nobody could answer a prompt
    return _Process(await asyncio.create_subprocess_exec(*arguments, stdin=asyncio.subprocess.DEVNULL, **options))


class _AssumedRole:
    """Replaces a session's chain of providers."""

    def __init__(self, aws: AwsSettings, caller: AioSession) -> None:
        self._aws = aws
        self._caller = caller

    async def load_credentials(self) -> AioDeferredRefreshableCredentials:
        return AioDeferredRefreshableCredentials(refresh_using=self._assume, method="assume-role")

    async def _assume(self) -> dict[str, Any]:
        request = {"RoleArn": self._aws.role_arn, "RoleSessionName": f"poller-{uuid4().hex[:16]}"}
        if self._aws.external_id is not None:
            request["ExternalId"] = self._aws.external_id
        async with self._caller.create_client("sts") as sts:
            issued = (await sts.assume_role(**request))["Credentials"]
        expiration = issued["Expiration"]
        return {
            "access_key": issued["AccessKeyId"],
            "secret_key": issued["SecretAccessKey"],
            "token": issued["SessionToken"],
            "expiry_time": expiration.isoformat() if isinstance(expiration, dt.datetime) else expiration,
        }


class _Lent:
    """Replaces a session's chain of providers."""

    def __init__(self, current: Callable[[], Awaitable[Credentials]]) -> None:
        self._current = current

    async def load_credentials(self) -> "_LentCredentials":
        return _LentCredentials(self._current)


class _LentCredentials(AioCredentials):  # type: ignore[misc]
    """Credentials that are read again for each request."""

    def __init__(self, current: Callable[[], Awaitable[Credentials]]) -> None:
        super().__init__("", "", method="lent")
        self._current = current

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:
        return ReadOnlyCredentials(*await self._current())
