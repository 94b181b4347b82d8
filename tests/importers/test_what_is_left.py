"""What an importer leaves to a person is said: triggers that are no mappings, values to fill in, and the next step."""

import json
import re
from pathlib import Path

import pytest

from poller.cli.main import main
from tests.importers.conftest import Run
from tests.importers.test_templates import SAM, WHERE


@pytest.mark.parametrize("kind", ["Api", "HttpApi", "Schedule", "S3", "SNS", "EventBridgeRule", "Novelty"])
def test_an_event_that_is_no_mapping_is_said_with_its_line(importing: Run, kind: str):
    outcome = importing("sam", f"{SAM.rstrip()}\n            Other: {{Type: {kind}, Properties: {{}}}}\n", *WHERE)
    assert outcome.code == 1
    said, summary = outcome.said
    assert re.match(rf"template\.yaml:\d+: not taken: Resources\.Ship\.Properties\.Events\.Other: {kind} event: ", said)
    assert summary == "2 mappings taken, 1 not taken, 0 holes, 0 parameters left out"


@pytest.mark.parametrize("event", ["!If [IsProd, {Type: SQS}, {Type: Kinesis}]", "{Type: !Ref Stage}", "{}", "text"])
def test_an_event_of_a_type_that_is_not_known_is_said(importing: Run, event: str):
    outcome = importing("sam", f"{SAM.rstrip()}\n            Other: {event}\n", *WHERE)
    assert outcome.said[0].endswith("Resources.Ship.Properties.Events.Other: is an event whose Type is not known here")


def test_a_service_that_may_invoke_a_function_is_said_in_each_format(importing: Run):
    permission = {
        "Type": "AWS::Lambda::Permission",
        "Properties": {"FunctionName": "f", "Principal": "s3.amazonaws.com"},
    }
    of_account = {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": "f", "Principal": "123456789012"}}
    template = {"Resources": {"Pushed": permission, "Called": of_account}}
    values = {"function_name": "f", "principal": "s3.amazonaws.com"}
    resource = {"address": "aws_lambda_permission.pushed", "type": "aws_lambda_permission", "values": values}
    state = {"values": {"root_module": {"resources": [resource]}}}
    for command, document, title in (
        ("cloudformation", template, "Resources.Pushed"),
        ("terraform", state, "aws_lambda_permission.pushed"),
    ):
        outcome = importing(command, json.dumps(document))
        assert outcome.code == 1
        said, summary = outcome.said
        assert f"not taken: {title}: s3.amazonaws.com event: it is no event source mapping" in said
        assert summary.startswith("0 mappings taken, 1 not taken")


FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:f"
TRIGGERS = {
    "AWS::Lambda::Url": ({"TargetFunctionArn": FUNCTION}, "a function URL"),
    "AWS::Pipes::Pipe": ({"Target": FUNCTION}, "AWS::Pipes::Pipe event"),
    "AWS::Scheduler::Schedule": ({"Target": {"Arn": FUNCTION}}, "AWS::Scheduler::Schedule event"),
    "aws_lambda_function_url": ({"function_name": "f"}, "a function URL"),
    "aws_pipes_pipe": ({"target": FUNCTION}, "aws_pipes_pipe event"),
    "aws_scheduler_schedule": ({"target": [{"arn": FUNCTION}]}, "aws_scheduler_schedule event"),
}
"""Without a permission, which would name them."""


@pytest.mark.parametrize("kind", TRIGGERS)
def test_a_trigger_without_a_permission_is_said(importing: Run, kind: str):
    values, said = TRIGGERS[kind]
    if "::" in kind:
        command, document = "cloudformation", json.dumps({"Resources": {"Other": {"Type": kind, "Properties": values}}})
    else:
        resource = {"address": f"{kind}.other", "type": kind, "values": values}
        command, document = "terraform", json.dumps({"values": {"root_module": {"resources": [resource]}}})
    outcome = importing(command, document)
    assert outcome.code == 1
    assert f": {said}: it is no event source mapping" in outcome.said[0]
    elsewhere = importing(command, document.replace(":lambda:", ":states:").replace(":function:", ":stateMachine:"))
    assert elsewhere.said[-1].startswith(f"0 mappings taken, {int('rl' in kind.lower())} not taken")


def test_the_url_of_a_function_is_said_where_it_is_a_property_of_it(importing: Run):
    sam = SAM.replace(
        "          FunctionName: ", "          FunctionUrlConfig: {AuthType: NONE}\n          FunctionName: ", 1
    )
    serverless = "service: s\nfunctions:\n  f:\n    url: true\n"
    for outcome in (
        importing("sam", sam, *WHERE),
        importing("serverless", serverless, name="serverless.yml"),
    ):
        assert outcome.code == 1
        assert "a function URL: it is no event source mapping; `http_face` gives a function one here" in outcome.said[0]


def test_permissions_of_one_service_for_one_function_are_one_line(importing: Run):
    """A method of an API has one for each of its stages."""
    properties = {"FunctionName": "f", "Principal": "apigateway.amazonaws.com"}
    permission = {"Type": "AWS::Lambda::Permission", "Properties": properties}
    other = {"Type": "AWS::Lambda::Permission", "Properties": {**properties, "FunctionName": "g"}}
    template = {"Resources": {"Live": permission, "Test": permission, "Other": other}}
    outcome = importing("cloudformation", json.dumps(template))
    assert [line.partition(": not taken: ")[2].partition(":")[0] for line in outcome.said[:-1]] == [
        "Resources.Live",
        "Resources.Other",
    ]
    assert outcome.said[0].endswith("; Resources.Test is of the same")
    assert outcome.said[-1].startswith("0 mappings taken, 2 not taken")


@pytest.mark.parametrize(
    ("functions", "title"),
    [
        ("{f: '${file(gone.yml)}'}", "functions.f"),
        ("'${file(gone.yml)}'", "functions"),
        ("['${file(gone.yml)}']", "functions"),
    ],
)
def test_functions_in_a_file_that_cannot_be_read_are_said(importing: Run, functions: str, title: str):
    outcome = importing("serverless", f"service: s\nfunctions: {functions}\n", name="serverless.yml")
    assert outcome.code == 1
    assert outcome.said[0].endswith(f"not taken: {title}: ${{file(gone.yml)}}: gone.yml cannot be read")


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("{http: {path: /, method: get}}", "http event: it is no event source mapping"),
        ("{schedule: rate(1 hour)}", "schedule event: it is no event source mapping"),
        ("alexaSkill", "alexaSkill event: it is no event source mapping"),
        ("{sqs: 'arn:aws:sqs:eu-west-1:123456789012:q', batchSize: 1}", "is no event: write its kind as the one key"),
        ("'${ssm:/events}'", "${ssm:/events} is resolved by the framework only"),
    ],
)
def test_an_event_of_the_framework_that_is_no_mapping_is_said(importing: Run, event: str, said: str):
    outcome = importing(
        "serverless", f"service: s\nfunctions:\n  f:\n    events:\n    - {event}\n", name="serverless.yml"
    )
    assert outcome.code == 1
    assert outcome.said[0] == f"serverless.yml:5: not taken: functions.f.events[0]: {said}" + (
        "; what sends it has to invoke the function by itself" if said.endswith("mapping") else ""
    )


def test_events_that_are_not_known_are_said(importing: Run):
    outcome = importing("serverless", "service: s\nfunctions: {f: {events: '${ssm:/events}'}}\n", name="serverless.yml")
    assert outcome.code == 1
    assert "not taken: functions.f.events: ${ssm:/events} is resolved by the framework only" in outcome.said[0]


def test_holes_are_counted_as_they_stand_and_the_check_names_each(importing: Run, capsys: pytest.CaptureFixture[str]):
    """A value with several reasons is one hole."""
    text = SAM.replace("Queue: !GetAtt Queue.Arn", "Queue: !Sub '${Unknown}:${Other}'").replace(
        "!Ref Size", "!Ref Gone"
    )
    outcome = importing("sam", text, *WHERE, "--output", "poller.yaml")
    lines = Path("poller.yaml").read_text(encoding="utf-8").splitlines()
    holes = [number for number, line in enumerate(lines, 1) if line.startswith("    # HOLE ")]
    assert len(holes) == 2
    assert lines[1].startswith("# 2 values are missing")
    assert ", 2 holes, " in outcome.said[-1]
    assert outcome.written.splitlines() == ["wrote poller.yaml", "next: poller check --config poller.yaml"]
    main_ended(["check"])
    warned = [line for line in capsys.readouterr().err.splitlines() if "HOLE" in line]
    assert [line.partition(": HOLE")[0] for line in warned] == [f"warning: poller.yaml:{number}" for number in holes]
    assert warned[0].endswith("write the value and remove the comment")


def main_ended(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code in (0, None)
