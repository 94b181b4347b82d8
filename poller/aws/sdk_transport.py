"""The reference transport: the data-plane port on stock aiobotocore clients.

Slow and complete: proxies, client certificates, odd credentials, whatever the SDK can do. It also is what the lean
transport is compared with. Requests go in as the same JSON bytes, and the service's own bytes come out, taken from the
SDK before it parses them.
"""

import asyncio
import json
import re
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from poller.aws.call_counts import CallCounts
from poller.aws.chain import lend_credentials
from poller.aws.credentials import REFUSED_CREDENTIALS, CredentialSource
from poller.aws.endpoints import configured_endpoint
from poller.aws.port import EventStream, Operation, Reply, ReservedBytes
from poller.aws.retry import MAX_ATTEMPTS
from poller.aws.sdk_errors import as_not_sent, sdk_errors
from poller.aws.sdk_session import BoundedSession, Limits, limits
from poller.values.errors import CallError, NotSent, ServiceError

CONNECTIONS = 1000
"""Most connections per client. The SDK's own bound of ten would let long polls starve deletes."""
INVOKE_PATH = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")


INVOKE_HEADERS = {"x-amz-invocation-type": "InvocationType", "x-amz-log-type": "LogType"}
"""The SDK's names of the operations."""


class ReferenceTransport:
    """Creates a client at a service's first call, and a second one for calls that are never sent twice."""

    def __init__(
        self,
        new_session: Callable[[], AioSession],
        region: str,
        for_service: Callable[[str], tuple[str | None, str | None]],
        counts: CallCounts | None = None,
    ) -> None:
        """`new_session` reads profiles and keys anew; `region` is where the resources are; `for_service` gives the
        endpoint URL and region that are configured for a service, each where it is.
        """
        self._counts = counts or CallCounts()
        self._credentials = CredentialSource(new_session, time.monotonic)
        self.credentials_end_in = self._credentials.ends_in
        self._session = new_session()
        lend_credentials(self._session, self._credentials.current)
        self._region = region
        self._for_service = for_service
        self.clients: dict[tuple[str, bool], Any] = {}
        """By service, and whether its calls may be sent twice."""
        self._opening = asyncio.Lock()
        self._stack = AsyncExitStack()
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
        seconds = operation.timeout if timeout is None else timeout
        limits.set(Limits(seconds, operation.max_reply_bytes, trace, room))
        try:
            reply = await self._call(operation, body)
        except CallError as error:
            self._counts.failed(operation, error)
            raise
        self._counts.succeeded(operation)
        return reply

    async def _call(self, operation: Operation, body: bytes) -> Reply:
        client = await self._ready(operation)
        used = await self._credentials.current()
        try:
            return await _exchange(client, operation, body)
        except ServiceError as refusal:
            # newer credentials may have been provided since
            known = refusal.code not in REFUSED_CREDENTIALS or not await self._credentials.replace(used)
            if known or not operation.resend:
                raise
        return await _exchange(client, operation, body)

    async def subscribe(self, operation: Operation, body: bytes) -> EventStream:  # noqa: ARG002  (the port's own)
        """Not supported: the SDK does not return raw events, and speaks no HTTP/2."""
        error = NotSent(
            f"{operation.name} needs `transport: lean`, and goes through no proxy: name its endpoint in NO_PROXY, or "
            "give the ARN of the stream itself, which is polled"
        )
        self._counts.failed(operation, error)
        raise error

    async def close(self) -> None:
        """Close every client."""
        self._closed = True
        await self._credentials.close()
        await self._stack.aclose()

    async def _ready(self, operation: Operation) -> Any:
        if self._closed:
            raise NotSent("the AWS client was closed")
        key = (operation.service, operation.resend)
        if key not in self.clients:
            async with self._opening:
                if key not in self.clients:
                    self.clients[key] = await self._open(*key)
        return self.clients[key]

    async def _open(self, service: str, resend: bool) -> Any:
        url, region = self._for_service(service)
        with sdk_errors(as_not_sent):
            client = await self._stack.enter_async_context(
                self._making(service, resend, url, (region or self._region) if url else self._region)
            )
            client.meta.events.register_last(f"before-parse.{service}.*", _keep_raw_body)
        return client

    def _making(self, service: str, resend: bool, url: str | None, region: str) -> Any:
        config = AioConfig(
            max_pool_connections=CONNECTIONS,
            parameter_validation=False,
            retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS if resend else 1},
            http_session_cls=BoundedSession,
            # a custom endpoint may have no host name for each kind of call
            inject_host_prefix=url is None and configured_endpoint(self._session, service) is None,
        )
        return self._session.create_client(service, region_name=region, endpoint_url=url, config=config)


async def _exchange(client: Any, operation: Operation, body: bytes) -> Reply:
    with sdk_errors():
        answer = await (_invoke if operation.target is None else _call)(client, operation, body)
    metadata = answer["ResponseMetadata"]
    return Reply(metadata["HTTPStatusCode"], metadata["HTTPHeaders"], answer["RawBody"])


def _keep_raw_body(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Keep the service's bytes, and pass to the parser only bytes that it can read without raising."""
    body = response_dict["body"]
    if not isinstance(body, bytes):
        # Invoke's streamed body was read before
        customized_response_dict["RawBody"] = body.raw_stream.body
        return
    customized_response_dict["RawBody"] = body
    if response_dict["status_code"] < 300:
        response_dict["body"] = b""
    elif not _is_readable(body):
        response_dict["body"] = json.dumps({"message": body.decode("utf-8", "replace")}).encode()


def _is_readable(refusal: bytes) -> bool:
    """Whether the SDK's parser can read the body: an object, or text that is not JSON at all."""
    try:
        return isinstance(json.loads(refusal.decode()), dict)
    except UnicodeDecodeError:
        return False
    except ValueError:
        return True


async def _call(client: Any, operation: Operation, body: bytes) -> Any:
    method = getattr(client, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation.name).lower())
    return await method(**json.loads(body))


async def _invoke(client: Any, operation: Operation, body: bytes) -> Any:
    parts = urlsplit(operation.path)
    found = INVOKE_PATH.fullmatch(parts.path)
    assert found is not None, f"not a path of Invoke: {operation.path}"
    arguments: dict[str, Any] = {"FunctionName": unquote(found[1])}
    if qualifier := parse_qs(parts.query).get("Qualifier"):
        arguments["Qualifier"] = qualifier[0]
    for header, value in operation.headers:
        arguments[INVOKE_HEADERS[header]] = value
    return await client.invoke(**arguments, Payload=body)
