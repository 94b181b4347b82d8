"""The calls to one Kinesis stream, with shared throughput. The caller does any retry beyond the transport's."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from poller.aws.port import AWS_JSON_1_1, Operation, ReservedBytes, Transport
from poller.policy.filtering import Filter, Verdict
from poller.sources.kinesis import aggregates, event
from poller.sources.sharded.api import Position, Shard, ShardPage, StreamFacts
from poller.sources.sharded.calls import MISSING, Meanings, ask, expecting, listed, new_iterator, read
from poller.values.errors import IteratorExpired, StreamGone
from poller.values.record import Record


def _operation(name: str, timeout: float) -> Operation:
    return Operation("kinesis", name, f"Kinesis_20131202.{name}", AWS_JSON_1_1, timeout=timeout)


DESCRIBE = _operation("DescribeStreamSummary", 15.0)
LIST = _operation("ListShards", 15.0)
ITERATOR = _operation("GetShardIterator", 15.0)
# up to 10 MiB of records, which are a third more as base64
RECORDS = _operation("GetRecords", 30.0)

SHARDS_PER_PAGE = 1000
"""The service's default, sent explicitly so that compatible services use the same page size."""
OF_STREAM: Meanings = {MISSING: StreamGone}
# an iterator the service does not know is as useless as one that is too old, and a new one puts both right
OF_READ: Meanings = {"ExpiredIteratorException": IteratorExpired, "InvalidArgumentException": IteratorExpired}


class KinesisApi:
    """A `PolledApi`. The ARN goes with each call, so that a stream of another account can be read."""

    reads_per_second = 5.0
    bytes_per_second = 2.0 * 1024 * 1024
    most_records = 10_000
    largest_page = 15 * 1024 * 1024
    latest_is_instant = True

    def __init__(
        self,
        transport: Transport,
        *,
        arn: str,
        region: str,
        invoke_identity_arn: str,
        source_arn: str | None = None,
        deaggregate: bool = False,
    ) -> None:
        """`arn` is the stream's; `source_arn`, by default the same, `region` and `invoke_identity_arn` as events show
        them. `deaggregate` takes aggregates apart.
        """
        self._source_arn = source_arn or arn
        self.record_overhead = event.added_per_record(self._source_arn, invoke_identity_arn)
        self._transport = transport
        self.arn = arn
        self._region = region
        self._invoke_identity_arn = invoke_identity_arn
        self._deaggregate = deaggregate

    async def facts(self) -> StreamFacts:
        answer = await ask(self._transport, DESCRIBE, {"StreamARN": self.arn}, OF_STREAM)
        with expecting(DESCRIBE):
            summary = answer.members["StreamDescriptionSummary"]
            active = summary["StreamStatus"] != "DELETING"
            # compatible services may leave this member out
            hours = summary.get("RetentionPeriodHours")
            retention = None if hours is None else 3600.0 * hours
            return StreamFacts(str(summary["StreamCreationTimestamp"]), active, answer.date, retention)

    async def shards(self) -> list[Shard]:
        found: list[Shard] = []
        request: dict[str, Any] = {"StreamARN": self.arn, "MaxResults": SHARDS_PER_PAGE}
        while True:
            answer = await ask(self._transport, LIST, request, OF_STREAM)
            with expecting(LIST):
                found += [_shard(shard) for shard in listed(answer.members["Shards"])]
            token = answer.members.get("NextToken")
            if not token:
                return found
            # the token stands for the stream too, and the service refuses both together
            request = {"NextToken": token, "MaxResults": SHARDS_PER_PAGE}

    async def iterator(self, shard_id: str, position: Position) -> str:
        request: dict[str, Any] = {"StreamARN": self.arn, "ShardId": shard_id, "ShardIteratorType": position.kind}
        if position.sequence_number is not None:
            request["StartingSequenceNumber"] = position.sequence_number
        if position.timestamp is not None:
            request["Timestamp"] = position.timestamp
        return await new_iterator(self._transport, ITERATOR, request, {}, self.shards)

    async def page(self, iterator: str, limit: int, room: ReservedBytes | None = None) -> ShardPage:
        request = {"ShardIterator": iterator, "Limit": limit}
        answer = await read(self._transport, RECORDS, request, OF_READ, self.facts, room=room)
        with expecting(RECORDS):
            members = answer.members
            behind = members.get("MillisBehindLatest")
            records = listed(members["Records"])
            return ShardPage(
                records,
                members.get("NextShardIterator") or None,
                answer.size,
                None if behind is None else behind / 1000,
                children=children_in(members),
                date=answer.date,
                counted=event.counted(records, answer.size),
            )

    def complete(self, items: Sequence[Any]) -> None:
        event.complete(items)

    def bound(self, items: Sequence[Any]) -> int:
        return event.bound(items) + self.record_overhead * len(items)

    def taken_apart(self, items: Sequence[Any]) -> Sequence[Any]:
        return aggregates.taken_apart(items) if self._deaggregate else items

    def sequence_number(self, item: Any) -> str:
        return _sequence_numbers([item])[0]

    def positions(self, items: Sequence[Any]) -> list[str]:
        if self._deaggregate:
            return [item.get(aggregates.PLACE) or item["SequenceNumber"] for item in items]
        return _sequence_numbers(items)

    def key(self, item: Any) -> str:
        key: str = item["PartitionKey"] or item["SequenceNumber"]
        return key

    def arrival(self, item: Any) -> float | None:
        arrival: float | None = item.get("ApproximateArrivalTimestamp")
        return arrival

    def judge(self, criteria: Filter, shard_id: str) -> Callable[[Any], Verdict]:
        return event.judge(criteria, self._source_arn, self._region, self._invoke_identity_arn, shard_id)

    def encoder(self, shard_id: str) -> Callable[[Sequence[Record]], bytes]:
        return event.encoder(self._source_arn, self._region, self._invoke_identity_arn, shard_id)

    def batch_info(self, shard_id: str, records: Sequence[Record]) -> tuple[str, dict[str, Any]]:
        return "KinesisBatchInfo", event.batch_info(self._source_arn, shard_id, records)


def _sequence_numbers(items: Sequence[Any]) -> list[str]:
    try:
        numbers = [item["SequenceNumber"] for item in items]
    except (KeyError, TypeError):
        numbers = []
    if not (numbers and all(numbers)):
        event.complete(items)
    return numbers


def _shard(described: Mapping[str, Any]) -> Shard:
    parents = (described.get("ParentShardId"), described.get("AdjacentParentShardId"))
    closed = bool(described["SequenceNumberRange"].get("EndingSequenceNumber"))
    return Shard(described["ShardId"], tuple(parent for parent in parents if parent), closed, _hash_range(described))


def children_in(members: Mapping[str, Any]) -> tuple[Shard, ...]:
    """The child shards that the last page of a shard names."""
    return tuple(_child(child) for child in members.get("ChildShards") or ())


def _child(named: Mapping[str, Any]) -> Shard:
    return Shard(named["ShardId"], tuple(named["ParentShards"]), closed=False, hash_range=_hash_range(named))


def _hash_range(described: Mapping[str, Any]) -> tuple[int, int]:
    keys = described["HashKeyRange"]
    return int(keys["StartingHashKey"]), int(keys["EndingHashKey"])
