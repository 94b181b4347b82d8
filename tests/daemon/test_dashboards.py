"""The dashboard and the alert rules name metrics, labels and values that there are."""

import json
import re
from itertools import chain
from pathlib import Path

import yaml
from prometheus_client.parser import text_string_to_metric_families

from poller.daemon.api.isolation import Isolation
from poller.daemon.api.metrics import exposition
from poller.ports.daemon_status import ConfigurationStatus
from poller.ports.fleet_status import FleetStatus
from poller.ports.status import Account, Lag, LaneStatus, MappingState, PartitionStatus, ReasonCode
from tests.daemon.samples import STARTED_AT, a_daemon, a_mapping

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana/poller.json").read_text())
RULES = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
SELECTOR = re.compile(r"([a-z_]+)(?:\{([^}]*)\})?")
OF_PROMETHEUS = {"job", "instance"}


def exposed() -> dict[str, set[str]]:
    """Every sample with its labels, of a mapping of which everything is known."""
    account = Account(polled=3, delivered=2)
    account.count_invocation("succeeded", 2, 0.1)
    arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
    shard = PartitionStatus("shard-0", behind=lambda: 2.0, lanes=[LaneStatus(ReasonCode.INVOKING)])
    mapping = a_mapping(
        event_source_arn=arn, account=account, lag=lambda: Lag(1, 2.0, 3.0, 4.0, 5, 6.0), partitions=[shard]
    )
    status = a_daemon(
        mapping, aws_requests={("sqs", "ReceiveMessage", "ok"): 1}, configuration=ConfigurationStatus(STARTED_AT)
    )
    status.fleet = FleetStatus("orders", "a")
    parts, _ = exposition(status, "", 120.0, Isolation())
    body = b"".join(parts).decode()
    samples = chain.from_iterable(family.samples for family in text_string_to_metric_families(body))
    found: dict[str, set[str]] = {}
    for sample in samples:
        found.setdefault(sample.name, set()).update(sample.labels)
    return found


EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
EXPRESSIONS += [rule["expr"] for rule in RULES]
EXPRESSIONS += [
    trigger["metadata"]["query"]
    for trigger in yaml.safe_load((DEPLOY / "prometheus/keda.yaml").read_text())["spec"]["triggers"]
]
SAMPLES = exposed()


def test_every_metric_and_label_that_is_asked_for_is_exposed():
    asked = [
        found
        for text in EXPRESSIONS
        for found in SELECTOR.findall(text)
        if found[0].startswith(("poller_", "process_"))
    ]
    assert len(asked) > 30
    for name, labels in asked:
        assert name in SAMPLES, name
        assert set(re.findall(r"(\w+)\s*[=!]", labels)) <= SAMPLES[name] | OF_PROMETHEUS, name


def test_every_grouping_is_by_labels_the_metrics_have():
    known = set().union(*SAMPLES.values()) | OF_PROMETHEUS
    grouped = [
        label for text in EXPRESSIONS for group in re.findall(r"by \(([^)]*)\)", text) for label in group.split(", ")
    ]
    assert grouped
    assert set(grouped) <= known


def test_every_state_asked_for_is_one():
    states = {state for text in EXPRESSIONS for state in re.findall(r'state="(\w+)"', text)}
    assert states
    assert states <= {state.value for state in MappingState}


def test_every_reason_asked_for_is_one():
    reasons = {reason for text in EXPRESSIONS for reason in re.findall(r'reason="(\w+)"', text)}
    assert reasons
    assert reasons <= {code.value for code in ReasonCode}


def test_every_alert_says_what_happened_and_what_to_do():
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)
    for rule in RULES:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"].keys() == {"summary", "description"}


def test_every_counter_of_lost_or_given_up_records_has_an_alert():
    text = " ".join(rule["expr"] for rule in RULES)
    for word in (
        "expired",
        "dropped",
        "on_failure_destination_delivered",
        "filtered_not_json",
        "not_unwrapped",
        "delete_failed",
    ):
        assert f"poller_{word}_events_total" in text


def test_no_two_panels_overlap():
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)


def test_no_alert_shows_fractions_of_records():
    """`increase` extrapolates: 3 records read as 3.0345."""
    for rule in RULES:
        if "increase(" in rule["expr"]:
            assert "{{ $value }}" not in rule["annotations"]["summary"], rule["alert"]


def test_a_poller_that_is_scraped_no_more_has_an_alert():
    assert any("absent(" in rule["expr"] for rule in RULES)


def test_the_alert_on_expiry_can_be_quiet_whatever_the_retention():
    (rule,) = [rule for rule in RULES if rule["alert"] == "PollerDataExpiresSoon"]
    assert "poller_source_retention_seconds" in rule["expr"]
