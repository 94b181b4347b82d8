"""Transports, one for each combination of settings and region, shared by their users and counted."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from poller.aws.chain import AwsSettings as CredentialSettings
from poller.aws.chain import open_session
from poller.aws.endpoints import resolve_endpoint
from poller.aws.lean import build_lean_transport
from poller.aws.port import EventStream, Operation, Reply, ReservedBytes, Transport
from poller.aws.proxies import any_proxy, proxy_for
from poller.aws.sdk_errors import as_not_sent, sdk_errors
from poller.values.errors import AnswerLost, CallError, NoRoom, NotSent, ServiceError

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
        self.requests: dict[tuple[str, str, str], int] = {}
        """Calls by service, operation and outcome, of all transports."""
        self._log = log
        self._built: dict[tuple[AwsSettings, str], Transport] = {}
        self._users: Counter[tuple[AwsSettings, str]] = Counter()

    async def get(self, aws: AwsSettings, region: str) -> Transport:
        """The transport for these settings. Makes no call, and loads no client."""
        key = (aws, region)
        if key not in self._built:
            self._built[key] = Counted(await self._build(aws, region), self.requests)
        return self._built[key]

    async def _build(self, aws: AwsSettings, region: str) -> Transport:
        proxied = self._proxied(aws, region)
        if aws.transport == "lean" and not proxied:
            return await build_lean_transport(aws, region)
        if proxied:
            self._log.info("transport_chosen", transport="aiobotocore", because="a proxy applies", services=proxied)
        # imported here, because the lean transport does not need the SDK's clients in memory
        from poller.aws.sdk_transport import ReferenceTransport  # noqa: PLC0415

        return ReferenceTransport(partial(open_session, aws, region), region, aws.for_service)

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


class Counted:
    """A transport that counts calls by outcome: ok, not_sent, lost, or the service's error code."""

    def __init__(self, transport: Transport, requests: dict[tuple[str, str, str], int]) -> None:
        self._transport = transport
        self._requests = requests
        self.close = transport.close
        self.credentials_end_in = credentials_end_in(transport)

    async def call(
        self,
        operation: Operation,
        body: bytes,
        timeout: float | None = None,  # noqa: ASYNC109
        *,
        trace: str | None = None,
        room: ReservedBytes | None = None,
    ) -> Reply:
        try:
            reply = await self._transport.call(operation, body, timeout, trace=trace, room=room)
        except CallError as error:
            self._count(operation, _outcome(error))
            raise
        key = operation.service, operation.name, "ok"
        self._requests[key] = self._requests.get(key, 0) + 1
        return reply

    async def subscribe(self, operation: Operation, body: bytes) -> EventStream:
        """Subscribe, and count the outcome of its beginning."""
        try:
            stream = await self._transport.subscribe(operation, body)
        except CallError as error:
            self._count(operation, _outcome(error))
            raise
        self._count(operation, "ok")
        return stream

    def _count(self, operation: Operation, outcome: str) -> None:
        key = (operation.service, operation.name, outcome)
        self._requests[key] = self._requests.get(key, 0) + 1


def _outcome(error: CallError) -> str:
    if isinstance(error, ServiceError):
        return error.code
    if isinstance(error, NoRoom):
        return "no_room"
    return "lost" if isinstance(error, AnswerLost) else "not_sent"
