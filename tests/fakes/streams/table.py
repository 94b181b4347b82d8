"""The stream of a table: its records are what puts and deletes of items leave behind; its shards roll over."""

import hashlib
import itertools
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.fakes.streams.kinesis import java_seconds
from tests.fakes.streams.shard import Shard
from tests.fakes.streams.stream import Limits, Stream

LIMITS = Limits(records=1000, bytes=2**20, bytes_per_second=4 * 2**20, iterator_seconds=900)
FIRST_NUMBER = 999_999_999_999_999_999_000
"""Of 21 digits: a few records later there are 22, so that numbers compared as text go wrong."""
ROLLOVER_SECONDS = 4 * 3600.0

Attributes = dict[str, Any]
"""An item as on the wire: `{"pk": {"S": "a"}}`."""


def label_of(created_at: float) -> str:
    return (
        datetime.fromtimestamp(created_at, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(created_at * 1000) % 1000:03}"
    )


@dataclass(eq=False)
class TableStream(Stream):
    view_type: str = "NEW_AND_OLD_IMAGES"
    region: str = "eu-west-1"
    rollover_seconds: float | None = ROLLOVER_SECONDS
    """None: shards roll over only by hand."""
    items: dict[str, Attributes] = field(default_factory=dict)
    disabled_at: float | None = None
    _opened: "itertools.count[int]" = field(default_factory=itertools.count)

    def put(self, pk: str, **attributes: Any) -> str | None:
        """Write the item whose key is `pk`; attributes as on the wire (`n={"N": "1"}`). Returns the sequence number of
        the record, None where nothing changed and so none was made."""
        item = {"pk": {"S": pk}} | attributes
        old = self.items.get(pk)
        if old == item:
            return None
        self.items[pk] = item
        return self._write(pk, item, old, by_service=False)

    def delete(self, pk: str, *, time_to_live: bool = False) -> str:
        """Remove an item that is there; by its time to live it is the service that removes it."""
        return self._write(pk, None, self.items.pop(pk), by_service=time_to_live)

    def disable(self) -> None:
        """Its shards are closed; it stays readable for as long as records are kept."""
        self.catch_up()
        self.status, self.disabled_at = "DISABLED", self.clock()
        for shard_id in self.open_shards():
            self._close(self.shards[shard_id], self.clock())

    def rollover(self, shard_id: str | None = None, *, into: int = 1) -> list[str]:
        """One shard, or every open one, ends now and continues in `into` children; their ids."""
        self.catch_up()
        now = self.clock()
        chosen = [self.shards[shard_id]] if shard_id else [one for one in self.shards.values() if one.last is None]
        return [child.id for shard in chosen for child in self._roll(shard, now, into)]

    def catch_up(self) -> None:
        if self.rollover_seconds is not None and self.status == "ENABLED":
            # one that is long overdue has rolled over several times by now
            due = [one for one in self.shards.values() if one.last is None]
            while due:
                at = due[0].opened_at + self.rollover_seconds
                shard = due.pop(0)
                if at <= self.clock():
                    due.extend(self._roll(shard, at, 1))
        super().catch_up()

    def _roll(self, shard: Shard, now: float, into: int) -> list[Shard]:
        self._close(shard, now)
        low, high = shard.hashes.start, shard.hashes.stop
        bounds = [low + (high - low) * n // into for n in range(into + 1)]
        return [self._open(range(a, b), now, shard) for a, b in itertools.pairwise(bounds)]

    def _write(self, pk: str, new: Attributes | None, old: Attributes | None, *, by_service: bool) -> str:
        name = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
        images = {"NewImage": new} if new is not None and "NEW" in self.view_type else {}
        if old is not None and "OLD" in self.view_type:
            images["OldImage"] = old
        keys = {"pk": {"S": pk}}
        body = json.dumps({"Keys": keys} | images, ensure_ascii=False, separators=(",", ":"))
        size = len(body.encode())
        identity = ',"userIdentity":{"PrincipalId":"dynamodb.amazonaws.com","Type":"Service"}' if by_service else ""

        def make(number: int, now: float) -> tuple[int, bytes]:
            identifier = hashlib.md5(str(number).encode()).hexdigest()
            text = (
                f'{{"awsRegion":"{self.region}","dynamodb":{{"ApproximateCreationDateTime":'
                f"{java_seconds(int(now) * 1000).decode()},{body[1:-1]},"
                f'"SequenceNumber":"{number}","SizeBytes":{size},"StreamViewType":"{self.view_type}"}},'
                f'"eventID":"{identifier}","eventName":"{name}","eventSource":"aws:dynamodb","eventVersion":"1.1"'
                f"{identity}}}"
            )
            return size, text.encode()

        return self.append(pk, make)

    def _next_id(self, now: float) -> str:
        number = next(self._opened)
        return f"shardId-{int(now * 1000):020d}-{hashlib.md5(f'{self.arn}{number}'.encode()).hexdigest()[:8]}"
