"""The lean transport: signs requests and speaks HTTP itself. It decides what to send again and how to treat
refusals.
"""

import asyncio
import random
import ssl
import time
from collections.abc import Awaitable, Callable
from functools import partial

from poller import __version__
from poller.aws.answers import service_error, timestamp
from poller.aws.call_counts import CallCounts
from poller.aws.chain import AwsSettings, ca_bundle_of, open_session
from poller.aws.credentials import REFUSED_CREDENTIALS, CredentialSource
from poller.aws.endpoints import Endpoint, resolve_endpoint
from poller.aws.event_stream import EventStreamAnswer
from poller.aws.port import EventStream, Operation, Reply, ReservedBytes, Transport
from poller.aws.retry import MAX_ATTEMPTS, QUOTA, RetryQuota, backoff, is_retryable
from poller.aws.sdk_errors import as_not_sent, sdk_errors
from poller.aws.signer import Credentials, Signer
from poller.http import HttpPool, Origin, tls_context
from poller.http.streamed import connect
from poller.values.errors import AnswerLost, CallError, ConfigurationError, NotSent, ServiceError

SKEW_CODES = frozenset({"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture", "InvalidSignatureException"})
TOLERATED_SKEW_SECONDS = 240.0
"""Seconds. Services accept signatures up to 5 minutes off; a smaller skew is not the cause of a refusal."""

SIGNED_HEADERS = {"sqs": (("x-amzn-query-mode", "true"),)}
"""Makes SQS name errors by the codes of its former protocol, as the SDK does."""
UNSIGNED_HEADERS = (("accept-encoding", "identity"), ("user-agent", f"poller/{__version__}"))


MOST_REFUSAL_BYTES = 64 * 1024
"""Maximum of bytes read from an answer that refuses a subscription."""
MAX_CONNECTIONS = 1300
"""Connections per host: one for each of a mapping's 1,250 lanes, and the rest for receives, deletes, extensions."""


class _Channel:
    """One service: its signer, its connections and its retry quota."""

    __slots__ = ("pool", "quota", "signer")

    def __init__(self, signer: Signer, pool: HttpPool) -> None:
        self.signer = signer
        self.pool = pool
        self.quota = RetryQuota()


class _Attempts:
    """The retries of one call, after its first attempt failed."""

    __slots__ = ("corrected", "made", "replaced", "taken")

    def __init__(self) -> None:
        self.made = 0
        self.taken = 0
        self.corrected = False
        self.replaced = False


class LeanTransport:
    """Created inside a running loop. Endpoints are resolved, and connections opened, at a service's first call."""

    def __init__(
        self,
        *,
        credentials: CredentialSource,
        endpoint: Callable[[str], Endpoint],
        counts: CallCounts | None = None,
        tls: Callable[[], ssl.SSLContext] = tls_context,
        max_connections: int = MAX_CONNECTIONS,
        connect_timeout: float = 10.0,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`endpoint` returns a service's endpoint; `max_connections` is per host; `chance` draws evenly from [0, 1)."""
        self._credentials = credentials
        self.credentials_end_in = credentials.ends_in
        self._endpoint = endpoint
        self._counts = counts or CallCounts()
        self._new_tls = tls
        self._tls: ssl.SSLContext | None = None
        self._stream_tls: ssl.SSLContext | None = None
        self._connect_timeout = connect_timeout
        self._new_pool = partial(HttpPool, max_connections=max_connections, connect_timeout=connect_timeout)
        self._now = now
        self._sleep = sleep
        self._chance = chance
        self._time = asyncio.get_running_loop().time
        self._channels: dict[str, _Channel] = {}
        self._pools: dict[Origin, HttpPool] = {}
        self._closed = False

    async def call(
        self,
        operation: Operation,
        body: bytes,
        timeout: float | None = None,  # noqa: ASYNC109
        *,
        trace: str | None = None,
        room: ReservedBytes | None = None,
    ) -> Reply:
        limit = operation.timeout if timeout is None else timeout
        attempts: _Attempts | None = None
        try:
            while True:
                channel = self._channels.get(operation.service)
                if channel is None or self._time() >= self._credentials.check_at:
                    channel = await self._ready(operation.service)
                signer = channel.signer
                used = signer.credentials
                failure: CallError
                try:
                    request = signer.request(operation, body, trace)
                    reply = await channel.pool.exchange(request, limit, operation.max_reply_bytes, room)
                except CallError as error:
                    failure = error
                    attempts = attempts or _Attempts()
                else:
                    if 200 <= reply.status < 300:
                        if channel.quota.left < QUOTA:
                            channel.quota.refund(attempts.taken if attempts else 0)
                        self._counts.succeeded(operation)
                        return reply
                    failure = refusal = service_error(operation, reply)
                    attempts = attempts or _Attempts()
                    if await self._learnt(signer, used, refusal, reply, attempts) and operation.resend:
                        continue
                await self._back_off(channel, operation, failure, attempts)
        except CallError as error:
            self._counts.failed(operation, error)
            raise

    async def subscribe(self, operation: Operation, body: bytes) -> EventStream:
        try:
            stream = await self._subscribe(operation, body)
        except CallError as error:
            self._counts.failed(operation, error)
            raise
        self._counts.succeeded(operation)
        return stream

    async def _subscribe(self, operation: Operation, body: bytes) -> EventStream:
        attempts = _Attempts()
        while True:
            channel = await self._ready(operation.service)
            signer = channel.signer
            used = signer.credentials
            answer = await connect(channel.pool.origin, self._stream_context(channel), self._connect_timeout)
            opened = None
            try:
                async with asyncio.timeout(operation.timeout):
                    await answer.send(signer.request(operation, body, None))
                    if 200 <= answer.status < 300:
                        opened = EventStreamAnswer(answer, operation)
                        return opened
                    refused = Reply(answer.status, answer.headers, await answer.body(MOST_REFUSAL_BYTES))
            except TimeoutError as error:
                raise AnswerLost(f"no answer within {operation.timeout:g} s") from error
            finally:
                if opened is None:
                    answer.close()
            refusal = service_error(operation, refused)
            if not await self._learnt(signer, used, refusal, refused, attempts):
                raise refusal

    def _stream_context(self, channel: _Channel) -> ssl.SSLContext | None:
        """Open a connection that offers HTTP/2, which the pools' connections do not speak."""
        if channel.pool.origin.scheme != "https":
            return None
        if self._stream_tls is None:
            self._stream_tls = self._new_tls()
        return self._stream_tls

    async def close(self) -> None:
        self._closed = True
        await self._credentials.close()
        await asyncio.gather(*(pool.close() for pool in self._pools.values()))

    async def _ready(self, service: str) -> _Channel:
        """The service's channel, with valid credentials."""
        if self._closed:
            raise NotSent("the AWS client was closed")
        credentials = await self._renew()
        if service not in self._channels:
            self._channels[service] = self._open(service, credentials)
        return self._channels[service]

    async def _renew(self) -> Credentials:
        credentials = await self._credentials.current()
        for channel in self._channels.values():
            if channel.signer.credentials is not credentials:
                channel.signer.use(credentials)
        return credentials

    def _open(self, service: str, credentials: Credentials) -> _Channel:
        try:
            with sdk_errors(as_not_sent):
                url, region, signing_name = self._endpoint(service)
            origin = Origin.of(url)
            pool = self._pools.get(origin)
            if pool is None:
                tls = self._context() if origin.scheme == "https" else None
                pool = self._pools[origin] = self._new_pool(origin, tls)
        except (NotSent, ConfigurationError) as error:
            # an error in the SDK's settings: our own configuration was checked when it was loaded
            raise NotSent(f"no endpoint for {service}: {error}") from error
        signer = Signer(
            signing_name,
            region,
            url,
            credentials,
            signed_headers=SIGNED_HEADERS.get(service, ()),
            unsigned_headers=UNSIGNED_HEADERS,
            now=self._now,
        )
        return _Channel(signer, pool)

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = self._new_tls()
        return self._tls

    async def _learnt(
        self, signer: Signer, used: Credentials, refusal: ServiceError, reply: Reply, attempts: _Attempts
    ) -> bool:
        """Whether credentials or clock caused the refusal and are corrected now: each once per call."""
        if refusal.code in REFUSED_CREDENTIALS and not attempts.replaced:
            attempts.replaced = True
            if await self._credentials.replace(used):
                await self._renew()
                return True
        if (refusal.code in SKEW_CODES or refusal.status == 403) and not attempts.corrected:
            attempts.corrected = True
            return self._corrected(signer, timestamp(reply.headers.get("date", "")))
        return False

    def _corrected(self, signer: Signer, service_time: float | None) -> bool:
        if service_time is None:
            return False
        skew = service_time - self._now()
        if abs(skew - signer.skew) < TOLERATED_SKEW_SECONDS:
            return False
        signer.correct(skew)
        return True

    async def _back_off(self, channel: _Channel, operation: Operation, failure: CallError, attempts: _Attempts) -> None:
        """Wait before the next attempt; raise `failure` if there is none."""
        attempts.made += 1
        if not operation.resend or attempts.made >= MAX_ATTEMPTS or not is_retryable(failure):
            raise failure
        attempts.taken = channel.quota.take(failure)
        if not attempts.taken:
            raise failure
        await self._sleep(backoff(attempts.made, self._chance()))


async def build_lean_transport(
    aws: AwsSettings, region: str, *, counts: CallCounts | None = None, max_connections: int = MAX_CONNECTIONS
) -> Transport:
    """Build it from settings; `region` applies to services without their own."""
    session = open_session(aws, region)
    loop = asyncio.get_running_loop()
    return LeanTransport(
        credentials=CredentialSource(partial(open_session, aws, region), loop.time),
        endpoint=lambda service: resolve_endpoint(session, aws, service, region),
        counts=counts,
        tls=lambda: tls_context(ca_bundle_of(session)),
        max_connections=max_connections,
    )
