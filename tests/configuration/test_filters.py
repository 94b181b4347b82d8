"""`filter_criteria` and `on_no_match`: every spelling of a pattern, what is refused and where, what is warned of."""

import json
from typing import Any

import pytest
import yaml

from poller.policy.filtering import compile_filters
from tests.policy.filtering.kinds import SQS_RECORDS

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
OTHER = "arn:aws:sqs:eu-west-1:123456789012:unmatched"
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/users/stream/2026-01-01T00:00:00.000"
PATTERN = {"body": {"Kind": ["order"], "BatchSize": [{"numeric": [">", 5]}]}}


def text_of(*patterns, arn=QUEUE, **parameters):
    position = {} if arn.startswith(QUEUE[:12]) else {"name": "m", "starting_position": "LATEST"}
    filters = {"filter_criteria": {"filters": [{"pattern": pattern} for pattern in patterns]}}
    entry = {"event_source_arn": arn, "function_name": "fn"} | position | filters | parameters
    return yaml.safe_dump({"event_source_mappings": [entry]})


def plain(pattern):
    """A configuration whose one pattern is written as given, in YAML."""
    return f"""
event_source_mappings:
  - event_source_arn: {QUEUE}
    function_name: fn
    filter_criteria:
      filters:
        - pattern: {pattern}
"""


def criteria(bench, text):
    [mapping] = bench.text(text).mappings
    return mapping.filter_criteria


def test_a_pattern_is_json_text_or_the_same_in_plain_yaml(bench):
    [as_text] = criteria(bench, text_of(json.dumps(PATTERN)))
    [as_yaml] = criteria(bench, text_of(PATTERN))
    assert json.loads(as_text) == json.loads(as_yaml) == PATTERN


def test_what_aws_writes_is_taken_as_it_is_and_nothing_in_a_pattern_is_renamed(bench):
    entry = {
        "EventSourceArn": QUEUE,
        "FunctionName": "fn",
        "FilterCriteria": {"Filters": [{"Pattern": json.dumps(PATTERN)}, {"Pattern": PATTERN}]},
    }
    for name, text in (("a.yaml", yaml.safe_dump), ("a.json", json.dumps)):
        [mapping] = bench.text(text({"event_source_mappings": [entry]}), name).mappings
        assert [json.loads(pattern) for pattern in mapping.filter_criteria] == [PATTERN, PATTERN]


def test_a_pattern_in_toml(bench):
    text = f"""
[[event_source_mappings]]
event_source_arn = "{QUEUE}"
function_name = "fn"
filter_criteria.filters = [{{pattern = {{body = {{n = [1, 2.5, true, "x"]}}}}}}]
"""
    [mapping] = bench.text(text, "a.toml").mappings
    assert mapping.filter_criteria == ('{"body":{"n":[1, 2.5, true, "x"]}}'.replace(", ", ","),)


def test_without_filters_everything_passes(bench):
    givens: tuple[Any, ...] = (None, {}, {"filters": []})
    for given in givens:
        text = yaml.safe_dump(
            {"event_source_mappings": [{"event_source_arn": QUEUE, "function_name": "f", "filter_criteria": given}]}
        )
        [mapping] = bench.text(text).mappings
        assert mapping.filter_criteria == ()
        assert mapping.criteria().match({}, "anything")


def test_what_looks_like_a_secret_or_a_name_of_ours_in_a_pattern_is_data(bench):
    [pattern] = criteria(bench, text_of({"body": {"env": ["HOME"]}}, name="m"))
    assert json.loads(pattern) == {"body": {"env": ["HOME"]}}
    [pattern] = criteria(bench, text_of({"body": {"file": {"Ref": ["x"]}}}))
    assert json.loads(pattern) == {"body": {"file": {"Ref": ["x"]}}}


def test_a_number_of_plain_yaml_keeps_all_its_digits(bench):
    [pattern] = criteria(bench, plain("{body: {n: [0.12345678901234567890123, 300.0, -1, 1.5e+3, null, true]}}"))
    assert pattern == '{"body":{"n":[0.12345678901234567890123,300.0,-1,1.5e+3,null,true]}}'
    matching = compile_filters([pattern], SQS_RECORDS)
    assert matching.match({}, '{"n": 0.12345678901234567890123}')
    assert not matching.match({}, '{"n": 0.12345678901234567}')


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("NO", "NO, which YAML reads as false"),
        ("on", "on, which YAML reads as true"),
        ("True", "True, which YAML reads as true"),
        ("1e3", "1e3, which YAML reads as text"),
        ("010", "010, which YAML reads as 8"),
        ("0x1F", "0x1F, which YAML reads as 31"),
        ("1_000", "1_000, which YAML reads as 1000"),
        ("12:30", "12:30, which YAML reads as 750"),
        ("2026-01-31", "2026-01-31, which YAML reads as 2026-01-31"),
        (".5", ".5, which YAML reads as 0.5"),
        ("~", "~, which YAML reads as null"),
    ],
)
def test_what_yaml_and_json_do_not_read_alike_is_refused_and_in_quotes_it_is_text(bench, written, meant):
    [problem] = bench.problems_of(plain(f"{{body: {{state: [ok, {written}]}}}}"))
    assert problem.startswith(
        "poller.yaml:7: event_source_mappings[0].filter_criteria.filters[0].pattern.body.state[1]: "
        f"Invalid filter pattern definition. is {meant}; put text in quotes"
    )
    [pattern] = criteria(bench, plain(f'{{body: {{state: [ok, "{written}"]}}}}'))
    assert json.loads(pattern) == {"body": {"state": ["ok", written]}}


def test_an_empty_value_is_refused(bench):
    [problem] = bench.problems_of(plain("{body: {state: [ok, ~], x: }}").replace("~", "b"))
    assert "pattern.body.x: Invalid filter pattern definition. is empty" in problem


def test_a_date_of_toml_is_refused(bench):
    text = f"""
[[event_source_mappings]]
event_source_arn = "{QUEUE}"
function_name = "fn"
filter_criteria.filters = [{{pattern = {{body = {{at = [2026-01-31]}}}}}}]
"""
    [problem] = bench.problems_of(text, "a.toml")
    assert "pattern.body.at[0]: Invalid filter pattern definition. 2026-01-31 is a date, not JSON" in problem


REFUSED = {
    "empty text": ("", "not JSON: it is empty"),
    "no JSON": ('{"body": [}', "not JSON: Expecting value at line 1, column 11"),
    "JSON that is no object": ("[1]", "a pattern is a JSON object, not a list"),
    "null": ("null", "a pattern is a JSON object, not null"),
    "no pattern at all": (5, "a pattern is JSON text or an object, not a number"),
    "an empty object": ("{}", "an empty object matches nothing"),
    "a leaf without a list": ('{"eventSource": "aws:sqs"}', "eventSource: must be a list of values or an object"),
    "an empty list": ({"body": {"a": []}}, ".pattern.body.a: Invalid filter pattern definition. an empty list"),
    "an unknown operator": (
        {"body": {"a": [{"prefx": "x"}]}},
        ".pattern.body.a[0]: Invalid filter pattern definition. unknown operator 'prefx'; did you mean 'prefix'?",
    ),
    "deep in an operator": (
        {"body": {"a.b": [{"numeric": [">", "5"]}]}},
        ".pattern.body.a.b[0].numeric[1]: Invalid filter pattern definition. needs a number",
    ),
    "in a branch of $or": (
        {"$or": [{"body": {"a": [[1]]}}, {"x": [1]}]},
        "filters[0].pattern: Invalid filter pattern definition. body.a[0]: a list inside a list",
    ),
    "too long": (json.dumps({"body": {"a": ["x" * 4096]}}), "characters; a pattern has at most 4,096"),
    "too long as YAML": ({"body": {"a": ["x" * 4096]}}, "characters; a pattern has at most 4,096"),
}


@pytest.mark.parametrize(("pattern", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_pattern_that_cannot_be_used_is_refused_with_its_place_and_reason(bench, pattern, reason):
    [problem] = bench.problems_of(text_of(pattern))
    assert problem.startswith("poller.yaml:")
    assert "event_source_mappings[0].filter_criteria.filters[0].pattern" in problem
    assert reason in problem


def test_all_that_is_wrong_is_reported_at_once_with_the_line_of_each(bench):
    text = plain("{body: {a: []}}") + "        - pattern:\n            body:\n              b: [{numeric: [5]}]\n"
    first, second = bench.problems_of(text)
    assert first.startswith("poller.yaml:7: ")
    assert second.startswith("poller.yaml:10: event_source_mappings[0].filter_criteria.filters[1].pattern.body.b[0]")


@pytest.mark.parametrize(
    ("filters", "reason"),
    [
        ([{"pattern": '{"a":[1]}'}] * 6, "filter_criteria.filters: may hold at most 5"),
        ([{}], "filters[0].pattern: is missing; it is required"),
        ([{"patern": "{}"}], "filters[0].patern: is not a known key; did you mean pattern?"),
        (["{}"], "filters[0]: must hold keys of its own"),
        ({"pattern": "{}"}, "filter_criteria.filters: must be a list"),
    ],
)
def test_filter_criteria_have_lambda_s_shape_and_limits(bench, filters, reason):
    problems = bench.problems_of(text_of(filter_criteria={"filters": filters}))
    assert any(reason in problem for problem in problems)


@pytest.mark.parametrize(("arn", "member"), [(STREAM, "data"), (TABLE, "dynamodb")])
def test_a_stream_s_payload_takes_no_plain_pattern(bench, arn, member):
    [problem] = bench.problems_of(text_of(json.dumps({member: ["x"]}), arn=arn))
    assert f"{member}: " in problem
    assert "records have JSON there; write an object of fields" in problem
    assert len(bench.text(text_of(json.dumps({member: {"a": ["x"]}}), arn=arn)).mappings) == 1


def test_messages_that_do_not_match_are_deleted_or_sent_to_another_queue(bench):
    for given, expected in (
        ({}, None),
        ({"on_no_match": "delete"}, None),
        ({"on_no_match": {"send_to": OTHER}}, OTHER),
    ):
        [mapping] = bench.text(text_of(PATTERN, **given)).mappings
        assert mapping.on_no_match == expected


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"on_no_match": "release"}, "on_no_match: is 'release'; it must be delete or {send_to: ARN}"),
        ({"on_no_match": {"sendto": OTHER}}, "on_no_match.sendto: is not a known key; did you mean send_to?"),
        ({"on_no_match": {"send_to": "unmatched"}}, "on_no_match.send_to: must be the ARN of an SQS queue"),
        ({"on_no_match": {"send_to": OTHER.replace("sqs", "sns")}}, "send_to: must be the ARN of an SQS queue"),
        ({"on_no_match": {"send_to": "arn:aws:s3:::bucket"}}, "send_to: must be the ARN of an SQS queue"),
        ({"on_no_match": {"send_to": STREAM}}, "send_to: must be the ARN of an SQS queue"),
        ({"on_no_match": {"send_to": QUEUE}}, "send_to: is the queue itself"),
        ({"on_no_match": {"send_to": OTHER + ".fifo"}}, "send_to: is a FIFO queue, and messages of a standard queue"),
        ({"on_no_match": {"send_to": OTHER}, "filter_criteria": None}, "on_no_match: needs filter_criteria"),
        ({"arn": STREAM, "on_no_match": {"send_to": OTHER}}, "on_no_match: is for SQS queues only"),
    ],
)
def test_another_target_is_refused_with_its_reason(bench, parameters, reason):
    pattern = {"data": {"a": [1]}} if "arn" in parameters else PATTERN
    problems = bench.problems_of(text_of(pattern, **parameters))
    assert any(reason in problem for problem in problems)


def test_a_fifo_queue_may_send_to_either_kind(bench):
    for target in (OTHER, OTHER + ".fifo"):
        text = text_of(PATTERN, arn=QUEUE + ".fifo", on_no_match={"send_to": target})
        assert bench.text(text).mappings[0].on_no_match == target


def two(first, second):
    entry = {"event_source_arn": QUEUE, "function_name": "one"} | first
    return yaml.safe_dump(
        {"event_source_mappings": [entry, {"event_source_arn": QUEUE, "function_name": "two"} | second]}
    )


def test_two_mappings_on_one_queue_are_warned_of(bench):
    [warning] = bench.text(two({}, {})).warnings
    assert warning.startswith("poller.yaml:")
    assert "'orders-two' receives from the same queue as 'orders-one' at poller.yaml:2" in warning
    assert warning.endswith("each message reaches only one of them")
    filtered = {"filter_criteria": {"filters": [{"pattern": PATTERN}]}}
    pairs: tuple[Any, ...] = ((filtered, {}), ({}, filtered))
    for pair in pairs:
        [warning] = bench.text(two(*pair)).warnings
        assert warning.endswith("and what the filters of one reject the other never sees")
    assert bench.text(two({}, {"enabled": False})).warnings == []
    assert bench.text(two({}, {"event_source_arn": OTHER})).warnings == []


@pytest.mark.parametrize(
    ("arn", "pattern", "said"),
    [
        (
            QUEUE,
            {"Body": {"a": [1]}},
            "asks for 'Body', which no record of an SQS queue has; the payload is under 'body'",
        ),
        (
            STREAM,
            {"kinesis": {"data": {"a": [1]}}},
            "'kinesis', which no record of a Kinesis stream has; the payload is",
        ),
        (TABLE, {"NewImage": {"a": {"S": ["x"]}}}, "'NewImage', which no record of a DynamoDB stream has; the payload"),
    ],
)
def test_a_member_no_record_has_is_warned_of(bench, arn, pattern, said):
    [warning] = bench.text(text_of(pattern, arn=arn)).warnings
    assert said in warning
    assert warning.startswith("poller.yaml:2: ")


@pytest.mark.parametrize(
    ("arn", "pattern"),
    [
        (QUEUE, {"body": ["x"], "messageAttributes": {"a": {"stringValue": ["x"]}}, "attributes": {"b": ["x"]}}),
        (STREAM, {"data": {"x": [1]}, "partitionKey": ["x"]}),
        (TABLE, {"eventName": ["INSERT"], "dynamodb": {"Keys": {"id": {"S": ["x"]}}}}),
    ],
)
def test_members_that_records_have_are_not(bench, arn, pattern):
    assert bench.text(text_of(pattern, arn=arn)).warnings == []
