"""Parameters of a mapping of DocumentDB or MongoDB: what Lambda takes, ours beside it, and what is refused."""

import pytest
import yaml

from poller.configuration.load import load
from poller.sources.documentdb import DOCUMENTDB_KIND, parameters

CLUSTER = "arn:aws:rds:eu-west-1:123456789012:cluster:shop"


def mapping_text(**given):
    entry = {
        "name": "orders",
        "event_source_arn": CLUSTER,
        "function_name": "fn",
        "starting_position": "LATEST",
        "document_db_event_source_config": {"database_name": "shop", "collection_name": "orders"},
        "mongodb": {"uri": "mongodb://127.0.0.1"},
        **given,
    }
    return yaml.safe_dump(
        {"event_source_mappings": [{name: value for name, value in entry.items() if value is not None}]}
    )


def test_defaults_are_lambda_s(bench):
    [mapping] = bench.text(mapping_text()).mappings
    assert (mapping.source.kind, mapping.source.name, mapping.source.region) == ("documentdb", "shop", "eu-west-1")
    assert (mapping.batch_size, mapping.maximum_batching_window_in_seconds) == (100, 0.5)
    assert (mapping.document_db.collection_name, mapping.document_db.full_document) == ("orders", "Default")
    assert (mapping.maximum_retry_attempts, mapping.maximum_record_age_in_seconds, mapping.lanes) == (-1, -1, (1, 1))
    assert mapping.extended_json == "relaxed"


def test_the_spelling_of_lambda_s_is_taken(bench):
    config = {"DatabaseName": "shop", "FullDocument": "UpdateLookup"}
    given = {"document_db_event_source_config": None, "MaximumBatchingWindowInSeconds": 0}
    [mapping] = bench.text(mapping_text(DocumentDBEventSourceConfig=config, **given)).mappings
    assert (mapping.document_db.collection_name, mapping.document_db.full_document) == (None, "UpdateLookup")
    assert mapping.maximum_batching_window_in_seconds == 0


SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop-x1"


def test_a_cluster_is_reached_by_its_arn_with_a_secret_as_lambda_does(bench):
    access = [{"Type": "BASIC_AUTH", "URI": SECRET}]
    [mapping] = bench.text(mapping_text(mongodb=None, SourceAccessConfigurations=access)).mappings
    assert (mapping.mongodb_uri, mapping.source_secret.read()) == (None, SECRET)
    actions = [(grant.actions, grant.resource) for grant in DOCUMENTDB_KIND.grants(mapping)]
    assert actions == [(("rds:DescribeDBClusters",), CLUSTER), (("secretsmanager:GetSecretValue",), SECRET)]


def test_a_connection_string_needs_no_permission(bench):
    [mapping] = bench.text(mapping_text()).mappings
    assert list(DOCUMENTDB_KIND.grants(mapping)) == []


def test_a_file_of_authorities_is_relative_to_the_configuration(bench, tmp_path):
    (tmp_path / "ca.pem").write_text("")
    path = tmp_path / "poller.yaml"
    path.write_text(mapping_text(mongodb={"uri": "mongodb://h", "tls_ca_file": "ca.pem"}))
    [mapping] = load([path], environ={}).mappings
    assert mapping.tls_ca_file == tmp_path / "ca.pem"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"document_db_event_source_config": None}, "document_db_event_source_config: is missing"),
        ({"document_db_event_source_config": {}}, "database_name: is missing; it is required"),
        ({"document_db_event_source_config": {"database_name": "a b"}}, "database_name: must be 1 to 63 characters"),
        ({"document_db_event_source_config": {"database_name": "x" * 64}}, "database_name: must be 1 to 63 characters"),
        *(
            (
                {"document_db_event_source_config": {"database_name": "shop", "collection_name": name}},
                "collection_name: must be 1 to 57 characters",
            )
            for name in ("", "$cmd", "system.users", "-a", "a$", "x" * 58)
        ),
        ({"mongodb": None}, "source_access_configurations: is missing; its secret, or mongodb.uri, says who reads"),
        ({"mongodb": {"uri": "mongodb://h", "tls_ca_file": "none.pem"}}, "mongodb.tls_ca_file: 'none.pem' is no file"),
        ({"starting_position": None}, "starting_position: is missing; it can be TRIM_HORIZON, LATEST or AT_TIMESTAMP"),
        ({"starting_position": "AT_TIMESTAMP"}, "starting_position_timestamp: is missing; AT_TIMESTAMP needs it"),
        ({"event_source_arn": CLUSTER + "!"}, "event_source_arn: does not end in cluster:NAME"),
        ({"poll_interval_seconds": 1}, "poll_interval_seconds: is for Kinesis streams and DynamoDB streams only"),
        ({"scaling_config": {}}, "scaling_config: is not supported for a DocumentDB cluster, as in Lambda"),
        ({"extended_json": "shell"}, "it must be 'relaxed' or 'canonical'"),
        ({"source_access_configurations": [{"type": "VPC_SUBNET", "uri": "x"}]}, "type: is 'VPC_SUBNET'; it must be"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(bench, given, expected):
    [problem] = bench.problems_of(mapping_text(**given))
    assert expected in problem


def test_a_replica_set_needs_no_arn_and_has_one_by_its_name_in_events(bench):
    [mapping] = bench.text(mapping_text(event_source_arn=None, name="orders.of_shop")).mappings
    assert mapping.event_source_arn == "arn:aws:rds:us-east-1:000000000000:cluster:orders-of-shop"
    assert (mapping.source.kind, mapping.source.region) == ("documentdb", "us-east-1")
    [mapping] = bench.text(mapping_text(event_source_arn=None, aws={"region": "eu-west-1"})).mappings
    assert mapping.event_source_arn == "arn:aws:rds:eu-west-1:000000000000:cluster:orders"
    spelled = {"mongodb": None, "Mongodb": {"uri": "mongodb://h"}}
    [mapping] = bench.text(mapping_text(event_source_arn=None, name="x" * 70, **spelled)).mappings
    assert mapping.source.name == "x" * 63


@pytest.mark.parametrize("mongodb", [None, {"tls_ca_file": "ca.pem"}, "mongodb://h"])
def test_without_a_connection_string_the_arn_is_required(bench, mongodb):
    problems = bench.problems_of(mapping_text(event_source_arn=None, mongodb=mongodb))
    assert any("event_source_arn: is missing; it is required" in problem for problem in problems)


def test_without_the_driver_it_is_refused_with_how_to_install_it(bench, monkeypatch):
    monkeypatch.setattr(parameters, "is_installed", lambda _: False)
    [problem] = bench.problems_of(mapping_text())
    assert "event_source_arn: needs the MongoDB driver, which is not installed; run pip install" in problem


@pytest.mark.parametrize("key", ["document_db_event_source_config", "mongodb", "extended_json"])
def test_its_own_parameters_are_refused_elsewhere(bench, key):
    text = f"event_source_mappings:\n  - {{event_source_arn: 'arn:aws:sqs:eu-west-1:123456789012:q', function_name: f, {key}: {{}}}}\n"
    [problem] = bench.problems_of(text)
    assert key in problem
    assert "remove it" in problem
