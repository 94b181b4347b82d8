"""Transports, one for each combination of settings and region, shared by their users and counted."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from poller.aws.call_counts import CallCounts
from poller.aws.chain import AwsSettings as CredentialSettings
from poller.aws.chain import open_session
from poller.aws.endpoints import resolve_endpoint
from poller.aws.lean import build_lean_transport
from poller.aws.port import Transport
from poller.aws.proxies import any_proxy, proxy_for
from poller.aws.sdk_errors import as_not_sent, sdk_errors
from poller.values.errors import NotSent

SERVICES = ("sqs", "kinesis", "dynamodbstreams", "dynamodb", "lambda", "stepfunctions", "events")
"""Services whose hot operations use a transport."""


class AwsSettings(CredentialSettings, Protocol):
    """Settings for AWS; equal settings share a transport."""

    @property
    def transport(self) -> str:
        """`lean` or `aiobotocore`."""
        ...

    def __hash__(self) -> int: ...


class Transports:
    """Builds transports on first use; `close` them all at the end."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self.counts = CallCounts()
        self._log = log
        self._built: dict[tuple[AwsSettings, str], Transport] = {}
        self._users: Counter[tuple[AwsSettings, str]] = Counter()

    async def get(self, aws: AwsSettings, region: str) -> Transport:
        """The transport for these settings. Makes no call, and loads no client."""
        key = (aws, region)
        if key not in self._built:
            self._built[key] = await self._build(aws, region)
        return self._built[key]

    async def _build(self, aws: AwsSettings, region: str) -> Transport:
        proxied = self._proxied(aws, region)
        if aws.transport == "lean" and not proxied:
            return await build_lean_transport(aws, region, counts=self.counts)
        if proxied:
            self._log.info("transport_chosen", transport="aiobotocore", because="a proxy applies", services=proxied)
        # imported here, because the lean transport does not need the SDK's clients in memory
        from poller.aws.sdk_transport import ReferenceTransport  # noqa: PLC0415

        return ReferenceTransport(partial(open_session, aws, region), region, aws.for_service, self.counts)

    def _proxied(self, aws: AwsSettings, region: str) -> list[str]:
        """The services that are reached through a proxy."""
        if not any_proxy():
            return []
        session = open_session(aws, region)
        found = []
        for service in SERVICES:
            # an endpoint that cannot be resolved fails at the first call, with its reason
            with suppress(NotSent), sdk_errors(as_not_sent):
                if proxy_for(resolve_endpoint(session, aws, service, region).url):
                    found.append(service)
        return found

    def borrow(self) -> "Borrowed":
        """The transports of one user, which it releases at its end."""
        return Borrowed(self)

    async def lend(self, aws: AwsSettings, region: str) -> Transport:
        """The transport for these settings, with one more user."""
        transport = await self.get(aws, region)
        self._users[aws, region] += 1
        return transport

    async def release(self, aws: AwsSettings, region: str) -> None:
        """Remove one user of a transport, and close it after the last one."""
        self._users[aws, region] -= 1
        if not self._users[aws, region]:
            del self._users[aws, region]
            if (transport := self._built.pop((aws, region), None)) is not None:
                await transport.close()

    async def close(self) -> None:
        """Close every transport that was built."""
        for transport in self._built.values():
            await transport.close()


class Borrowed:
    """The transports of one mapping or function. Closing it closes those without another user."""

    def __init__(self, transports: Transports) -> None:
        self._transports = transports
        self._had: dict[tuple[AwsSettings, str], Transport] = {}

    async def get(self, aws: AwsSettings, region: str) -> Transport:
        key = (aws, region)
        if key not in self._had:
            self._had[key] = await self._transports.lend(aws, region)
        return self._had[key]

    async def close(self) -> None:
        """Release them all."""
        while self._had:
            key, _ = self._had.popitem()
            await self._transports.release(*key)


def credentials_end_in(transport: Transport) -> Callable[[], float | None]:
    """The transport's `CredentialSource.ends_in`; None for a transport of tests without credentials."""
    found: Callable[[], float | None] = getattr(transport, "credentials_end_in", lambda: None)
    return found
