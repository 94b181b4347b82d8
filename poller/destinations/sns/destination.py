"""An SNS topic as on-failure destination: the invocation record is the message."""

from typing import Any

from poller.aws.sdk_calls import SdkCalls
from poller.support import codec


class SnsDestination:
    """A standard topic."""

    def __init__(self, arn: str, calls: SdkCalls) -> None:
        self.name = arn
        self._calls = calls

    async def send(self, record: dict[str, Any], *, batch_event: bytes, shard_id: str, now: float) -> None:  # noqa: ARG002 - metadata only
        await self._calls.call("sns", "publish", TopicArn=self.name, Message=codec.dumps(record).decode())
