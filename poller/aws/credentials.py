"""Credentials for signing, from the SDK's chain: kept at hand, renewed before they expire, read anew when refused."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from poller.aws.sdk_errors import as_no_credentials, sdk_errors
from poller.aws.signer import Credentials
from poller.values.errors import NoCredentials

REFUSED_CREDENTIALS = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}
)
"""With these the credentials themselves are at fault, and others may have been put in place since."""
CHECK_SECONDS = 60.0
"""How often the SDK is asked whether it is time to renew. It starts 15 minutes before the end, so once a minute is
plenty."""
OVERDUE = (0, 60, 180, 300, 600)
"""Seconds before the end at which a person is told that credentials were not renewed. Ten minutes before it the SDK
insists on new ones."""
PATIENCE = 8.0
"""Seconds a call waits for a provider before it fails with a reason, which the status shows: readiness wants one within
10 s. The provider may take longer; the next call finds what it brought."""
LONGEST_LOAD = 60.0
"""Seconds after which a provider is given up and asked anew: a credential_process may hang for ever."""


class Session(Protocol):
    """As much of the SDK's session as is used."""

    async def get_credentials(self) -> Any:
        """The SDK's credentials; None where its chain finds none."""


class CredentialSource:
    """The present credentials. A caller waits for a provider only where there is nothing valid to go on with."""

    def __init__(self, new_session: Callable[[], Session], monotonic: Callable[[], float]) -> None:
        self._new_session = new_session
        self._monotonic = monotonic
        self._loading: asyncio.Task[Credentials] | None = None
        self._provided: Any = None
        self._known: Credentials | None = None
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
                return await self._load(anew=False)
            except NoCredentials:
                if self._still_valid():
                    return known
                raise
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
            # a provider's instant that cannot be compared: without a time zone, for instance
            return True

    async def close(self) -> None:
        """End a provider that still runs."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.wait([self._loading])

    async def _load(self, *, anew: bool) -> Credentials:
        """One load at a time, which all who need it wait for; it goes on where none of them does any more."""
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
            # taken note of here, for nobody may be waiting any more
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
    """Raises NoCredentials for what cannot be signed with, or stand in a header."""
    for name, value in credentials._asdict().items():
        if value is None and name == "token":
            continue
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise NoCredentials(f"no AWS credentials: the provider's {name} is no printable text")
