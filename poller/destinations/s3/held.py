"""The invocation records that a bucket holds of one mapping, each with its event, for a redrive."""

import asyncio
from typing import Any

from poller.aws.sdk_calls import SdkCalls
from poller.policy.beside import Amount
from poller.ports.destination import Held
from poller.support import codec

CALL_SECONDS = 60.0
PAGE = 100


class HeldInBucket:
    """Implements `poller.ports.destination.HoldsRecords`. Objects are given in the order of their shards and times."""

    def __init__(self, arn: str, calls: SdkCalls, mapping_uuid: str) -> None:
        self.name = arn.rpartition(":")[2]
        self._calls = calls
        self._prefix = f"aws/lambda/{mapping_uuid}/"
        self._after = ""
        self._keys: list[str] = []

    async def amount(self) -> Amount:
        more = await self._list()
        return Amount(len(self._keys), "invocation record", "at least" if more else "exactly")

    async def _list(self) -> bool:
        """The next names; says whether there are more behind them."""
        found = await self._call("list_objects_v2", Prefix=self._prefix, StartAfter=self._after, MaxKeys=PAGE)
        self._keys = [str(one["Key"]) for one in found.get("Contents") or ()]
        return bool(found.get("IsTruncated"))

    async def next(self) -> Held | None:
        if not self._keys:
            await self._list()
        if not self._keys:
            return None
        self._after = key = self._keys.pop(0)
        answer = await self._call("get_object", Key=key)
        modified = answer.get("LastModified")
        try:
            record = codec.loads(answer["Body"])
        except ValueError:
            record = {}
        return Held(key, key, record if isinstance(record, dict) else {}, modified and modified.timestamp())

    async def done(self, held: Held) -> None:
        await self._call("delete_object", Key=held.handle)

    async def give_back(self, held: Held) -> None:
        """The object is there for everybody."""

    async def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        async with asyncio.timeout(CALL_SECONDS):
            return await self._calls.call("s3", method, Bucket=self.name, **arguments)
