"""`poller iam-policy`: nothing that is called is missing, nothing else is allowed, on exact ARNs."""

import ast
import importlib
import json
import pkgutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import poller
from poller.aws.port import Operation
from poller.cli.main import main
from poller.cli.permissions import DEAD_LETTERS, policies, remarks
from poller.configuration import FunctionConfig, load
from poller.functions.step_functions.options import WorkflowOptions
from poller.functions.web.options import SigV4, WebOptions

ROOT = Path(__file__).parents[2]
ACCOUNT = "123456789012"
CONSUMER = f"arn:aws:kinesis:eu-west-1:{ACCOUNT}:stream/clicks/consumer/count:1700000000"
STATE_MACHINE = f"arn:aws:states:eu-west-1:{ACCOUNT}:stateMachine:flow"
PREFIXES = {"dynamodbstreams": "dynamodb", "stepfunctions": "states"}
"""Where IAM's name of a service is not the SDK's."""
IAM_NAMES = {
    "lambda:Invoke": "lambda:InvokeFunction",
    # a transaction is allowed by the actions of what is in it
    "dynamodb:TransactWriteItems": "dynamodb:PutItem",
}
"""Where IAM's name of an action is not the operation's."""
ONCE = {"dynamodb:CreateTable"}
"""What a person does before the first daemon, by `poller state migrate`."""


def action(service, operation):
    # the batch forms of SQS are allowed by the action of the single one
    name = f"{PREFIXES.get(service, service)}:{operation.removesuffix('Batch')}"
    return IAM_NAMES.get(name, name)


def called_by_the_code():
    """Every operation that is a constant of some module or made of constants, and all calls by the SDK."""
    found = {
        operation
        for module in pkgutil.walk_packages(poller.__path__, "poller.")
        if not module.name.startswith(("poller.demo.function", "poller.__main__", "poller.cli"))
        for operation in vars(importlib.import_module(module.name)).values()
        if isinstance(operation, Operation)
    }
    actions = {action(operation.service, operation.name) for operation in found}
    for path in (ROOT / "poller").rglob("*.py"):
        if "daemon" in path.parts:
            continue  # an Operation there is one that the daemon serves
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            texts = [str(given.value) for given in node.args if isinstance(given, ast.Constant)]
            if isinstance(node.func, ast.Name) and node.func.id == "Operation" and len(texts) >= 2:
                actions.add(action(*texts[:2]))
            if not isinstance(node.func, ast.Attribute):
                continue
            looks = path.parent.name in ("connect", "importers") or path.name in ("look.py", "reach.py")
            if node.func.attr == "call" and len(texts) == 2 and not looks:
                actions.add(action(texts[0], texts[1].title().replace("_", "")))
            if node.func.attr == "assume_role":
                actions.add("sts:AssumeRole")
    return actions


def written(tmp_path, *mappings, **settings):
    path = tmp_path / "poller.json"
    path.write_text(json.dumps({**settings, "event_source_mappings": mappings}))
    return path


def of(tmp_path, *mappings, **settings):
    return policies(load([written(tmp_path, *mappings, **settings)], environ={}))


def statements(policy):
    return {one["Sid"]: (one["Action"], one["Resource"]) for one in policy["Statement"]}


def queue(**keys):
    return {"event_source_arn": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:orders", "function_name": "ship", **keys}


def stream(**keys):
    return {
        "name": "clicks",
        "event_source_arn": f"arn:aws:kinesis:eu-west-1:{ACCOUNT}:stream/clicks",
        "function_name": "count",
        "starting_position": "LATEST",
        **keys,
    }


def test_a_consumer_is_subscribed_with_and_its_stream_read(tmp_path):
    [policy] = of(tmp_path, stream(event_source_arn=CONSUMER)).values()
    found = statements(policy)
    assert found["Consumers"] == (["kinesis:SubscribeToShard"], [CONSUMER])
    assert found["Streams"][1] == [CONSUMER.partition("/consumer/")[0]]


def telling(arn):
    return {"destination_config": {"on_failure": {"destination": arn}}}


def test_every_action_that_the_code_can_call_is_allowed_and_no_other(tmp_path):
    table = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/carts/stream/2026-01-01T00:00:00.000"
    found = of(
        tmp_path,
        queue(aws={"role_arn": f"arn:aws:iam::{ACCOUNT}:role/r"}),
        stream(**telling(f"arn:aws:sqs:eu-west-1:{ACCOUNT}:failed")),
        stream(name="b", function_name="b", **telling(f"arn:aws:sns:eu-west-1:{ACCOUNT}:failed")),
        stream(name="c", function_name="c", **telling("arn:aws:s3:::failed")),
        stream(name="d", function_name="d", **telling(f"arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/failed")),
        stream(name="p", function_name="p", event_source_arn=CONSUMER),
        {"name": "t", "event_source_arn": table, "function_name": "flow", "starting_position": "LATEST"},
        functions={"flow": {"type": "step_functions", "state_machine_arn": STATE_MACHINE}},
        state="dynamodb://positions?region=eu-west-1",
    )
    assert statements(found["default"])["StateTable"][1] == [f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/positions"]
    allowed = {name for policy in found.values() for one in policy["Statement"] for name in one["Action"]}
    assert sorted(allowed) == sorted(called_by_the_code() - ONCE)


def test_the_queue_that_gets_what_no_filter_matches_may_be_sent_to(tmp_path):
    target = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:unmatched"
    filters = {"filters": [{"pattern": '{"body": {"a": [1]}}'}]}
    found = of(tmp_path, queue(filter_criteria=filters, on_no_match={"send_to": target}))
    assert statements(found["default"])["Destinations"] == (["sqs:SendMessage"], [target])
    assert "Destinations" not in statements(of(tmp_path, queue(filter_criteria=filters))["default"])


def test_a_function_is_named_with_what_the_call_names_and_no_more(tmp_path):
    names = {
        "bare": f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:bare",
        "bare:live": f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:bare:live",
        "210987654321:function:partial": "arn:aws:lambda:eu-west-1:210987654321:function:partial",
        "arn:aws:lambda:us-east-1:210987654321:function:whole:3": (
            "arn:aws:lambda:us-east-1:210987654321:function:whole:3"
        ),
    }
    found = of(tmp_path, *(queue(function_name=name, name=f"m{n}") for n, name in enumerate(names)))
    assert statements(found["default"])["Functions"] == (["lambda:InvokeFunction"], sorted(names.values()))


def test_a_second_function_is_invoked_as_well(tmp_path):
    found = of(tmp_path, queue(function_name="own", shadow_function_name="next"))
    arns = [f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:{name}" for name in ("next", "own")]
    assert statements(found["default"])["Functions"] == (["lambda:InvokeFunction"], arns)


def test_a_bare_name_is_looked_up_in_the_account_of_the_role_that_calls(tmp_path):
    role = "arn:aws:iam::210987654321:role/r"
    found = of(tmp_path, queue(), aws={"role_arn": role})
    assert statements(found[role])["Functions"][1] == ["arn:aws:lambda:eu-west-1:210987654321:function:ship"]


def test_a_role_has_a_policy_of_its_own_and_who_assumes_it_may_do_so(tmp_path):
    role = f"arn:aws:iam::{ACCOUNT}:role/r"
    found = of(tmp_path, queue(aws={"role_arn": role}), stream(), aws={"profile": "ops"})
    assert sorted(found) == [role, "profile ops"]
    assert sorted(statements(found[role])) == ["Functions", "Queues"]
    assert statements(found["profile ops"])["Roles"] == (["sts:AssumeRole"], [role])
    assert sorted(statements(found["profile ops"])) == ["Functions", "Roles", "Streams"]


def test_a_bucket_is_opened_only_where_the_mapping_writes(tmp_path):
    uuid = "2f0f3b9c-5f6c-4c57-9a3c-0d5a3f1b2c4d"
    found = of(tmp_path, stream(uuid=uuid, **telling("arn:aws:s3:::failed")))
    assert statements(found["default"])["Destinations"] == (
        ["s3:PutObject"],
        [f"arn:aws:s3:::failed/aws/lambda/{uuid}/*"],
    )


def test_what_is_no_call_to_aws_needs_no_permission(tmp_path):
    functions = {
        "web": {"type": "http", "url": "http://127.0.0.1:8080/"},
        "emulated": {"type": "lambda", "function_name": "function", "endpoint_url": "http://127.0.0.1:9000"},
    }
    found = of(tmp_path, queue(function_name="web"), queue(function_name="emulated", name="m"), functions=functions)
    assert sorted(statements(found["default"])) == ["Queues"]


def with_function(tmp_path, **keys):
    """The policy's statements, and the remarks, where the mapping's function is this one."""
    configuration = load([written(tmp_path, queue())], environ={})
    (mapping,) = configuration.mappings
    changed = replace(configuration, mappings=[replace(mapping, function=FunctionConfig(key="f", **keys))])
    found: Any = policies(changed)["default"]["Statement"]
    return [one for one in found if one["Sid"] != "Queues"], remarks(changed)


def test_a_signed_function_url_needs_both_actions_and_only_that_way(tmp_path):
    web = WebOptions(url="https://abc.lambda-url.us-east-1.on.aws/", sigv4=SigV4(service="lambda", region="us-east-1"))
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:thumbnails:live"
    statements, said = with_function(tmp_path, type="function_url", options=web, function_arn=arn)
    assert [(one["Sid"], one["Action"], one["Resource"], one["Condition"]) for one in statements] == [
        ("FunctionUrls", ["lambda:InvokeFunction"], [arn], {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}),
        (
            "FunctionUrls2",
            ["lambda:InvokeFunctionUrl"],
            [arn],
            {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}},
        ),
    ]
    assert said == []
    statements, said = with_function(tmp_path, type="function_url", options=web)
    assert statements[0]["Resource"] == [f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:*"]
    assert "set function_arn" in said[0]


def test_signed_requests_to_an_api_need_that_api(tmp_path):
    signed = SigV4(service="execute-api", region="us-east-1")
    web = WebOptions(url="https://a1b2c3.execute-api.us-east-1.amazonaws.com/prod/hook", sigv4=signed)
    statements, said = with_function(tmp_path, type="http", options=web)
    assert [(one["Action"], one["Resource"]) for one in statements] == [
        (["execute-api:Invoke"], [f"arn:aws:execute-api:us-east-1:{ACCOUNT}:a1b2c3/*/POST/*"])
    ]
    assert said == []
    other = WebOptions(url="https://lattice.internal/", sigv4=SigV4(service="vpc-lattice-svcs", region="us-east-1"))
    statements, said = with_function(tmp_path, type="http", options=other)
    assert statements == []
    assert "signed for vpc-lattice-svcs" in said[0]


def test_a_state_machine_is_named_with_its_qualifier_apart(tmp_path):
    arn = f"arn:aws:states:eu-west-1:{ACCOUNT}:stateMachine:flow"
    statements, _ = with_function(
        tmp_path, type="step_functions", options=WorkflowOptions(state_machine_arn=arn + ":live")
    )
    assert [(one["Action"], one["Resource"], one["Condition"]) for one in statements] == [
        (
            ["states:StartSyncExecution"],
            [arn],
            {"ForAnyValue:StringEquals": {"states:StateMachineQualifier": "live"}},
        )
    ]
    statements, _ = with_function(tmp_path, type="step_functions", options=WorkflowOptions(state_machine_arn=arn))
    assert "Condition" not in statements[0]


def command(capsys, *arguments):
    try:
        main(["iam-policy", *map(str, arguments)])
    except SystemExit as ended:
        return ended.code or 0, *capsys.readouterr()


def test_the_same_configuration_prints_the_same_document_ready_to_be_attached(tmp_path, capsys):
    path = written(tmp_path, queue(), stream())
    code, first, err = command(capsys, "--config", path)
    assert (code, err) == (0, "")
    assert json.loads(first)["Version"] == "2012-10-17"
    other_order = written(tmp_path, stream(), queue())
    assert command(capsys, "--config", other_order)[1] == first


def test_of_several_identities_one_can_be_taken(tmp_path, capsys):
    role = f"arn:aws:iam::{ACCOUNT}:role/r"
    path = written(tmp_path, queue(aws={"role_arn": role}))
    code, out, err = command(capsys, "--config", path)
    assert code == 0
    assert sorted(json.loads(out)) == [role, "default"]
    assert "--for" in err
    assert json.loads(command(capsys, "--config", path, "--for", role)[1]) == json.loads(out)[role]
    code, _, err = command(capsys, "--config", path, "--for", "nobody")
    assert code == 2
    assert f"it can be {role}, default" in err


def test_what_people_read_and_forget_by_hand_is_added_when_asked_for(tmp_path):
    failed = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:failed"
    mappings = (
        queue(),
        stream(**telling(failed)),
        stream(name="c", function_name="c", **telling("arn:aws:s3:::failed")),
        stream(name="d", function_name="d", **telling(f"arn:aws:sns:eu-west-1:{ACCOUNT}:failed")),
    )
    configuration = load([written(tmp_path, *mappings)], environ={})
    plain, more = (statements(policies(configuration, by_hand=by_hand)["default"]) for by_hand in (False, True))
    receive = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
    uuid = configuration.mappings[2].uuid
    assert {sid: more[sid] for sid in more.keys() - plain.keys()} == {
        "DeadLetters": (sorted([*receive, "sqs:GetQueueAttributes"]), [f"arn:aws:sqs:eu-west-1:{ACCOUNT}:*"]),
        "HeldRecords": ([*receive, "sqs:GetQueueAttributes"], [failed]),
        "HeldObjects": (["s3:GetObject", "s3:DeleteObject"], [f"arn:aws:s3:::failed/aws/lambda/{uuid}/*"]),
        "HeldBuckets": (["s3:ListBucket"], ["arn:aws:s3:::failed"]),
    }
    assert {sid: more[sid] for sid in plain} == plain
    assert (remarks(configuration), remarks(configuration, by_hand=True)) == ([], [DEAD_LETTERS])
    alone = load([written(tmp_path, stream())], environ={})
    assert (remarks(alone), remarks(alone, by_hand=True)) == ([], [])
