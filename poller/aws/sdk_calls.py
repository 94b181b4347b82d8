"""Calls outside the data plane: any operation of any service, by a client of the SDK."""

import time
from functools import partial
from typing import Any

from aiobotocore.config import AioConfig

from poller.aws.chain import AwsSettings, lend_credentials, open_session
from poller.aws.credentials import REFUSED_CREDENTIALS, CredentialSource
from poller.aws.sdk_errors import sdk_errors
from poller.values.errors import ServiceError

CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 30.0
MOST_BODY = 64 * 1024 * 1024
"""Bytes that are read of an object."""
CONFIG = AioConfig(
    connect_timeout=CONNECT_TIMEOUT, read_timeout=READ_TIMEOUT, retries={"mode": "standard", "total_max_attempts": 3}
)
# a compatible service may have no host name for each bucket
CONFIG_OF_ENDPOINT = CONFIG.merge(AioConfig(s3={"addressing_style": "path"}))


class SdkCalls:
    """Keeps a session, which caches the services' models; each call has its own client, so nothing stays open."""

    def __init__(self, aws: AwsSettings, region: str) -> None:
        """`region` is the resource's, unless the settings name one for the service."""
        self._aws = aws
        self._region = region
        self._credentials = CredentialSource(partial(open_session, aws, region), time.monotonic)
        self._session = open_session(aws, region)
        lend_credentials(self._session, self._credentials.current)

    async def call(self, service: str, method: str, **arguments: Any) -> dict[str, Any]:
        """Call `method` of the SDK's client with `arguments`. Raises CallError."""
        used = await self._credentials.current()
        try:
            return await self._call(service, method, arguments)
        except ServiceError as refusal:
            if refusal.code not in REFUSED_CREDENTIALS or not await self._credentials.replace(used):
                raise
        return await self._call(service, method, arguments)

    async def _call(self, service: str, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        endpoint_url, own_region = self._aws.for_service(service)
        with sdk_errors():
            client = self._session.create_client(
                service,
                region_name=self._region if endpoint_url is None else own_region or self._region,
                endpoint_url=endpoint_url,
                config=CONFIG if endpoint_url is None else CONFIG_OF_ENDPOINT,
            )
            async with client as opened:
                answer: dict[str, Any] = await getattr(opened, method)(**arguments)
                body = answer.get("Body")
                if body is not None and hasattr(body, "read"):
                    # it comes by the connection that is closed next
                    answer["Body"] = await body.read(MOST_BODY)
        return answer
