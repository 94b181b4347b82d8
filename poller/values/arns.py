"""Takes ARNs and names of functions apart. The grammar of each kind of source or destination is in its folder."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from poller.values.queues import arn_of_queue_url

HOME_REGION, HOME_ACCOUNT = "us-east-1", "000000000000"
"""The region and account of ARNs that are made here, for what AWS does not know, where the settings name neither."""
_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account>\d*):(?P<resource>.+)"
)
# After FunctionName in the API model of CreateEventSourceMapping, which would also take `NAME:ALIAS` apart as
# `REGION:NAME`; a region stands in whole ARNs only.
_FUNCTION = re.compile(
    r"(?:arn:aws[a-z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<owner>\d{12}):function:|(?P<account>\d{12}):(?:function:)?)?"
    r"(?P<name>[A-Za-z0-9_-]+)(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[A-Za-z0-9_-]+))?"
)
_URL = re.compile(r"[a-z0-9+.-]+://", re.IGNORECASE)
_BUCKET_URL = re.compile(r"s3://([a-z0-9.-]+)(?:/.*)?")
_NAME_MOST = 64
"""Most characters of a Lambda function's bare name."""


@dataclass(frozen=True, slots=True)
class EventSource:
    """The parts of an event source ARN."""

    arn: str
    kind: str
    """The name of its `SourceKind`."""
    service: str
    """The SDK's name of the service that is called."""
    region: str
    account: str
    name: str
    """The name of the queue, stream or cluster."""
    fifo: bool = False

    @property
    def stream_arn(self) -> str:
        """The ARN of the stream that is read; for a stream's consumer, the ARN of its stream."""
        return self.arn.partition("/consumer/")[0]

    @property
    def fan_out(self) -> bool:
        """Whether it is a consumer of a stream, to which records are pushed."""
        return self.stream_arn != self.arn


class Arn(NamedTuple):
    """The parts of any ARN."""

    written: str
    partition: str
    service: str
    region: str
    account: str
    resource: str


def split_arn(written: str) -> Arn | None:
    """The parts of an ARN; None for any other text."""
    found = _ARN.fullmatch(written)
    return None if found is None else Arn(written, *found.groups())


def event_source(arn: Arn, *, kind: str, service: str, fifo: bool = False) -> EventSource:
    """The source of an ARN. `stream/clicks/consumer/c:1` is the stream clicks, `table/t/stream/…` the table t."""
    parts = re.split(r"[/:]", arn.resource)
    name = parts[1] if len(parts) > 1 else parts[0]
    return EventSource(arn.written, kind, service, arn.region, arn.account, name, fifo)


def instead_of_url(written: str) -> str:
    """A hint for a refusal: the ARN to write instead of the URL of a queue or bucket. Empty for other texts."""
    bucket = _BUCKET_URL.fullmatch(written)
    if bucket is not None:
        return f"; that is a bucket's URL: write arn:aws:s3:::{bucket[1]}"
    queue = arn_of_queue_url(written)
    if queue is not None:
        return f"; that is a queue's URL: write {queue}"
    return "; that is a URL" if _URL.match(written) else ""


@dataclass(frozen=True, slots=True)
class FunctionName:
    """A Lambda function as a user writes it: name, partial ARN or ARN, each with an optional version or alias."""

    written: str
    name: str
    """The bare name."""
    qualifier: str | None = None
    account: str | None = None
    region: str | None = None

    @property
    def unqualified(self) -> str:
        """The value of the Invoke API's FunctionName, where the qualifier is given separately."""
        return self.written.removesuffix(f":{self.qualifier}") if self.qualifier else self.written


def parse_function_name(written: str) -> FunctionName:
    """Raises ValueError."""
    found = _FUNCTION.fullmatch(written)
    if found is None or len(found["name"]) > _NAME_MOST:
        if _URL.match(written):
            raise ValueError("is a URL; define a function of type function_url or http with it, under functions")
        raise ValueError(
            "is neither a function's name (NAME), nor a partial ARN (ACCOUNT:function:NAME), nor an ARN "
            "(arn:aws:lambda:REGION:ACCOUNT:function:NAME), each with an optional :VERSION or :ALIAS"
        )
    return FunctionName(written, found["name"], found["qualifier"], found["account"] or found["owner"], found["region"])
