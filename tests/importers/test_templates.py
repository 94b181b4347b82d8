"""`poller import cloudformation` and `sam`: what a template says is what runs, and what it leaves open is said."""

import json
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from poller.configuration import load
from poller.importers.cloudformation.importer import read
from poller.importers.given import Given
from poller.importers.taking import take
from poller.importers.writing import lines_of
from tests.importers import yardstick
from tests.importers.conftest import Run

WHERE = ("--region", "eu-west-1", "--account", "123456789012")
SAM = """\
    Transform: AWS::Serverless-2016-10-31
    Parameters:
      Size: {Type: Number, Default: 25}
      Stage: {Type: String, Default: dev}
    Conditions:
      IsProd: !Equals [!Ref Stage, prod]
    Globals:
      Function: {Runtime: python3.12, Handler: app.handler, CodeUri: ./src, Timeout: 60}
    Resources:
      Queue:
        Type: AWS::SQS::Queue
        Properties: {QueueName: !Sub "orders-${Stage}"}
      Failed:
        Type: AWS::SQS::Queue
        Properties: {QueueName: failed}
      Ship:
        Type: AWS::Serverless::Function
        Properties:
          FunctionName: !Join ["-", [ship, !Ref Stage]]
          AutoPublishAlias: live
          Events:
            Orders:
              Type: SQS
              Properties:
                Queue: !GetAtt Queue.Arn
                BatchSize: !Ref Size
                MaximumBatchingWindowInSeconds: !If [IsProd, 5, 1]
                FunctionResponseTypes: [ReportBatchItemFailures]
                FilterCriteria: {Filters: [{Pattern: '{"body": {"kind": ["order"]}}'}]}
            Clicks:
              Type: Kinesis
              Properties:
                Stream: !Sub arn:${AWS::Partition}:kinesis:${AWS::Region}:${AWS::AccountId}:stream/clicks
                StartingPosition: LATEST
                DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failed.Arn}}
    """


def test_a_template_that_tells_everything_is_taken_whole(importing: Run):
    outcome = importing("sam", SAM, *WHERE)
    assert outcome.code == 0
    assert outcome.said == ["2 mappings taken, 0 not taken, 0 holes, 0 parameters left out"]
    assert outcome.configuration is not None
    orders, clicks = outcome.configuration.mappings
    assert (orders.name, orders.event_source_arn) == ("Ship-Orders", "arn:aws:sqs:eu-west-1:123456789012:orders-dev")
    assert orders.function.key == "ship-dev:live"
    assert (orders.batch_size, orders.maximum_batching_window_in_seconds) == (25, 1)
    assert orders.filter_criteria == ('{"body": {"kind": ["order"]}}',)
    assert clicks.event_source_arn == "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
    assert clicks.on_failure_destination == "arn:aws:sqs:eu-west-1:123456789012:failed"


def test_parameters_of_the_stack_are_given_on_the_command_line(importing: Run):
    outcome = importing("sam", SAM, *WHERE, "--parameter", "Stage=prod", "--parameter", "Size=30")
    assert outcome.configuration is not None
    orders = outcome.configuration.mappings[0]
    assert orders.event_source_arn.endswith(":orders-prod")
    assert (orders.batch_size, orders.maximum_batching_window_in_seconds) == (30, 5)


def test_what_only_the_stack_knows_is_a_readable_hole_in_a_mapping_that_does_not_run(importing: Run):
    outcome = importing(
        "cloudformation",
        """\
        Resources:
          Queue: {Type: AWS::SQS::Queue}
          Mapping:
            Type: AWS::Lambda::EventSourceMapping
            Properties:
              EventSourceArn: !GetAtt Queue.Arn
              FunctionName: !ImportValue shipping
              BatchSize: !Ref Unknown
        """,
        *WHERE,
    )
    assert outcome.code == 1
    assert outcome.said == [
        "template.yaml:6: Resources.Mapping: event_source_arn: hole: the queue Queue has no QueueName: its stack names it",
        (
            "template.yaml:7: Resources.Mapping: function_name: hole: "
            'Fn::ImportValue "shipping" is resolved by CloudFormation only'
        ),
        (
            "template.yaml:8: Resources.Mapping: batch_size: hole: "
            "Unknown is neither a parameter nor a resource of the template"
        ),
        "1 mapping taken, 0 not taken, 3 holes, 0 parameters left out",
    ]
    assert outcome.configuration is not None
    (mapping,) = outcome.configuration.mappings
    assert not mapping.enabled
    assert "    # HOLE event_source_arn: the queue Queue has no QueueName: its stack names it" in outcome.written
    assert "arn:aws:sqs:eu-west-1:123456789012:Queue" in outcome.written


def test_what_cannot_be_taken_is_said_with_its_line(importing: Run):
    outcome = importing(
        "cloudformation",
        """\
        Conditions: {Never: !Equals [a, b]}
        Resources:
          Off:
            Type: AWS::Lambda::EventSourceMapping
            Condition: Never
            Properties: {}
          Kafka:
            Type: AWS::Lambda::EventSourceMapping
            Properties: {FunctionName: f, EventSourceArn: !Ref Cluster, Topics: [t], StartingPosition: LATEST}
          Inner: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: inner.yaml}}
          Keyed:
            Type: AWS::Lambda::EventSourceMapping
            Properties:
              FunctionName: f
              EventSourceArn: arn:aws:sqs:eu-west-1:123456789012:orders
              KmsKeyArn: arn:aws:kms:eu-west-1:123456789012:key/1
              BatchSize: 500
              Novelty: 1
        """,
    )
    assert outcome.code == 1
    assert [line.partition("Resources.")[2].partition(" ")[0] for line in outcome.said[:-1]] == [
        "Off:",
        "Inner:",
        "Kafka:",
        "Keyed:",
        "Keyed:",
        "Keyed:",
    ]
    assert outcome.said[-1] == "1 mapping taken, 2 not taken, 0 holes, 3 parameters left out"
    assert any(
        "template.yaml:17: Resources.Keyed: batch_size: not taken: is more than 10" in line for line in outcome.said
    )


def test_a_mapping_without_its_filter_is_not_enabled(importing: Run):
    """A filter that cannot be taken would otherwise let every record through."""
    outcome = importing(
        "cloudformation",
        """\
        Resources:
          Mapping:
            Type: AWS::Lambda::EventSourceMapping
            Properties:
              FunctionName: f
              EventSourceArn: arn:aws:sqs:eu-west-1:123456789012:orders
              FilterCriteria: {Filters: [{Pattern: "{"}]}
        """,
    )
    assert outcome.configuration is not None
    assert not outcome.configuration.mappings[0].enabled
    assert "# HOLE filter_criteria" in outcome.written


def test_the_functions_code_can_run_here(importing: Run, tmp_path: Path):
    pytest.importorskip("awslambdaric", reason="pip install awslambdaric: it runs Python handlers")
    (tmp_path / "src").mkdir()
    outcome = importing("sam", SAM, *WHERE, "--run-here")
    assert outcome.code == 0
    assert outcome.configuration is not None
    function = outcome.configuration.functions["Ship"]
    assert (function.type, function.timeout_seconds) == ("runtime", 60)


def test_the_file_is_new_and_never_written_over(importing: Run, tmp_path: Path):
    assert importing("sam", SAM, *WHERE, "--output", "out.yaml").code == 0
    assert [mapping.name for mapping in load([tmp_path / "out.yaml"], environ={}).mappings] == [
        "Ship-Orders",
        "Ship-Clicks",
    ]
    again = importing("sam", SAM, *WHERE, "--output", "out.yaml")
    assert (again.code, again.said) == (
        69,
        ["poller: out.yaml exists already; name another file with --output, or remove it"],
    )


@pytest.mark.parametrize("text", ["- a", "{", "Resources: !Nope x", "\ta: b"])
def test_no_template_is_a_readable_refusal(importing: Run, text: str):
    outcome = importing("cloudformation", text)
    assert outcome.code in (1, 2)
    assert not outcome.written
    assert all("Traceback" not in line for line in outcome.said)


WORDS = st.sampled_from(
    [
        "Ref",
        "Fn::GetAtt",
        "Fn::Sub",
        "Fn::Join",
        "Fn::If",
        "Fn::Select",
        "Fn::Split",
        "Fn::FindInMap",
        "Condition",
        "EventSourceArn",
        "FunctionName",
        "BatchSize",
        "Enabled",
        "FilterCriteria",
        "Filters",
        "Pattern",
        "Stream",
        "Queue",
        "DestinationConfig",
        "OnFailure",
        "Destination",
        "Tags",
        "Topics",
        "StartingPosition",
        "SqsSubscription",
        "A",
        "B",
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 20_000),
    st.text(max_size=8),
    st.sampled_from(
        ["A", "B.Arn", "${A}", "${B.Arn}", "arn:aws:sqs:eu-west-1:123456789012:q", "LATEST", "AWS::NoValue"]
    ),
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3))
PROPERTIES = st.dictionaries(WORDS, VALUES, max_size=5) | VALUES
RESOURCES = st.one_of(
    VALUES,
    st.fixed_dictionaries({"Type": st.just("AWS::Lambda::EventSourceMapping"), "Properties": PROPERTIES}),
    st.fixed_dictionaries({"Type": st.sampled_from(["AWS::SQS::Queue", "AWS::Kinesis::StreamConsumer"])}),
    st.fixed_dictionaries(
        {
            "Type": st.just("AWS::Serverless::Function"),
            "Properties": st.fixed_dictionaries(
                {
                    "Events": st.dictionaries(
                        st.sampled_from("XY"),
                        st.fixed_dictionaries(
                            {"Type": st.sampled_from(["SQS", "Kinesis", "SNS", "MSK"]), "Properties": PROPERTIES}
                        )
                        | VALUES,
                        max_size=2,
                    )
                    | VALUES
                }
            ),
        }
    ),
)
TEMPLATES = st.fixed_dictionaries(
    {"Resources": st.dictionaries(st.sampled_from(["A", "B", "C"]), RESOURCES, max_size=3)},
    optional={"Parameters": VALUES, "Conditions": VALUES, "Globals": VALUES},
)


@given(TEMPLATES)
def test_whatever_a_template_holds_is_taken_or_said_and_what_is_written_passes_the_check(tmp_path_factory, template):
    folder = tmp_path_factory.mktemp("any")
    path = folder / "any.json"
    path.write_text(json.dumps(template), encoding="utf-8")
    imported = take(read(path, Given(region="eu-west-1")), folder)
    if imported.entries:
        out = folder / "out.yaml"
        out.write_text("\n".join(lines_of(imported, "poller import")), encoding="utf-8")
        assert len(load([out], environ={}).mappings) == len(imported.entries)
        assert yaml.safe_load(out.read_text())["event_source_mappings"]


SAM_TESTS = os.environ.get("SAM_TESTS", "")


@pytest.mark.slow
@pytest.mark.skipif(
    not SAM_TESTS,
    reason="SAM_TESTS has to name the folder tests/translator of a checkout of serverless-application-model",
)
def test_sam_and_its_own_translation_of_each_template_give_the_same_mappings(tmp_path: Path):
    rows = [yardstick.row(*pair) for pair in yardstick.templates(Path(SAM_TESTS))]
    assert len(rows) >= 49
    assert [difference for row in rows for difference in row.differences] == []
    for row in rows:
        assert row.taken + row.refused == row.mappings, row
    for template, _ in yardstick.templates(Path(SAM_TESTS)):
        imported = yardstick.imported(template)
        if imported.entries:
            path = tmp_path / f"{template.stem}.yaml"
            path.write_text("\n".join(lines_of(imported, "poller import")), encoding="utf-8")
            assert len(load([path], environ={}).mappings) == len(imported.entries)
