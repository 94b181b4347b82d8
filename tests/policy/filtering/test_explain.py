"""Why a record passes or not."""

import json

from poller.policy.filtering import compile_filters, explain
from tests.policy.filtering.kinds import KINESIS_RECORDS, RECORDS, SQS_RECORDS


def clauses(patterns, payload, view=None, kind="sqs"):
    found = explain(compile_filters(patterns, RECORDS[kind]), view or {}, payload)
    return [(one.filter, one.path, one.wanted, one.found, one.holds) for one in found]


def test_each_condition_with_the_values_it_met():
    pattern = {
        "body": {"kind": ["order", {"prefix": "x"}], "total": [{"numeric": [">", 10]}], "gone": [{"exists": False}]}
    }
    assert clauses([pattern], '{"kind":"quote","total":[5,20]}') == [
        (0, "body.kind", '["order", {"prefix": "x"}]', ('"quote"',), False),
        (0, "body.total", '[{"numeric": [">", 10]}]', ("5", "20"), True),
        (0, "body.gone", '[{"exists": false}]', (), True),
    ]


def test_each_filter_and_each_condition_once():
    pattern = {"a": [1], "$or": [{"b": [2]}, {"c": [3]}]}
    found = clauses([pattern, {"a": [1]}], "", {"a": 1, "b": {"x": 1}}, "dynamodb")
    assert [(number, path, values, holds) for number, path, _, values, holds in found] == [
        (0, "a", ("1",), True),
        (0, "b", (), False),
        (0, "c", (), False),
        (1, "a", ("1",), True),
    ]


def test_says_when_conditions_hold_only_in_different_elements():
    found = explain(
        compile_filters([{"body": {"x": {"a": [1], "b": [2]}}}], SQS_RECORDS), {}, '{"x":[{"a":1},{"b":2}]}'
    )
    assert [clause.holds for clause in found] == [True, True, False]
    assert found[-1].path == ""
    assert "one element of the same array" in found[-1].note


def test_says_when_the_formats_do_not_agree():
    (fields,) = explain(compile_filters([{"body": {"a": [{"exists": False}]}}], SQS_RECORDS), {}, "text")
    assert fields.note == "the body is not JSON, the pattern asks for its fields"
    assert not fields.holds
    (text,) = explain(compile_filters([{"body": [{"exists": False}]}], SQS_RECORDS), {}, '{"a":1}')
    assert text.note == "the body is JSON, the pattern compares it as text"
    assert not text.holds
    (data,) = explain(compile_filters([{"data": {"a": [1]}}], KINESIS_RECORDS), {}, b"\xff")
    assert data.note == "the data is not JSON, the pattern asks for its fields"


def test_shows_a_few_values_and_not_too_much_of_each():
    (clause,) = explain(
        compile_filters([{"body": {"a": ["q"]}}], SQS_RECORDS), {}, json.dumps({"a": ["x" * 300, *range(9)]})
    )
    assert len(clause.found) == 5
    assert clause.found[0] == '"' + "x" * 199 + "…"


def test_shows_numbers_as_they_were_written():
    exact = "0.1234567890123456789"
    (clause,) = explain(compile_filters([f'{{"body":{{"a":[{exact}]}}}}'], SQS_RECORDS), {}, f'{{"a":{exact}}}')
    assert clause.found == (exact,)
    assert clause.wanted == f'["{exact}"]'
    assert clause.holds


def test_finds_values_under_names_with_dots():
    (clause,) = explain(compile_filters([{"body": {"a": {"b": [1]}}}], SQS_RECORDS), {}, '{"a.b":[[1],2],"c":3}')
    assert clause.found == ("1", "2")
    assert clause.holds
