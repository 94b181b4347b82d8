"""`poller import terraform`, `serverless` and `lambda`."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from poller.cli.main import main
from poller.configuration import load
from tests.importers.conftest import Run

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
MAPPING = "aws_lambda_event_source_mapping"


def state(*mappings: dict[str, Any]) -> str:
    """As the provider fills attributes in that nobody wrote."""
    empty: dict[str, Any] = {
        "batch_size": 10,
        "bisect_batch_on_function_error": False,
        "maximum_record_age_in_seconds": 0,
    }
    empty |= {"maximum_retry_attempts": 0, "tumbling_window_in_seconds": 0, "parallelization_factor": 0}
    empty |= {
        "destination_config": [],
        "filter_criteria": [],
        "scaling_config": [],
        "tags": None,
        "uuid": "u",
        "id": "u",
    }
    resources = [
        {
            "address": f"{MAPPING}.m{index}",
            "mode": "managed",
            "type": MAPPING,
            "name": f"m{index}",
            "values": empty | own,
        }
        for index, own in enumerate(mappings)
    ]
    child = {"address": "module.x", "resources": resources}
    return json.dumps({"format_version": "1.0", "values": {"root_module": {"child_modules": [child]}}})


def test_a_terraform_state_is_taken_whole(importing: Run):
    clicks = {
        "event_source_arn": "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks",
        "function_name": "audit",
        "starting_position": "TRIM_HORIZON",
        "parallelization_factor": 4,
        "maximum_retry_attempts": 0,
        "destination_config": [{"on_failure": [{"destination_arn": "arn:aws:sqs:eu-west-1:123456789012:failed"}]}],
    }
    orders = {
        "event_source_arn": QUEUE,
        "function_name": "arn:aws:lambda:eu-west-1:123456789012:function:ship",
        "scaling_config": [{"maximum_concurrency": 7}],
        "filter_criteria": [{"filter": [{"pattern": '{"body": {"a": [1]}}'}, {"pattern": '{"body": {"b": [1]}}'}]}],
        "tags": {"Team": "shop"},
        "function_response_types": ["ReportBatchItemFailures"],
    }
    outcome = importing("terraform", state(orders, clicks), name="state.json")
    assert (outcome.code, outcome.said) == (0, ["2 mappings taken, 0 not taken, 0 holes, 0 parameters left out"])
    assert outcome.configuration is not None
    first, second = outcome.configuration.mappings
    assert (first.scaling_config.maximum_concurrency if first.scaling_config else None) == 7
    assert (len(first.filter_criteria), dict(first.tags)) == (2, {"Team": "shop"})
    assert (second.parallelization_factor, second.maximum_retry_attempts) == (4, 0)
    assert second.on_failure_destination == "arn:aws:sqs:eu-west-1:123456789012:failed"


def test_a_terraform_plan_names_what_is_known_after_apply(importing: Run):
    plan = {
        "planned_values": {
            "root_module": {
                "resources": [
                    {"address": "aws_sqs_queue.q", "type": "aws_sqs_queue", "name": "q", "values": {"name": "orders"}},
                    {"address": f"{MAPPING}.m", "type": MAPPING, "name": "m", "values": {"function_name": "ship"}},
                ]
            }
        },
        "resource_changes": [
            {"address": f"{MAPPING}.m", "change": {"actions": ["create"], "after_unknown": {"event_source_arn": True}}},
            {"address": f"{MAPPING}.old", "type": MAPPING, "change": {"actions": ["delete"]}},
        ],
        "configuration": {
            "provider_config": {"aws": {"expressions": {"region": {"constant_value": "eu-west-1"}}}},
            "root_module": {
                "resources": [
                    {
                        "type": MAPPING,
                        "name": "m",
                        "expressions": {"event_source_arn": {"references": ["aws_sqs_queue.q.arn", "aws_sqs_queue.q"]}},
                    }
                ]
            },
        },
    }
    outcome = importing("terraform", json.dumps(plan), "--account", "123456789012", name="plan.json")
    assert outcome.code == 1
    assert outcome.configuration is not None
    assert outcome.configuration.mappings[0].event_source_arn == QUEUE
    assert f"plan.json: not taken: {MAPPING}.old: the plan deletes it" in outcome.said
    assert any("aws_sqs_queue.q.arn is known after apply" in line for line in outcome.said)


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "is not JSON"), ("{}", "neither a plan nor a state"), ('{"lineage": "x", "values": 1}', "is a state file")],
)
def test_what_terraform_did_not_show_is_refused(importing: Run, text: str, said: str):
    outcome = importing("terraform", text, name="x.json")
    assert outcome.code == 2
    assert said in outcome.said[0]


SERVERLESS = """\
    service: shop
    provider: {name: aws, stage: "${opt:stage, 'dev'}", region: eu-west-1}
    custom:
      window: {dev: 1, prod: 5}
    functions:
      ship:
        handler: app.handler
        events:
          - sqs:
              arn: !GetAtt Orders.Arn
              maximumBatchingWindow: ${self:custom.window.${self:provider.stage}}
              functionResponseType: ReportBatchItemFailures
              filterPatterns: [{body: {kind: [order]}}]
          - stream: arn:aws:kinesis:${self:provider.region}:${aws:accountId}:stream/clicks
          - http: {path: /, method: get}
      tally:
        name: tally-it
        handler: app.tally
        events:
          - stream:
              type: dynamodb
              arn: ${ssm:/stock/stream}
              batchWindow: 3
              destinations: {onFailure: "arn:aws:sqs:eu-west-1:123456789012:failed"}
          - kafka: {topic: t}
    resources:
      Resources:
        Orders:
          Type: AWS::SQS::Queue
          Properties: {QueueName: "orders-${self:provider.stage}"}
        Extra:
          Type: AWS::Lambda::EventSourceMapping
          Properties: {EventSourceArn: !GetAtt Orders.Arn, FunctionName: !Ref TallyLambdaFunction}
    """


def test_serverless_yml_is_taken_with_its_variables_and_defaults(importing: Run):
    outcome = importing("serverless", SERVERLESS, "--stage", "prod", "--account", "123456789012", name="serverless.yml")
    assert outcome.code == 1
    assert outcome.configuration is not None
    extra, orders, clicks, stock = outcome.configuration.mappings
    assert (extra.event_source_arn, extra.function.key) == (
        "arn:aws:sqs:eu-west-1:123456789012:orders-prod",
        "tally-it",
    )
    assert (orders.function.key, orders.maximum_batching_window_in_seconds) == ("shop-prod-ship", 5)
    assert orders.filter_criteria == ('{"body": {"kind": ["order"]}}',)
    assert (clicks.event_source_arn, clicks.starting_position) == (
        "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks",
        "TRIM_HORIZON",
    )
    assert (clicks.batch_size, stock.enabled) == (10, False)
    assert stock.on_failure_destination == "arn:aws:sqs:eu-west-1:123456789012:failed"
    assert outcome.said == [
        (
            "serverless.yml:15: not taken: functions.ship.events[2]: http event: it is no event source mapping; "
            "what sends it has to invoke the function by itself"
        ),
        "serverless.yml:25: not taken: functions.tally.events[1]: kafka is not a source here",
        (
            "serverless.yml:22: functions.tally.events[0]: event_source_arn: hole: "
            "${ssm:/stock/stream} is resolved by the framework only"
        ),
        "4 mappings taken, 2 not taken, 1 hole, 0 parameters left out",
    ]


def test_variables_in_a_circle_are_a_hole(importing: Run):
    outcome = importing(
        "serverless",
        """\
        service: s
        custom: {a: "${self:custom.b}", b: "${self:custom.a}"}
        functions: {f: {handler: a.b, events: [{sqs: "${self:custom.a}"}]}}
        """,
        name="serverless.yml",
    )
    assert outcome.code == 1
    assert any("in a circle" in line for line in outcome.said)


def test_no_serverless_yml_is_refused(importing: Run):
    outcome = importing("serverless", "a: b", name="serverless.yml")
    assert (outcome.code, "is it a serverless.yml?" in outcome.said[0]) == (2, True)


@pytest.mark.live
def test_the_mappings_of_lambda_are_read_from_its_api(ministack, tmp_path: Path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, value in ministack.environment().items():
        monkeypatch.setenv(name, value)
    ministack.create_queue("orders")
    lambdas = ministack.client("lambda")
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): pass")
    lambdas.create_function(
        FunctionName="ship",
        Runtime="python3.12",
        Role="arn:aws:iam::123456789012:role/ship",
        Handler="app.handler",
        Code={"ZipFile": code.getvalue()},
    )
    created = lambdas.create_event_source_mapping(
        EventSourceArn=ministack.queue_arn("orders"), FunctionName="ship", BatchSize=7, Enabled=False
    )
    command = ["import", "lambda", "--region", ministack.region, "--endpoint-url", ministack.url]
    with pytest.raises(SystemExit):
        main(command)
    printed = capsys.readouterr()
    (tmp_path / "out.yaml").write_text(printed.out)
    (mapping,) = load([tmp_path / "out.yaml"], environ={}).mappings
    assert (mapping.batch_size, mapping.enabled, mapping.uuid) == (7, False, created["UUID"])


def test_lambda_that_cannot_be_asked_is_one_line(capsys, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    with pytest.raises(SystemExit) as ended:
        main(["import", "lambda", "--region", "eu-west-1", "--endpoint-url", "http://127.0.0.1:9"])
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 69
    assert line.startswith("poller: Lambda in eu-west-1 does not list its mappings")
