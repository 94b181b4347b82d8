"""The SDK's client of Lambda's API, which makes every call once."""

import asyncio

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError


class LambdaClient:
    """Calls on threads."""

    def __init__(self, client):
        self._client = client
        self.close = client.close

    async def call(self, method, **parameters):
        """The answer; a streamed payload is read."""
        answer = await asyncio.to_thread(getattr(self._client, method), **parameters)
        if "Payload" in answer:
            answer["Payload"] = await asyncio.to_thread(answer["Payload"].read)
        return answer

    async def refused(self, method, **parameters):
        """The code of the refusal."""
        try:
            answer = await self.call(method, **parameters)
        except ClientError as error:
            return error.response["Error"]["Code"]
        raise AssertionError(answer)


def lambda_client(url, key="any", secret="any"):
    return LambdaClient(
        botocore.session.Session().create_client(
            "lambda",
            endpoint_url=url,
            region_name="eu-west-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
        )
    )
