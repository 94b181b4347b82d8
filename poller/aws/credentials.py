"""Credentials for signing, from the SDK's chain: kept at hand, renewed before they expire, read anew when refused."""

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Any, Protocol
from uuid import uuid4

from aiobotocore.credentials import AioDeferredRefreshableCredentials
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError, ClientError

from poller.aws.signer import Credentials
from poller.errors import NoCredentials

CHECK_SECONDS = 60.0
"""How often the SDK is asked whether it is time to renew. It starts 15 minutes before the end, so once a minute is
plenty."""
OVERDUE = (0, 60, 180, 300, 600)
"""Seconds before the end at which a person is told that credentials were not renewed. Ten minutes before it the SDK
insists on new ones."""
PROVIDER_ERRORS = (BotoCoreError, ClientError, OSError, ValueError)
"""What the SDK's credential providers raise: their own, STS's, the network's and what malformed files lead to."""


class AwsSettings(Protocol):
    """How AWS is reached, as far as configured; the rest is the SDK's chain."""

    @property
    def profile(self) -> str | None: ...
    @property
    def role_arn(self) -> str | None: ...
    @property
    def external_id(self) -> str | None: ...

    def for_service(self, name: str) -> tuple[str | None, str | None]:
        """`(endpoint_url, region)`."""


def open_session(aws: AwsSettings, region: str) -> AioSession:
    """A session whose credentials are those of the profile and, where one is set, of the role it assumes."""
    session = AioSession(profile=aws.profile)
    if aws.role_arn is not None:
        session.register_component("credential_provider", _AssumedRole(aws, region, AioSession(profile=aws.profile)))
    return session


class _AssumedRole:
    """Stands where a session has its chain of providers."""

    def __init__(self, aws: AwsSettings, region: str, caller: AioSession) -> None:
        self._aws = aws
        self._region = region
        self._caller = caller

    async def load_credentials(self) -> AioDeferredRefreshableCredentials:
        return AioDeferredRefreshableCredentials(refresh_using=self._assume, method="assume-role")

    async def _assume(self) -> dict[str, Any]:
        endpoint_url, region = self._aws.for_service("sts")
        request = {"RoleArn": self._aws.role_arn, "RoleSessionName": f"poller-{uuid4().hex[:16]}"}
        if self._aws.external_id is not None:
            request["ExternalId"] = self._aws.external_id
        async with self._caller.create_client(
            "sts", region_name=region or self._region, endpoint_url=endpoint_url
        ) as sts:
            issued = (await sts.assume_role(**request))["Credentials"]
        expiration = issued["Expiration"]
        return {
            "access_key": issued["AccessKeyId"],
            "secret_key": issued["SecretAccessKey"],
            "token": issued["SessionToken"],
            "expiry_time": expiration.isoformat() if isinstance(expiration, dt.datetime) else expiration,
        }


class CredentialSource:
    """The present credentials. A caller waits for a provider only where there is nothing valid to go on with."""

    def __init__(self, new_session: Callable[[], AioSession], monotonic: Callable[[], float]) -> None:
        self._new_session = new_session
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._provided: Any = None
        self._known: Credentials | None = None
        self._loads = 0
        self._failure: NoCredentials | None = None
        self.check_at = float("-inf")
        """Ask `current` again from this monotonic instant on; until then the last answer is good."""

    async def current(self) -> Credentials:
        """Raise NoCredentials where the chain ends with none, or with expired ones that cannot be renewed."""
        known = self._known
        if known is not None and self._monotonic() < self.check_at:
            return known
        if known is not None and self._still_valid():
            # only this caller waits; the others go on with what there is
            self.check_at = self._monotonic() + CHECK_SECONDS
            try:
                return await self._freeze()
            except PROVIDER_ERRORS:
                if self._still_valid():
                    return known
        return await self._load(anew=False)

    async def replace(self, refused: Credentials) -> bool:
        """After the service refused `refused`: read everything anew. Whether there are other ones now."""
        if self._known == refused:
            try:
                await self._load(anew=True)
            except NoCredentials:
                return False
        return self._known != refused

    def ends_in(self) -> float | None:
        """Less than so many seconds are left, although renewing begins long before; None while all is well."""
        needed = getattr(self._provided, "refresh_needed", None)
        if needed is None:
            return None
        return next((seconds for seconds in OVERDUE if needed(refresh_in=seconds)), None)

    def _still_valid(self) -> bool:
        needed = getattr(self._provided, "refresh_needed", None)
        return needed is None or not needed(refresh_in=0)

    async def _load(self, *, anew: bool) -> Credentials:
        """One load at a time; who had to wait for another's takes its result, good or bad."""
        loads = self._loads
        async with self._lock:
            if self._loads == loads:
                self._failure = None
                try:
                    await self._provide(anew=anew)
                except NoCredentials as error:
                    self._failure = error
                    raise
                finally:
                    self._loads += 1
            if self._failure is not None:
                raise NoCredentials(str(self._failure))
            assert self._known is not None
            return self._known

    async def _provide(self, *, anew: bool) -> None:
        try:
            if anew or self._provided is None:
                self._provided = await self._new_session().get_credentials()
            if self._provided is None:
                raise NoCredentials(
                    "no AWS credentials found: set some, a profile or a role, or run where a role is given"
                )
            await self._freeze()
        except PROVIDER_ERRORS as error:
            raise NoCredentials(f"no AWS credentials: {error}") from error
        self.check_at = self._monotonic() + CHECK_SECONDS

    async def _freeze(self) -> Credentials:
        frozen = await self._provided.get_frozen_credentials()
        credentials = Credentials(frozen.access_key, frozen.secret_key, frozen.token)
        if credentials != self._known:
            self._known = credentials
        assert self._known is not None
        return self._known
