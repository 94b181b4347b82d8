"""Credentials for signing, from the SDK's chain: cached, renewed before they expire, read again when refused."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from poller.aws.sdk_errors import as_no_credentials, sdk_errors
from poller.aws.signer import Credentials
from poller.values.errors import NoCredentials

REFUSED_CREDENTIALS = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}
)
"""Error codes that reject the credentials themselves; newer ones may have been provided since."""
CHECK_SECONDS = 60.0
"""Seconds between two questions to the SDK whether to renew. It renews from 15 minutes before the end on, so once a
minute is enough."""
OVERDUE = (0, 60, 180, 300, 600)
"""Seconds before the end at which status warns that credentials were not renewed. Ten minutes before the end the SDK
requires new ones."""
PATIENCE = 8.0
"""Seconds that a call waits for a provider before it fails with a reason for the status; below the 10 s of readiness.
The provider may take longer; the next call uses its result."""
LONGEST_LOAD = 60.0
"""Seconds after which a provider is cancelled and called again: a credential_process may hang for ever."""


class Session(Protocol):
    """The used part of the SDK's session."""

    async def get_credentials(self) -> Any:
        """The SDK's credentials; None if its chain finds none."""


class CredentialSource:
    """The current credentials. A caller waits for a provider only while there are no valid ones."""

    def __init__(self, new_session: Callable[[], Session], monotonic: Callable[[], float]) -> None:
        self._new_session = new_session
        self._monotonic = monotonic
        self._loading: asyncio.Task[Credentials] | None = None
        self._provided: Any = None
        self._known: Credentials | None = None
        self.check_at = float("-inf")
        """Monotonic time from which on `current` is called again; until then the last credentials are good."""

    async def current(self) -> Credentials:
        """Raise NoCredentials if the chain has none, or only expired ones that it cannot renew."""
        known = self._known
        if known is not None and self._monotonic() < self.check_at:
            return known
        if known is not None and self._still_valid():
            # only this caller waits; the others use the present credentials
            self.check_at = self._monotonic() + CHECK_SECONDS
            try:
                return await self._load(anew=False)
            except NoCredentials:
                if self._still_valid():
                    return known
                raise
        return await self._load(anew=False)

    async def replace(self, refused: Credentials) -> bool:
        """Read everything again after the service refused `refused`. Returns whether the credentials have changed."""
        if self._known == refused:
            try:
                await self._load(anew=True)
            except NoCredentials:
                return False
        return self._known != refused

    def ends_in(self) -> float | None:
        """Seconds until the credentials end, if they were not renewed in time; None while all is well."""
        return next((seconds for seconds in OVERDUE if self._ends_within(seconds)), None)

    def _still_valid(self) -> bool:
        return not self._ends_within(0)

    def _ends_within(self, seconds: float) -> bool:
        needed = getattr(self._provided, "refresh_needed", None)
        if needed is None:
            return False
        try:
            with sdk_errors(as_no_credentials):
                return bool(needed(refresh_in=seconds))
        except NoCredentials:
            # the provider's time cannot be compared, for instance without a time zone
            return True

    async def close(self) -> None:
        """Cancel a running provider."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.wait([self._loading])

    async def _load(self, *, anew: bool) -> Credentials:
        """Wait for the load, which all callers share; it continues even if every caller is cancelled."""
        loading = self._loading
        if loading is None:
            loading = self._loading = asyncio.create_task(self._provide(anew=anew), name="credentials")
            loading.add_done_callback(self._loaded)
        done, _ = await asyncio.wait([loading], timeout=PATIENCE)
        if not done:
            raise NoCredentials(
                f"no AWS credentials: their provider gave none within {PATIENCE:g} s and is still waited for; see that "
                "the credential_process ends, or that the credential endpoint or STS can be reached"
            )
        if loading.cancelled():
            raise NoCredentials("no AWS credentials: the AWS client was closed")
        error = loading.exception()
        if error is not None:
            raise NoCredentials(str(error)) if isinstance(error, NoCredentials) else error
        return loading.result()

    def _loaded(self, loading: "asyncio.Task[Credentials]") -> None:
        self._loading = None
        if not loading.cancelled():
            # stored here, because no caller may be waiting any more
            loading.exception()

    async def _provide(self, *, anew: bool) -> Credentials:
        try:
            async with asyncio.timeout(LONGEST_LOAD):
                with sdk_errors(as_no_credentials):
                    if anew or self._provided is None:
                        self._provided = await self._new_session().get_credentials()
                    found = None if self._provided is None else await self._provided.get_frozen_credentials()
        except TimeoutError as error:
            raise NoCredentials(f"no AWS credentials: their provider gave none within {LONGEST_LOAD:g} s") from error
        if found is None:
            raise NoCredentials("no AWS credentials found: set some, a profile or a role, or run where a role is given")
        self.check_at = self._monotonic() + CHECK_SECONDS
        credentials = Credentials(found.access_key, found.secret_key, found.token)
        _check(credentials)
        if credentials != self._known:
            self._known = credentials
        assert self._known is not None
        return self._known


def _check(credentials: Credentials) -> None:
    """Raise NoCredentials for keys that cannot sign, or cannot be a header's value."""
    for name, value in credentials._asdict().items():
        if value is None and name == "token":
            continue
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise NoCredentials(f"no AWS credentials: the provider's {name} is no printable text")
