"""What is measured against what, and the targets.

A case is one client under one load. Its `against` names the case that its ratio is taken with, round by round.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .bare import QUEUE_ARN
from .streams import KINESIS_ARN, TABLE_ARN

BARE = "bare"
LEAN = "poller"


@dataclass(frozen=True)
class Case:
    name: str
    messages: int
    transport: str | None = None
    """The daemon's `aws.transport`; None measures the bare loop."""
    against: str | None = BARE
    rate: float = 0.0
    """Messages per second; 0 makes all of them available at once."""
    controls: Mapping[str, float] = field(default_factory=dict)
    """The stub's behaviour, by the names of its `/_ctl`."""
    tls: bool = False
    extras: bool = True
    everything_on: bool = False
    """Partial batch responses, `/metrics` scraped and `/status` read every second."""
    pattern: Mapping[str, Any] | None = None
    """A filter; what it rejects has to agree with the stub's `skip_every`."""
    source: str = "sqs"
    """Or `kinesis`, or `dynamodb`."""
    batch_size: int = 1000
    """Of streams."""
    shards: int = 4
    state: str = "memory:"
    """Where positions are stored."""
    state_endpoint: str = ""
    """URL of the DynamoDB that has `state`; empty for other stores."""
    workers: int | None = None
    """Processes of the daemon, on a state file; None is the daemon as it is by default, without a file."""
    idle_seconds: float = 0.0
    """Measures that long an idle queue first."""


# what AWS in the same region looks like to a client: an answer in 4 ms, a woken long poll in 2
_TRICKLE = {"api_ms": 4, "wake_ms": 2, "invoke_ms": 10}
_IDLE = 41.0
"""Seconds; more than two long polls of 20 s, less than three."""


def cases(*, quick: bool, idle: bool) -> list[Case]:
    """`quick` is for a first look: fewer cases, smaller loads."""
    slow, fast = (3_000, 20_000) if quick else (8_000, 60_000)
    trickle = 1_000 if quick else 1_500
    found = [
        Case(BARE, slow, against=None),
        Case(LEAN, fast, "lean"),
        Case("poller, transport aiobotocore", slow, "aiobotocore"),
        Case("poller, without extras", fast // 2, "lean", extras=False),
        Case("bare, trickle", trickle, against=None, rate=500, controls=_TRICKLE),
        Case("poller, trickle", trickle, "lean", "bare, trickle", rate=500, controls=_TRICKLE),
    ]
    found += _streams(slow, fast)
    found += _filtered(fast)
    if not quick:
        found += [
            Case(
                "poller, everything on",
                fast,
                "lean",
                LEAN,
                # 2 % of the messages fail once and come back after the queue's timeout
                controls={"fail_every": 50, "visibility": 5},
                everything_on=True,
            ),
            Case("bare, TLS", slow, against=None, tls=True),
            Case("poller, TLS", fast, "lean", "bare, TLS", tls=True),
        ]
    if idle:
        found += [
            Case("bare, idle", 1, against=None, idle_seconds=_IDLE),
            Case("poller, idle", 1, "lean", "bare, idle", idle_seconds=_IDLE),
        ]
    return found


def _streams(slow: int, fast: int) -> list[Case]:
    """Batches of 1,000 records of 512 bytes."""
    found = []
    for name, source in (("Kinesis", "kinesis"), ("DynamoDB", "dynamodb")):
        bare = f"bare, {name}"
        found += [
            Case(bare, 5 * slow, against=None, source=source),
            Case(f"poller, {name}", 5 * fast, "lean", bare, source=source),
        ]
    return [*found, Case("poller, Kinesis, 20 shards", 5 * fast, "lean", "bare, Kinesis", source="kinesis", shards=20)]


def _filtered(fast: int) -> list[Case]:
    """The same loads through a filter that looks into each payload."""
    odd = {"body": {"orderId": [{"suffix": digit} for digit in "13579"]}}
    nothing = {"data": {"orderId": ["none"]}}
    whole = "poller, Kinesis, batches of 100"
    skip = "poller, Kinesis, nothing matches"
    return [
        Case("poller, half matches", fast, "lean", LEAN, controls={"skip_every": 2}, pattern=odd),
        # what Lambda delivers unless told otherwise
        Case(whole, 5 * fast, "lean", "bare, Kinesis", source="kinesis", batch_size=100),
        Case(skip, 5 * fast, "lean", whole, controls={"skip_every": 1}, source="kinesis", pattern=nothing),
    ]


def configuration(case: Case, url: str, listen: str, folder: Path) -> dict[str, Any]:
    """The daemon's configuration for a case, JSON-ready. A state file is in `folder`."""
    mapping: dict[str, Any] = {"name": "measured", "function_name": "fn"}
    if case.source == "sqs":
        scaling = {"maximum_concurrency": 10}
        mapping |= {"event_source_arn": QUEUE_ARN, "batch_size": 10, "scaling_config": scaling}
    else:
        arn = KINESIS_ARN if case.source == "kinesis" else TABLE_ARN
        mapping |= {"event_source_arn": arn, "batch_size": case.batch_size, "starting_position": "TRIM_HORIZON"}
    if case.pattern is not None:
        mapping["filter_criteria"] = {"filters": [{"pattern": case.pattern}]}
    if case.everything_on:
        mapping["function_response_types"] = ["ReportBatchItemFailures"]
    aws: dict[str, Any] = {"region": "us-east-1", "endpoint_url": url, "transport": case.transport}
    if case.state_endpoint:
        aws["services"] = {"dynamodb": {"endpoint_url": case.state_endpoint}}
    return {
        "aws": aws,
        "state": case.state if case.workers is None else f"sqlite:///{folder}/state.db",
        "workers": case.workers or 1,
        "api": {"listen": listen},
        # the measurement is over when it is told to stop; what it may still do is no concern here
        "shutdown_grace_seconds": 1,
        "event_source_mappings": [mapping],
    }
