"""Calls that are too rare for the data plane: any operation of any service, by a client of the SDK."""

from typing import Any

from aiobotocore.config import AioConfig
from botocore.exceptions import BotoCoreError, ClientError

from poller.aws.credentials import AwsSettings, open_session
from poller.aws.sdk_errors import as_call_error

CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 30.0
CONFIG = AioConfig(
    connect_timeout=CONNECT_TIMEOUT, read_timeout=READ_TIMEOUT, retries={"mode": "standard", "total_max_attempts": 3}
)
# a compatible service of one's own need not have a host name for each bucket
CONFIG_OF_ENDPOINT = CONFIG.merge(AioConfig(s3={"addressing_style": "path"}))


class ColdCalls:
    """Keeps a session, which remembers the services' models; a client lives for one call, so nothing is left open."""

    def __init__(self, aws: AwsSettings, region: str) -> None:
        """`region` is where the resource is, unless the settings name one for the service."""
        self._aws = aws
        self._region = region
        self._session = open_session(aws, region)

    async def call(self, service: str, method: str, **arguments: Any) -> dict[str, Any]:
        """`method` and `arguments` as the SDK's client has them. Raises CallError."""
        endpoint_url, own_region = self._aws.for_service(service)
        try:
            client = self._session.create_client(
                service,
                region_name=self._region if endpoint_url is None else own_region or self._region,
                endpoint_url=endpoint_url,
                config=CONFIG if endpoint_url is None else CONFIG_OF_ENDPOINT,
            )
            async with client as opened:
                answer: dict[str, Any] = await getattr(opened, method)(**arguments)
                return answer
        except (BotoCoreError, ClientError) as error:
            raise as_call_error(error) from error
