"""The reference transport: the data-plane port on stock aiobotocore clients.

Slow and complete: proxies, client certificates, odd credentials, whatever the SDK can do. It also is what the lean
transport is compared with. Requests go in as the same JSON bytes, and the service's own bytes come out, taken from the
SDK before it parses them.
"""

import json
import re
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore import exceptions as sdk

from poller.aws.port import Operation, Reply
from poller.aws.sdk_errors import as_call_error
from poller.errors import AnswerLost

CONNECTIONS = 1000
"""Most connections per client. The SDK's own bound of ten would let long polls starve deletes."""
CONNECT_TIMEOUT = 10.0
CHUNK = 64 * 1024
INVOKE_PATH = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")


class ReferenceTransport:
    """Makes a client at the first call of each service; one more for calls that must not be sent twice."""

    def __init__(self, session: AioSession, region: str, endpoints: dict[str, str | None]) -> None:
        """`endpoints`: an endpoint URL by service, where one is set."""
        self._session = session
        self._region = region
        self._endpoints = endpoints
        self._clients: dict[tuple[str, bool, float], Any] = {}
        self._stack = AsyncExitStack()

    async def call(self, operation: Operation, body: bytes, timeout: float | None = None) -> Reply:  # noqa: ASYNC109
        """See `Transport.call`."""
        try:
            client = await self._client(operation, timeout or operation.timeout)
            if operation.target is None:
                return await _invoke(client, operation, body)
            answer = await _method(client, operation)(**json.loads(body))
            raw: bytes = answer["RawBody"]
            metadata = answer["ResponseMetadata"]
            return Reply(metadata["HTTPStatusCode"], metadata["HTTPHeaders"], raw)
        except (sdk.BotoCoreError, sdk.ClientError) as error:
            raise as_call_error(error) from error

    async def _client(self, operation: Operation, timeout: float) -> Any:  # noqa: ASYNC109
        key = (operation.service, operation.resend, timeout)
        if key not in self._clients:
            config = AioConfig(
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=timeout,
                max_pool_connections=CONNECTIONS,
                parameter_validation=False,
                retries={"mode": "standard", "total_max_attempts": 3 if operation.resend else 1},
                tcp_keepalive=True,
            )
            client = await self._stack.enter_async_context(
                self._session.create_client(
                    operation.service,
                    region_name=self._region,
                    endpoint_url=self._endpoints.get(operation.service),
                    config=config,
                )
            )
            client.meta.events.register_last(f"before-parse.{operation.service}.*", _keep_raw_body)
            self._clients[key] = client
        return self._clients[key]

    async def close(self) -> None:
        """Close every client."""
        await self._stack.aclose()


def _keep_raw_body(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    customized_response_dict["RawBody"] = response_dict["body"]


def _method(client: Any, operation: Operation) -> Any:
    return getattr(client, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation.name).lower())


async def _invoke(client: Any, operation: Operation, body: bytes) -> Reply:
    parts = urlsplit(operation.path)
    found = INVOKE_PATH.fullmatch(parts.path)
    assert found is not None, f"not a path of Invoke: {operation.path}"
    arguments: dict[str, Any] = {"FunctionName": unquote(found[1])}
    if qualifier := parse_qs(parts.query).get("Qualifier"):
        arguments["Qualifier"] = qualifier[0]
    answer = await client.invoke(**arguments, Payload=body)
    metadata = answer["ResponseMetadata"]
    # the size is bounded while the answer is read, not once all of it is here
    payload = bytearray()
    async with answer["Payload"] as stream:
        while chunk := await stream.read(CHUNK):
            payload += chunk
            if len(payload) > operation.max_reply_bytes:
                raise AnswerLost(f"the answer is over {operation.max_reply_bytes} bytes")
    return Reply(metadata["HTTPStatusCode"], metadata["HTTPHeaders"], bytes(payload))
