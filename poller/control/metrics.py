"""Metrics: the plain counters of the status values in Prometheus's text format, read when somebody scrapes.

The hot path knows nothing of it. Names keep the words of CloudWatch's event source mapping metrics.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from poller.control.report import counters, mapping_reason
from poller.runtime.daemon_status import DaemonStatus
from poller.runtime.histogram import Histogram
from poller.runtime.status import MappingState, MappingStatus

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
    "deleted": "Records whose delete the source confirmed",
    "delete_failed": "Records in failed delete attempts",
}

_GAUGES: dict[str, tuple[str, Callable[[MappingStatus], float | None]]] = {
    "in_flight_events": ("Records received and not yet ended", lambda mapping: mapping.in_flight()),
    "unaccounted_events": (
        "Records nobody answers for; always 0",
        lambda mapping: mapping.account.unaccounted(mapping.in_flight()),
    ),
    "iterator_age_seconds": ("Age of the last record of the last batch", lambda mapping: mapping.lag().iterator_age),
    "source_lag_seconds": ("How far the mapping is behind its source", lambda mapping: mapping.lag().seconds),
    "seconds_until_expiry": (
        "Until the oldest unsettled record is gone from the source",
        lambda mapping: mapping.lag().expires_in_seconds,
    ),
}


class StatusCollector(Collector):
    """Reads the status values at each scrape."""

    def __init__(self, status: DaemonStatus) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        """Yield every family, those without a known value too."""
        yield from self._events()
        yield from self._gauges()
        yield self._shards()
        yield self._states()
        yield self._reasons()
        yield from self._invocations()
        yield self._aws_requests()

    def _events(self) -> Iterator[Metric]:
        counted = [(mapping.name, counters(mapping.account)) for mapping in self._status.mappings]
        for word, text in _EVENTS.items():
            family = CounterMetricFamily(f"poller_{word}_events", text, labels=["mapping"])
            for name, values in counted:
                family.add_metric([name], values[word])
            yield family

    def _gauges(self) -> Iterator[Metric]:
        for word, (text, read) in _GAUGES.items():
            family = GaugeMetricFamily(f"poller_{word}", text, labels=["mapping"])
            for mapping in self._status.mappings:
                value = read(mapping)
                if value is not None:
                    family.add_metric([mapping.name], value)
            yield family

    def _shards(self) -> Metric:
        """Of the shards that are read now; one that is finished is gone from here too."""
        text = "How far a shard's reading is behind its stream"
        family = GaugeMetricFamily("poller_shard_lag_seconds", text, labels=["mapping", "shard"])
        for mapping in self._status.mappings:
            for partition in () if ":sqs:" in mapping.event_source_arn else mapping.partitions:
                behind = partition.behind()
                if behind is not None:
                    family.add_metric([mapping.name, partition.id], behind)
        return family

    def _reasons(self) -> Metric:
        text = "1 for the reason it stands where it stands"
        family = GaugeMetricFamily("poller_mapping_reason", text, labels=["mapping", "reason"])
        for mapping in self._status.mappings:
            reason = mapping_reason(mapping, 0.0)
            if reason is not None:
                family.add_metric([mapping.name, reason.code.value], 1.0)
        return family

    def _states(self) -> Metric:
        family = GaugeMetricFamily("poller_mapping_state", "1 for the state it is in", labels=["mapping", "state"])
        for mapping in self._status.mappings:
            for state in MappingState:
                family.add_metric([mapping.name, state.value], mapping.state is state)
        return family

    def _invocations(self) -> Iterator[Metric]:
        outcomes = CounterMetricFamily("poller_invocations", "Invocations by outcome", labels=["mapping", "outcome"])
        durations = HistogramMetricFamily(
            "poller_invocation_duration_seconds", "Time an invocation took", labels=["mapping"]
        )
        sizes = HistogramMetricFamily("poller_batch_size", "Records in an invocation", labels=["mapping"])
        for mapping in self._status.mappings:
            for outcome, count in mapping.account.invocations.items():
                outcomes.add_metric([mapping.name, outcome], count)
            _add_histogram(durations, mapping.name, mapping.account.invocation_duration)
            _add_histogram(sizes, mapping.name, mapping.account.batch_size)
        yield from (outcomes, durations, sizes)

    def _aws_requests(self) -> Metric:
        family = CounterMetricFamily(
            "poller_aws_requests", "Requests to AWS services", labels=["service", "operation", "outcome"]
        )
        for labels, count in self._status.aws_requests.items():
            family.add_metric(labels, count)
        return family


def _add_histogram(family: HistogramMetricFamily, name: str, histogram: Histogram) -> None:
    bounds = [*map(str, histogram.bounds), "+Inf"]
    family.add_metric([name], list(zip(bounds, accumulate(histogram.buckets), strict=True)), histogram.total)


def exposition(status: DaemonStatus, accept: str) -> tuple[bytes, str]:
    """Render the status values and the process's own metrics (CPU, memory, file descriptors).

    `accept` is the scraper's Accept header; returns the body and its content type.
    """
    registry = CollectorRegistry()
    registry.register(StatusCollector(status))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type
