"""An S3 bucket as on-failure destination: the invocation record and, beside it, the whole event as text."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from poller.aws.sdk_calls import SdkCalls
from poller.support import codec

CONTENT_TYPE = "application/octet-stream"
"""As Lambda writes these objects."""


class S3Destination:
    """A bucket. Each send is an object of its own."""

    def __init__(self, arn: str, calls: SdkCalls, mapping_uuid: str) -> None:
        self.name = arn
        self._bucket = arn.rpartition(":")[2]
        self._calls = calls
        self._mapping_uuid = mapping_uuid

    async def send(self, record: dict[str, Any], *, batch_event: bytes, shard_id: str, now: float) -> None:
        # the record of an asynchronous invocation has its payloads inside
        payload = {"payload": batch_event.decode()} if batch_event else {}
        body = codec.dumps(record | payload)
        key = object_key(self._mapping_uuid, shard_id, now, str(uuid4()))
        await self._calls.call("s3", "put_object", Bucket=self._bucket, Key=key, Body=body, ContentType=CONTENT_TYPE)


def object_key(mapping_uuid: str, shard_id: str, now: float, unique: str) -> str:
    """`aws/lambda/UUID/SHARD/2026/01/31/2026-01-31T23.59.59-UNIQUE`, in UTC."""
    instant = datetime.fromtimestamp(now, UTC)
    return f"aws/lambda/{mapping_uuid}/{shard_id}/{instant:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{unique}"
