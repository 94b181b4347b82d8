"""Kinesis and DynamoDB Streams in memory: one state machine of shards, two services' wire forms on top of it.

No local AWS tells the truth about shards, so this one does: lineage, shard ends, rollover, trimming, iterators that
expire, read limits, streams made anew. Time is given by a clock of the services' own.
"""

from tests.fakes.streams.account import FakeStreams
from tests.fakes.streams.kinesis import KinesisStream
from tests.fakes.streams.ledger import StreamLedger
from tests.fakes.streams.table import TableStream

__all__ = ["FakeStreams", "KinesisStream", "StreamLedger", "TableStream"]
