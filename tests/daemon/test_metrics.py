"""Metrics, whose names dashboards and alerts bind to."""

import asyncio
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from poller.daemon.api.isolation import Isolation
from poller.daemon.api.metrics import exposition
from poller.ports.daemon_status import ConfigurationStatus
from poller.ports.shadow import ShadowStatus
from poller.ports.status import Account, Lag, MappingState, PartitionStatus, ReasonCode
from tests.daemon.samples import a_daemon, a_lane, a_mapping, with_lanes


def exposed(status, accept=""):
    parts, content_type = exposition(status, accept, 120.0, Isolation())
    return b"".join(parts), content_type


def scrape(status, accept=""):
    body, _ = exposed(status, accept)
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


ORDERS = ("mapping", "orders")
REASON = "poller_mapping_reason"
COUNTERS = {
    "polled": "poller_polled_events_total",
    "filtered": "poller_filtered_events_total",
    "invoked": "poller_invoked_events_total",
    "failed_invoke": "poller_failed_invoke_events_total",
    "delivered": "poller_delivered_events_total",
    "dropped": "poller_dropped_events_total",
    "expired": "poller_expired_events_total",
    "returned": "poller_returned_events_total",
    "before_start": "poller_before_start_events_total",
    "destination": "poller_on_failure_destination_delivered_events_total",
    "filtered_not_json": "poller_filtered_not_json_events_total",
    "not_unwrapped": "poller_not_unwrapped_events_total",
    "deleted": "poller_deleted_events_total",
    "delete_failed": "poller_delete_failed_events_total",
}


@pytest.mark.parametrize("counter", COUNTERS)
def test_each_counter_has_its_name(counter):
    counts: dict[str, Any] = {counter: 42}
    samples = scrape(a_daemon(a_mapping(account=Account(**counts))))
    assert samples[COUNTERS[counter], ORDERS] == 42
    assert samples["poller_polled_events_total", ORDERS] == (42 if counter == "polled" else 0)


def test_in_flight_and_unaccounted_are_asked_at_the_scrape():
    in_flight = 3
    status = a_daemon(a_mapping(account=Account(polled=5), in_flight=lambda: in_flight))
    assert scrape(status)["poller_in_flight_events", ORDERS] == 3
    in_flight = 4
    assert scrape(status)["poller_in_flight_events", ORDERS] == 4
    assert scrape(status)["poller_unaccounted_events", ORDERS] == 1


def test_a_lag_shows_once_it_is_known():
    lag = Lag()
    status = a_daemon(a_mapping(lag=lambda: lag))
    names = ("poller_source_lag_seconds", "poller_seconds_until_expiry", "poller_iterator_age_seconds")
    assert not any((name, ORDERS) in scrape(status) for name in names)
    lag = Lag(seconds=1.0, expires_in_seconds=2.0, iterator_age=3.0)
    assert [scrape(status)[name, ORDERS] for name in names] == [1.0, 2.0, 3.0]


def test_a_mapping_is_in_exactly_one_state():
    samples = scrape(a_daemon(a_mapping(state=MappingState.PROBLEM)))
    states = {state: samples["poller_mapping_state", ORDERS, ("state", state.value)] for state in MappingState}
    assert states == {state: state is MappingState.PROBLEM for state in MappingState}


def test_a_mapping_shows_the_one_reason_it_stands_where_it_stands():
    samples = scrape(a_daemon(with_lanes(a_lane(ReasonCode.CIRCUIT_OPEN), a_lane(ReasonCode.NO_DATA))))
    reasons = {labels[1][1]: value for name, *labels in samples for value in [samples[name, *labels]] if name == REASON}
    assert reasons == {"circuit_open": 1.0}


def test_a_shard_has_a_gauge_for_as_long_as_it_is_read():
    arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
    shards = [PartitionStatus("shard-0", behind=lambda: 7.0), PartitionStatus("shard-1")]
    status = a_daemon(a_mapping("clicks", event_source_arn=arn, partitions=shards))
    name = ("poller_shard_lag_seconds", ("mapping", "clicks"), ("shard", "shard-0"))
    assert scrape(status)[name] == 7.0
    assert sum(sample[0] == name[0] for sample in scrape(status)) == 1
    shards.clear()
    assert name not in scrape(status)


def test_a_queue_has_no_shards():
    queue = a_mapping(partitions=[PartitionStatus("orders", behind=lambda: 7.0)])
    assert not [sample for sample in scrape(a_daemon(queue)) if sample[0] == "poller_shard_lag_seconds"]


def test_invocations_by_outcome_duration_and_size():
    account = Account()
    account.count_invocation("succeeded", records=10, seconds=0.02)
    account.count_invocation("failed", records=10001, seconds=2.0)
    samples = scrape(a_daemon(a_mapping(account=account)))
    assert samples["poller_invocations_total", ORDERS, ("outcome", "succeeded")] == 1
    assert samples["poller_invocations_total", ORDERS, ("outcome", "failed")] == 1
    duration = "poller_invocation_duration_seconds"
    assert [samples[f"{duration}_bucket", ("le", le), ORDERS] for le in ("0.01", "0.025", "2.5", "+Inf")] == [
        0,
        1,
        2,
        2,
    ]
    assert samples[f"{duration}_sum", ORDERS] == pytest.approx(2.02)
    assert samples["poller_batch_size_bucket", ("le", "10000.0"), ORDERS] == 1
    assert samples["poller_batch_size_count", ORDERS] == 2


def test_aws_requests_by_service_operation_and_outcome():
    samples = scrape(a_daemon(aws_requests={("sqs", "ReceiveMessage", "ok"): 7}))
    labels = (("operation", "ReceiveMessage"), ("outcome", "ok"), ("service", "sqs"))
    assert samples["poller_aws_requests_total", *labels] == 7


def test_a_scraper_that_wants_openmetrics_gets_it():
    body, content_type = exposed(a_daemon(a_mapping()), "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.count(b"# EOF\n") == 1
    assert body.endswith(b"# EOF\n")
    families = {family.name: family for family in openmetrics(body.decode())}
    assert families["poller_polled_events"].type == "counter"
    assert families["poller_invocation_duration_seconds"].type == "histogram"
    assert "process_cpu_seconds" in families


def test_both_formats_say_the_same():
    account = Account(polled=12, delivered=5)
    account.count_invocation("succeeded", records=10, seconds=0.02)
    status = a_daemon(a_mapping('with "quotes"\\ and\nlines', account=account))
    accepts = {"": text_string_to_metric_families, "application/openmetrics-text; version=1.0.0": openmetrics}
    said = []
    for accept, parse in accepts.items():
        body, _ = exposed(status, accept)
        samples = [sample for family in parse(body.decode()) for sample in family.samples]
        said.append(
            sorted((one.name, sorted(one.labels.items()), one.value) for one in samples if "poller" in one.name)
        )
    assert said[0] == said[1]
    assert said[0]


def test_the_last_reload_shows_whether_it_was_taken_and_when():
    taken = ConfigurationStatus(1000.0)
    refused = ConfigurationStatus(1000.0, 2000.0, ["bad"])
    names = ("successful", "timestamp_seconds", "success_timestamp_seconds")
    said = [
        [scrape(a_daemon(configuration=one))[f"poller_config_last_reload_{name}",] for name in names]
        for one in (taken, refused)
    ]
    assert said == [[1.0, 1000.0, 1000.0], [0.0, 2000.0, 1000.0]]


def test_the_version_that_runs_is_shown():
    assert scrape(a_daemon())["poller_build_info", ("version", "1.2.3")] == 1


def test_a_queue_shows_its_visible_and_hidden_messages_and_its_retention():
    samples = scrape(a_daemon(a_mapping(lag=lambda: Lag(records=7, hidden=3, retention=3600.0))))
    names = ("visible_messages", "hidden_messages", "retention_seconds")
    assert [samples[f"poller_source_{name}", ORDERS] for name in names] == [7, 3, 3600]


def test_one_mapping_that_cannot_be_told_hides_no_other():
    status = a_daemon(a_mapping("broken", lag=broken, account=Account(polled=2)), a_mapping())

    async def scraped():
        return scrape(status)

    samples = asyncio.run(scraped())
    assert samples["poller_mapping_status_told", ("mapping", "broken")] == 0
    assert samples["poller_polled_events_total", ("mapping", "broken")] == 2
    assert samples["poller_mapping_status_told", ORDERS] == 1
    assert samples["poller_in_flight_events", ORDERS] == 0


def broken():
    raise TypeError("int() argument must be a string, not None")


def test_an_open_circuit_is_degraded():
    samples = scrape(a_daemon(with_lanes(a_lane(ReasonCode.CIRCUIT_OPEN))))
    assert samples["poller_mapping_state", ORDERS, ("state", "degraded")] == 1
    assert samples["poller_mapping_state", ORDERS, ("state", "running")] == 0


def test_the_copies_for_a_second_function_are_counted_by_outcome():
    shadow = ShadowStatus("next", succeeded=3, failed=2, left_out=1)
    samples = scrape(a_daemon(a_mapping(shadow=shadow), a_mapping("other")))
    found = {key[1:]: value for key, value in samples.items() if key[0] == "poller_shadow_invocations_total"}
    outcomes = {"succeeded": 3, "failed": 2, "left_out": 1}
    assert found == {(ORDERS, ("outcome", outcome)): count for outcome, count in outcomes.items()}
