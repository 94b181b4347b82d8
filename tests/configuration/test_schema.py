"""The JSON Schema says of one key what loading says. Beside these cases, each file of this folder's tests is held against it."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from poller.cli.main import main
from poller.configuration import schema_text
from poller.configuration.model.schema import pascal_case, schema, text
from poller.configuration.reading.spelling import snake_case
from tests.configuration.schema import errors_of

ROOT = Path(__file__).parents[2]
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
EXAMPLES = [
    path
    for folder in ("config", "deploy")
    for path in sorted((ROOT / folder).rglob("*.yaml"))
    # templates of Helm are YAML only once they are rendered
    if path.parent.name != "templates"
]
WRITTEN = [
    pytest.param(document, id=f"{path.relative_to(ROOT)}-{index}")
    for path in EXAMPLES
    for index, document in enumerate(
        inner if isinstance(inner, dict) else yaml.safe_load(inner)
        for whole in yaml.safe_load_all(path.read_text(encoding="utf-8"))
        for inner in ((whole.get("data") or {}).values() if whole.get("kind") == "ConfigMap" else [whole])
    )
    if "event_source_mappings" in document
]
CASES: dict[str, tuple[list[Any], list[Any]]] = {
    "batch_size": (
        [1, 10_000, "10", None, {"env": "SIZE"}],
        [0, 10_001, 1.5, True, "many", [], {"env": 1}, {"x": "y"}],
    ),
    "enabled": ([True, {"env": "ENABLED"}], ["perhaps", 3, None, []]),
    "max_bytes_in_flight": (["64 MiB", "2GB", 1_048_576, {"file": "size"}], [1024, "64 MX", "much", True]),
    "tags": ([{"team": "shop"}, [{"Key": "team", "Value": "shop"}]], [{"team": 1}, [{"Key": "team"}], "shop"]),
    "on_no_match": (["delete", {"send_to": QUEUE}, {"SendTo": QUEUE}], ["keep", {"sendto": QUEUE}, 1]),
    "scaling_config": ([None, {"MaximumConcurrency": 2}], [{"maximum_concurrency": 1}, {"most": 2}, 5, {"env": "X"}]),
    "filter_criteria": (
        [{"Filters": [{"Pattern": '{"body": ["x"]}'}, {"pattern": {"env": ["NAME"]}}]}],
        [{"filters": [{"pattern": 3}]}, {"filters": [{}] * 6}, {"filters": {}}],
    ),
    "aws": (
        [{"services": {"sqs": {"EndpointUrl": "http://127.0.0.1:4566"}}}],
        [{"services": {"s4": {}}}, {"endpoint_url": "4566"}, {"transport": "slow"}],
    ),
    "metrics_config": ([{"metrics": ["EventCount"]}], [{"metrics": ["KafkaMetrics"]}, {"metrics": ["EventCount"] * 4}]),
}
"""By key of a queue's mapping: values that are loaded, and values that are refused."""


def mapping(**keys):
    return {"event_source_mappings": [{"event_source_arn": QUEUE, "function_name": "fn", **keys}]}


def function(**keys):
    return {"functions": {"f": keys}}


def test_the_schema_that_is_shipped_is_the_one_that_is_made_from_the_models():
    assert schema_text() == text(), "run: python -m tests.reference"


def test_it_is_a_schema_of_its_draft():
    jsonschema.Draft202012Validator.check_schema(schema())


def test_every_kind_of_example_is_found():
    assert len(WRITTEN) >= 8
    assert any("kubernetes" in str(case.id) for case in WRITTEN)


@pytest.mark.parametrize("document", WRITTEN)
def test_every_example_is_valid(document):
    assert errors_of(document) == []


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, (good, _) in CASES.items() for value in good])
@pytest.mark.parametrize("spelled", [str, pascal_case])
def test_what_may_stand_at_a_key_may_stand_there_in_both_spellings(spelled, key, value):
    assert errors_of(mapping(**{spelled(key): value})) == []


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, (_, bad) in CASES.items() for value in bad])
@pytest.mark.parametrize("spelled", [str, pascal_case])
def test_what_may_not_stand_at_a_key_is_refused_in_both_spellings(spelled, key, value):
    assert errors_of(mapping(**{spelled(key): value})) != []


@pytest.mark.parametrize(
    ("document", "valid"),
    [
        ({}, True),
        ({"functions": None, "event_source_mappings": None}, True),
        ({"EventSourceMappings": [{"EventSourceArn": QUEUE, "FunctionName": "fn"}]}, True),
        ({"event_source_mappings": [{"function_name": "fn"}]}, False),
        ({"event_source_mappings": {}}, False),
        ({"event_source_mapping": []}, False),
        ({"$schema": "poller.schema.json", "state": "memory:"}, True),
        (mapping(**{"$schema": "poller.schema.json"}), False),
        (mapping(batch_size=1, BatchSize=1), False),
        (mapping(parallelization_factor=2), False),
        (mapping(event_source_arn=STREAM, starting_position="LATEST", parallelization_factor=2, name="c"), True),
        (mapping(event_source_arn=STREAM, parallelization_factor=2, name="c"), False),
        (mapping(event_source_arn=STREAM, starting_position="LATEST", scaling_config={}, name="c"), False),
        ({"log": {"level": "WARNING"}, "State": "memory:", "api": {"listen": "unix:/run/p.sock"}}, True),
        ({"log": {"level": "loud"}}, False),
        ({"state": "redis:"}, False),
        ({"api": {"listen": "8642"}}, False),
        (function(type="lambda", function_name="f", rie=True), True),
        (function(Type="http", Url="http://127.0.0.1/", headers={"X": {"env": "X"}}), True),
        (function(type="http", url="http://127.0.0.1/", function_name="f"), False),
        (function(type="http"), False),
        (function(type="ftp", url="ftp://x"), False),
        (function(function_name="f"), False),
        (function(type="function_url", url="https://x.example/", auth="none"), True),
        (function(type="runtime", command=["a", 1]), False),
        (function(type="step_functions", state_machine_arn="arn"), False),
    ],
)
def test_a_whole_file_is_valid_or_not(document, valid):
    assert (errors_of(document) == []) is valid


def test_the_spelling_of_aws_leads_back_to_the_key():
    keys = [key for part in (schema(), *schema()["$defs"].values()) for key in part.get("dependentSchemas", ())]
    assert [key for key in keys if pascal_case(snake_case(key)) != key] == []
    assert len(keys) > 100


def test_the_command_prints_it_or_writes_it_to_a_file(tmp_path, capsys):
    for arguments in ([], ["--output", str(tmp_path / "poller.schema.json")]):
        with pytest.raises(SystemExit) as ended:
            main(["schema", *arguments])
        assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out) == schema()
    assert (tmp_path / "poller.schema.json").read_text(encoding="utf-8") == text()


def test_a_file_that_cannot_be_written_is_a_problem_of_the_machine(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["schema", "--output", str(tmp_path / "nowhere" / "schema.json")])
    assert ended.value.code == 69
    assert "No such file or directory" in capsys.readouterr().err
