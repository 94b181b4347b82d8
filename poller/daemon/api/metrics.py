"""Metrics: the plain counters of the status values for Prometheus, read when somebody scrapes.

The hot path knows nothing of it. Names keep the words of CloudWatch's event source mapping metrics. Each mapping is
read once, so that its account is of one moment; then the families are written one after the other, as the format wants.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder

from poller.daemon.api.exposition import Family, Writer, labelled
from poller.daemon.api.fleet import fleet_families, fleet_histograms
from poller.daemon.api.isolation import Isolation
from poller.daemon.api.shown_reasons import mapping_reason, state_of
from poller.ports.daemon_status import DaemonStatus
from poller.ports.status import Account, Lag, MappingState, MappingStatus
from poller.values.histogram import Histogram

_EVENTS = {
    "polled": "Records received from the source",
    "filtered": "Records rejected by the filter criteria",
    "delivered": "Records the function succeeded on",
    "on_failure_destination_delivered": "Records the on-failure destination accepted",
    "dropped": "Records given up at a configured limit, without a destination",
    "expired": "Records ended by the retention of the source",
    "before_start": "Records older than the starting position",
    "returned": "Records back to the source, by the poller or by timeout",
    "invoked": "Records handed to the function, retries included",
    "failed_invoke": "Records in failed invocations",
    "filtered_not_json": "Of the filtered, records rejected only because their payload is not JSON",
    "not_unwrapped": "Of the returned, messages that hold no event of the service that unwrap names",
    "fenced": "Records in work when another daemon took their shard over, which delivers them again; an upper bound",
    "deleted": "Records whose delete the source confirmed",
    "delete_failed": "Records in failed delete attempts",
}

_LAG: dict[str, tuple[str, Callable[[Lag], float | None]]] = {
    "iterator_age_seconds": ("Age of the last record of the last batch", lambda lag: lag.iterator_age),
    "source_lag_seconds": ("How far the mapping is behind its source", lambda lag: lag.seconds),
    "seconds_until_expiry": (
        "Until the oldest unsettled record is gone from the source",
        lambda lag: lag.expires_in_seconds,
    ),
    "source_retention_seconds": ("How long the source keeps a record", lambda lag: lag.retention),
    "source_visible_messages": ("Messages in the queue that could be received, about", lambda lag: lag.records),
    "source_hidden_messages": ("Messages of the queue received by somebody and not deleted", lambda lag: lag.hidden),
}


@dataclass(slots=True)
class _Row:
    """One mapping at one moment."""

    label: str
    events: dict[str, int]
    outcomes: list[tuple[str, int]]
    account: Account
    state: MappingState
    told: int = 1
    reason: str | None = None
    in_flight: int | None = None
    unaccounted: int | None = None
    lag: Lag = field(default_factory=Lag)
    shadow: list[tuple[str, int]] = field(default_factory=list)
    desired_lanes: int | None = None
    shards: list[tuple[str, float]] = field(default_factory=list)


def exposition(status: DaemonStatus, accept: str, now: float, isolation: Isolation) -> tuple[Iterator[bytes], str]:
    """The status values and the process's own metrics (CPU, memory, file descriptors), in parts, and the content type.

    `accept` is the scraper's Accept header, `now` the loop's time.
    """
    encode, content_type = choose_encoder(accept)
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    writer = Writer(openmetrics="openmetrics" in content_type)
    return _parts(status, now, isolation, writer, encode(registry)), content_type


def _parts(status: DaemonStatus, now: float, isolation: Isolation, writer: Writer, process: bytes) -> Iterator[bytes]:
    rows: list[_Row] = []
    for mapping in list(status.mappings):
        rows.append(_row(mapping, now, isolation))
        yield b""
    for family, samples in (*_daemon(status), *_families(rows)):
        yield writer.head(family)
        yield from writer.samples(family, samples)
    for family, histograms in (*_histograms(rows), *fleet_histograms(status.fleet)):
        yield writer.head(family)
        yield from writer.histograms(family, histograms)
    yield writer.without_end(process)
    yield writer.end


def _row(mapping: MappingStatus, now: float, isolation: Isolation) -> _Row:
    account = mapping.account
    outcomes = [(labelled(outcome=outcome), count) for outcome, count in account.invocations.items()]
    row = _Row(labelled(mapping=mapping.name), account.counters(), outcomes, account, mapping.state)

    if mapping.shadow is not None:
        row.shadow = [(labelled(outcome=outcome), count) for outcome, count in mapping.shadow.counts().items()]

    def read() -> None:
        reason = mapping_reason(mapping, now)
        row.state, row.reason = state_of(mapping, reason), None if reason is None else reason.code.value
        row.in_flight = mapping.in_flight()
        row.unaccounted = account.unaccounted(row.in_flight)
        row.lag = mapping.lag()
        row.desired_lanes = mapping.rescue().lanes
        # one that is finished is gone from here too
        partitions = () if ":sqs:" in mapping.event_source_arn else mapping.partitions
        row.shards = [(labelled(shard=one.id), behind) for one in partitions if (behind := one.behind()) is not None]

    def untold(_problem: str) -> None:
        row.told = 0

    isolation.ask(mapping, read, untold)
    return row


Samples = Iterator[tuple[str, float]]


def _families(rows: list[_Row]) -> Iterator[tuple[Family, Samples]]:
    """Of the mappings, everything but the histograms."""
    for word, text in _EVENTS.items():
        yield Family(f"poller_{word}_events", text, "counter"), _known(rows, lambda row, of=word: row.events[of])  # type: ignore[misc]
    for name, text, read in (
        ("in_flight_events", "Records received and not yet ended", lambda row: row.in_flight),
        ("unaccounted_events", "Records nobody answers for; always 0", lambda row: row.unaccounted),
        ("desired_lanes", "Lanes that would keep up at the present pace", lambda row: row.desired_lanes),
        ("mapping_status_told", "0 where a bug keeps the status of the mapping from being read", lambda row: row.told),
    ):
        yield Family(f"poller_{name}", text), _known(rows, read)
    for name, (text, of_lag) in _LAG.items():
        yield Family(f"poller_{name}", text), _known(rows, lambda row, of=of_lag: of(row.lag))  # type: ignore[misc]
    shards = Family("poller_shard_lag_seconds", "How far a shard's reading is behind its stream")
    yield shards, ((f"{row.label},{shard}", behind) for row in rows for shard, behind in row.shards)
    states = Family("poller_mapping_state", "1 for the state it is in")
    words = [(state, labelled(state=state.value)) for state in MappingState]
    yield states, ((f"{row.label},{word}", int(row.state is state)) for row in rows for state, word in words)
    reasons = Family("poller_mapping_reason", "1 for the reason it stands where it stands")
    yield reasons, ((f"{row.label},{labelled(reason=row.reason)}", 1) for row in rows if row.reason is not None)
    outcomes = Family("poller_invocations", "Invocations by outcome", "counter")
    yield outcomes, ((f"{row.label},{outcome}", count) for row in rows for outcome, count in row.outcomes)

    shadows = Family("poller_shadow_invocations", "Copies of batches for a second function", "counter")
    yield shadows, ((f"{row.label},{outcome}", count) for row in rows for outcome, count in row.shadow)


def _known(rows: list[_Row], read: Callable[[_Row], float | None]) -> Samples:
    return ((row.label, value) for row in rows if (value := read(row)) is not None)


def _daemon(status: DaemonStatus) -> Iterator[tuple[Family, Samples]]:
    build = Family("poller_build_info", "Which version runs")
    yield build, iter([(labelled(version=status.version), 1)])
    requests = Family("poller_aws_requests", "Requests to AWS services", "counter")
    counted = [
        (labelled(service=service, operation=operation, outcome=outcome), count)
        for (service, operation, outcome), count in status.aws_requests.items()
    ]
    yield requests, iter(counted)
    yield from fleet_families(status.fleet)
    configuration = status.configuration
    if configuration is None:
        return
    refused = configuration.refused_at
    for name, text, value in (
        (
            "successful",
            "1 if the configuration read last runs, 0 if it was refused",
            int(refused is None),
        ),
        ("timestamp_seconds", "When the configuration was read last", refused or configuration.loaded_at),
        ("success_timestamp_seconds", "When the configuration that runs was read", configuration.loaded_at),
    ):
        yield Family(f"poller_config_last_reload_{name}", text), iter([("", value)])


def _histograms(rows: list[_Row]) -> Iterator[tuple[Family, Iterator[tuple[str, Histogram]]]]:
    durations = Family("poller_invocation_duration_seconds", "Time an invocation took", "histogram")
    yield durations, ((row.label, row.account.invocation_duration) for row in rows)
    sizes = Family("poller_batch_size", "Records in an invocation", "histogram")
    yield sizes, ((row.label, row.account.batch_size) for row in rows)
