"""Whatever a plan or a serverless.yml holds is taken or said, and what is written passes the check."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from poller.configuration import load
from poller.importers import terraform
from poller.importers.draft import Findings
from poller.importers.given import Given
from poller.importers.serverless import importer as serverless
from poller.importers.taking import take
from poller.importers.writing import lines_of
from poller.values.errors import ConfigurationError
from tests.importers.conftest import Run

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 20_000),
    st.text(max_size=6),
    st.sampled_from(
        ["arn:aws:sqs:eu-west-1:123456789012:q", "LATEST", "${self:a.b}", "${opt:x, 'y'}", "${self:}", "${a"]
    ),
    st.sampled_from(["${file(x.yml):a}", "${self:functions}", "arn:aws:kinesis:eu-west-1:123456789012:stream/s"]),
)


def values(keys: list[str]) -> Any:
    words = st.sampled_from(keys)
    return st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=8
    )


ATTRIBUTES = ["event_source_arn", "function_name", "batch_size", "enabled", "filter_criteria", "filter", "pattern"]
ATTRIBUTES += ["destination_config", "on_failure", "destination_arn", "starting_position", "tags", "scaling_config"]
ANY = values(ATTRIBUTES)
RESOURCES = st.fixed_dictionaries(
    {
        "address": SCALARS,
        "type": st.just(terraform.MAPPINGS[0]),
        "values": st.dictionaries(st.sampled_from(ATTRIBUTES), ANY, max_size=5) | ANY,
    }
)
PLANS = st.fixed_dictionaries(
    {
        "planned_values": st.fixed_dictionaries(
            {"root_module": st.fixed_dictionaries({"resources": st.lists(RESOURCES | ANY)})}
        )
    },
    optional={"resource_changes": st.lists(ANY, max_size=2) | ANY, "configuration": ANY},
)
KEYS = ["arn", "batchSize", "enabled", "startingPosition", "filterPatterns", "destinations", "onFailure", "consumer"]
KEYS += ["type", "functionResponseType", "maximumConcurrency", "Fn::GetAtt", "Ref", "Fn::Sub"]
SETTINGS = values(KEYS)
EVENTS = st.lists(
    st.dictionaries(st.sampled_from(["sqs", "stream", "kafka"]), SETTINGS, max_size=1) | SETTINGS, max_size=3
)
FUNCTIONS = st.dictionaries(
    st.sampled_from(["f", "g-h"]), st.fixed_dictionaries({"events": EVENTS | SETTINGS}) | SETTINGS, max_size=2
)
SERVICES = st.fixed_dictionaries(
    {"service": SETTINGS, "functions": FUNCTIONS | SETTINGS},
    optional={
        "provider": st.fixed_dictionaries({"stage": SETTINGS, "region": SETTINGS}) | SETTINGS,
        "a": SETTINGS,
        "resources": st.fixed_dictionaries({"Resources": SETTINGS}) | SETTINGS,
    },
)


def taken_or_said(folder: Path, read: Callable[[Path, Given], Findings], document: Any) -> None:
    path = folder / "any.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    try:
        imported = take(read(path, Given(region="eu-west-1")), folder)
    except ConfigurationError:
        return
    if imported.entries:
        out = folder / "out.yaml"
        out.write_text("\n".join(lines_of(imported, "poller import")), encoding="utf-8")
        assert len(load([out], environ={}).mappings) == len(imported.entries)


@given(PLANS)
def test_any_plan(tmp_path_factory, plan):
    taken_or_said(tmp_path_factory.mktemp("any"), terraform.read, plan)


@given(SERVICES)
def test_any_serverless_yml(tmp_path_factory, service):
    taken_or_said(tmp_path_factory.mktemp("any"), serverless.read, service)


def test_a_template_whose_names_double_again_and_again_ends(importing: Run):
    queues = {
        f"Q{number}": {
            "Type": "AWS::SQS::Queue",
            "Properties": {"QueueName": {"Fn::Sub": f"${{Q{number + 1}.QueueName}}${{Q{number + 1}.QueueName}}"}},
        }
        for number in range(40)
    }
    mapping = {"EventSourceArn": {"Fn::GetAtt": "Q0.Arn"}, "FunctionName": "f"}
    resources = {**queues, "Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping}}
    assert importing("cloudformation", json.dumps({"Resources": resources})).code == 1


def test_a_file_that_is_nested_too_deeply_is_refused(importing: Run):
    deep = "[" * 700 + "]" * 700
    text = f'{{"values": {{"root_module": {{"resources": [{{"type": "{terraform.MAPPINGS[0]}", "values": {{"tags": 1, "x": {deep}}}}}]}}}}}}'
    outcome = importing("terraform", text, name="x.json")
    assert outcome.code in (1, 2)
    assert "Traceback" not in "".join(outcome.said)
