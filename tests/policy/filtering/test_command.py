"""`poller filter test`, from files to exit codes."""

import base64
import json

import pytest

from poller.cli.main import main

EVENT = {
    "Records": [
        {"messageId": "1", "body": '{"kind":"quote","items":[{"sku":"a"},{"n":2}]}', "attributes": {"x": "1"}},
        {"messageId": "2", "body": '{"kind":"order"}', "attributes": {}},
        {"messageId": "3", "body": "hello"},
    ]
}


@pytest.fixture
def run(tmp_path, capsys):
    def run(pattern, event, *options, suffix="json"):
        one, other = tmp_path / f"pattern.{suffix}", tmp_path / "event.json"
        one.write_text(pattern if isinstance(pattern, str) else json.dumps(pattern))
        other.write_text(event if isinstance(event, str) else json.dumps(event))
        with pytest.raises(SystemExit) as caught:
            main(["filter", "test", "--pattern", str(one), "--event", str(other), *options])
        output = capsys.readouterr()
        return caught.value.code, output.out.splitlines(), output.err.replace(str(tmp_path), "")

    return run


def test_a_match_is_0_and_no_match_is_1(run):
    assert run({"body": {"kind": ["order"]}}, EVENT["Records"][1]) == (0, ["match"], "")
    assert run({"body": {"kind": ["order"]}}, EVENT["Records"][0]) == (1, ["no match"], "")


def test_a_whole_event_is_judged_record_by_record(run):
    code, lines, _ = run({"body": {"kind": ["order"]}}, EVENT)
    assert (code, lines) == (0, ["record 1: no match", "record 2: match", "record 3: not JSON"])


def test_explain_names_each_condition(run):
    pattern = {"body": {"kind": ["order"], "items": {"sku": ["a"], "n": [2]}}}
    code, lines, _ = run(pattern, EVENT["Records"][0], "--explain")
    assert code == 1
    assert lines == [
        "no match",
        "  filter 1",
        '    fails  body.kind: ["order"] on "quote"',
        '    holds  body.items.sku: ["a"] on "a"',
        "    holds  body.items.n: [2] on 2",
    ]
    _, lines, _ = run({"body": {"items": {"sku": ["a"], "n": [2]}}}, EVENT["Records"][0], "--explain")
    assert (
        lines[-1]
        == "    fails  each condition holds somewhere, but not all of them within one element of the same array"
    )
    _, lines, _ = run({"body": {"kind": ["order"]}}, EVENT["Records"][2], "--explain")
    assert lines[-1].endswith("on nothing (the body is not JSON, the pattern asks for its fields)")


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_filter_criteria_are_taken_as_they_are_pasted(run, suffix):
    criteria = {"Filters": [{"Pattern": '{"body":["x"]}'}, {"Pattern": '{"attributes":{"x":["1"]}}'}]}
    code, lines, _ = run(criteria, EVENT, suffix=suffix)
    assert (code, lines[0]) == (0, "record 1: match")


def test_a_pattern_in_yaml(run):
    code, _, _ = run("body:\n  kind: [order]\n", EVENT, suffix="yaml")
    assert code == 0
    code, _, error = run("body: {on: [order]}\n", EVENT, suffix="yml")
    assert code == 2
    assert "the key True is not text; put it in quotes" in error


def test_an_invalid_pattern_is_2(run):
    code, lines, error = run({"body": {"kind": [{"prefx": "o"}]}}, EVENT)
    assert (code, lines) == (2, [])
    assert error.startswith("poller: /pattern.json: Invalid filter pattern definition. filter 1, body.kind[0]: unknown")


@pytest.mark.parametrize(
    ("pattern", "suffix", "reason"),
    [
        ("{", "json", "not JSON"),
        ("[1]", "json", "not a list"),
        ("a: [", "yaml", "not YAML"),
        ("", "json", "it is empty"),
    ],
)
def test_a_broken_pattern_file_is_2(run, pattern, suffix, reason):
    code, _, error = run(pattern, EVENT, suffix=suffix)
    assert code == 2
    assert reason in error


def test_kinesis_and_dynamodb_records_are_recognised(run):
    data = base64.b64encode(b'{"k":1}').decode()
    kinesis = {"kinesis": {"data": data, "partitionKey": "p"}, "eventName": "aws:kinesis:record"}
    assert run({"data": {"k": [1]}, "partitionKey": ["p"]}, {"Records": [kinesis]})[0] == 0
    assert run({"data": {"k": [1]}}, {"data": data}, "--record", "kinesis")[0] == 1 + 1
    assert run({"eventName": ["INSERT"]}, {"dynamodb": {}, "eventName": "INSERT"})[0] == 0
    assert run({"eventName": ["INSERT"]}, {"eventName": "REMOVE"}, "--record", "dynamodb")[0] == 1


@pytest.mark.parametrize(
    ("event", "options", "reason"),
    [
        ("{", [], "not JSON"),
        ("[]", [], "neither a record nor an event with Records"),
        ('{"Records":[]}', [], "neither a record"),
        ('{"Records":[1]}', [], "neither a record"),
        ('{"x":1}', [], "say so with --record"),
        ('{"x":1}', ["--record", "sqs"], "body is not a string"),
        ('{"kinesis":{"data":"%"}}', [], "kinesis.data is not base64"),
        ('{"kinesis":{}}', [], "kinesis.data is not a string"),
    ],
)
def test_an_event_that_is_none_is_2(run, event, options, reason):
    code, _, error = run({"body": ["x"]}, event, *options)
    assert code == 2
    assert reason in error
    assert "Traceback" not in error


def test_a_missing_file_is_2(capsys, tmp_path):
    with pytest.raises(SystemExit) as caught:
        main(["filter", "test", "--pattern", str(tmp_path / "none"), "--event", str(tmp_path / "none")])
    assert caught.value.code == 2
    assert "cannot be read" in capsys.readouterr().err
