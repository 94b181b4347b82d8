"""Parameters of a mapping: ranges, defaults, cross-checks, refusals, and both spellings."""

import uuid
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poller.configuration import load
from poller.configuration.model.mapping import default_uuid
from poller.configuration.model.mapping_keys import WrittenMapping
from poller.configuration.model.taken_parameters import AWS_PARAMETERS, COMMON, OWN, REFUSED, not_for
from poller.configuration.reading.spelling import snake_case
from poller.sources.kinds import KINDS
from poller.sources.sqs import SQS_KIND

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
FIFO = QUEUE + ".fifo"
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"


def mapping_text(arn: str = QUEUE, **parameters) -> str:
    entry = {"event_source_arn": arn, "function_name": "fn", **parameters}
    return yaml.safe_dump({"event_source_mappings": [entry]})


REFUSALS = [
    ({"batch_size": 0}, "batch_size: is 0; it must be at least 1"),
    ({"batch_size": 10001}, "batch_size: is 10001; it must be at most 10000"),
    ({"batch_size": True}, "batch_size: is true; it must be a number, not true or false"),
    ({"batch_size": "many"}, "batch_size: is 'many'; it must be a whole number"),
    ({"batch_size": 1.5}, "batch_size: is 1.5; it must be a whole number"),
    ({"batch_size": 11}, "batch_size: is more than 10, which needs maximum_batching_window_in_seconds of 1 or more"),
    ({"maximum_batching_window_in_seconds": 301}, "it must be at most 300"),
    ({"maximum_batching_window_in_seconds": None}, "has no value; it must be a whole number, or remove the key"),
    ({"enabled": "perhaps"}, "enabled: is 'perhaps'; it must be true or false"),
    (
        {"function_response_types": ["Bad"]},
        "function_response_types[0]: is 'Bad'; it must be 'ReportBatchItemFailures'",
    ),
    ({"function_response_types": ["ReportBatchItemFailures"] * 2}, "function_response_types: may hold at most 1"),
    ({"function_response_types": "ReportBatchItemFailures"}, "it must be a list"),
    ({"scaling_config": {"maximum_concurrency": 1}}, "maximum_concurrency: is 1; it must be at least 2"),
    ({"scaling_config": {"maximum_concurrency": 1001}}, "it must be at most 1000"),
    ({"scaling_config": 5}, "scaling_config: is 5; it must hold keys of its own"),
    ({"provisioned_poller_config": {}}, "needs minimum_pollers, maximum_pollers or both"),
    ({"provisioned_poller_config": {"minimum_pollers": 1}}, "it must be at least 2"),
    ({"provisioned_poller_config": {"minimum_pollers": 201}}, "it must be at most 200"),
    ({"provisioned_poller_config": {"maximum_pollers": 10001}}, "it must be at most 10000"),
    (
        {"provisioned_poller_config": {"minimum_pollers": 9, "maximum_pollers": 3}},
        "maximum_pollers: must be at least minimum_pollers, which is 9",
    ),
    ({"provisioned_poller_config": {"minimum_pollers": 2, "poller_group_name": "g"}}, "poller_group_name: is not"),
    (
        {"provisioned_poller_config": {"maximum_pollers": 5}, "scaling_config": {"maximum_concurrency": 5}},
        "cannot stand beside scaling_config.maximum_concurrency",
    ),
    ({"metrics_config": {"metrics": ["KafkaMetrics"]}}, "metrics[0]: KafkaMetrics is for Kafka sources"),
    ({"metrics_config": {"metrics": ["Nonsense"]}}, "metrics[0]: is 'Nonsense'"),
    ({"tags": [{"Key": "a"}]}, "tags: must be names and values"),
    ({"name": "a/b"}, "name: is 'a/b'; it must be 1 to 256 letters"),
    ({"name": 7}, "name: is 7; it must be text, in quotes"),
    ({"uuid": "7"}, "uuid: is '7'; it must be a UUID"),
    ({"function_name": ""}, "function_name: is ''; it must not be empty"),
    ({"function_name": "no function!"}, "is neither a function's name"),
    ({"function_name": "arn:aws:lambda:eu-west-1:123456789012:fn"}, "is neither a function's name"),
    ({"maximum_hold_seconds": 42301}, "it must be at most 42300"),
    ({"receive_wait_seconds": 0}, "it must be at least 1"),
    ({"receive_wait_seconds": 21}, "it must be at most 20"),
    ({"failure_visibility_timeout_seconds": -1}, "it must be at least 0"),
    ({"fifo_stop_at_first_failure": True}, "is for FIFO queues only"),
    ({"max_bytes_in_flight": "64 apples"}, "is '64 apples'; it must be a size"),
    ({"max_bytes_in_flight": "1 KiB"}, "it must be at least 1048576"),
    ({"batch_sizes": 3}, "batch_sizes: is not a known key; did you mean batch_size?"),
    ({"aws": {"regionn": "x"}}, "aws.regionn: is not a known key; did you mean region?"),
    ({"aws": {"endpoint_url": "localhost:4566"}}, "aws.endpoint_url: is 'localhost:4566'; it must be a URL"),
    ({"aws": {"transport": "carrier pigeon"}}, "it must be 'lean' or 'aiobotocore'"),
]


@pytest.mark.parametrize(("parameters", "expected"), REFUSALS)
def test_what_a_queue_s_mapping_may_not_say_is_refused_with_its_reason(bench, parameters, expected):
    problems = bench.problems_of(mapping_text(**parameters))
    assert any(expected in problem for problem in problems), problems
    assert all(problem.startswith("poller.yaml:") and "event_source_mappings[0]" in problem for problem in problems)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"batch_size": 11}, "batch_size: must be at most 10 for a FIFO queue"),
        ({"maximum_batching_window_in_seconds": 1}, "maximum_batching_window_in_seconds: is not supported for FIFO"),
        ({"fifo_stop_at_first_failure": True}, "needs partial batch responses"),
    ],
)
def test_what_a_fifo_queue_does_not_allow_is_refused(bench, parameters, expected):
    [problem] = bench.problems_of(mapping_text(FIFO, **parameters))
    assert expected in problem


@pytest.mark.parametrize("parameter", sorted({*SQS_KIND.instead, *REFUSED} - OWN))
def test_every_parameter_a_queue_does_not_take_is_refused_with_what_to_do_instead(bench, parameter):
    parameters: dict[str, Any] = {parameter: 1}
    [problem] = bench.problems_of(mapping_text(**parameters))
    assert f"event_source_mappings[0].{parameter}: is not supported" in problem
    assert (SQS_KIND.instead.get(parameter) or REFUSED[parameter]) in problem


def test_every_parameter_a_queue_takes_has_a_field():
    taken = COMMON | SQS_KIND.takes
    assert taken <= set(WrittenMapping.model_fields)
    assert all(not_for(SQS_KIND, name) is None for name in taken)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_takes_a_parameter_of_lambda_s_or_has_advice_on_it(kind):
    assert not kind.takes & kind.instead.keys()
    assert COMMON.union(kind.takes, kind.instead.keys() - OWN, REFUSED) == AWS_PARAMETERS
    assert not kind.own & AWS_PARAMETERS


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        ("arn:aws:rds:eu-west-1:123456789012:db:c", "does not end in cluster:NAME, as the ARN of a DocumentDB cluster"),
        ("arn:aws:kafka:eu-west-1:123456789012:cluster/c", "is an ARN of 'kafka', which is not an event source here"),
        ("arn:aws:kafka:eu-west-1:123456789012:cluster/c", "it can be one of sqs, kinesis, dynamodb, rds\n"),
        ("arn:aws:kinesis:::stream/s", "write the whole ARN, arn:aws:kinesis:REGION:ACCOUNT:stream/s"),
        ("orders", "is not an ARN"),
        ("arn:aws:sqs:::orders", "names no region or no account"),
        ("arn:aws:sqs:eu-west-1:123456789012:a/b", "does not end in a queue's name"),
    ],
)
def test_other_sources_are_refused(bench, arn, expected):
    [problem] = bench.problems_of(mapping_text(arn))
    assert "event_source_mappings[0].event_source_arn: " in problem
    assert expected in problem + "\n"


@pytest.mark.parametrize(
    ("url", "arn"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/q", "arn:aws:sqs:eu-west-1:123456789012:q"),
        (
            "https://sqs-fips.us-gov-west-1.amazonaws.com/123456789012/q",
            "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:q",
        ),
        (
            "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q.fifo",
            "arn:aws-cn:sqs:cn-north-1:123456789012:q.fifo",
        ),
        ("https://eu-west-1.queue.amazonaws.com/123456789012/q", "arn:aws:sqs:eu-west-1:123456789012:q"),
        ("https://queue.amazonaws.com/123456789012/q", "arn:aws:sqs:REGION:123456789012:q"),
        ("http://127.0.0.1:4566/000000000000/q", "arn:aws:sqs:REGION:000000000000:q"),
        ("http://localhost:4566/queue/us-east-1/000000000000/q", "arn:aws:sqs:REGION:000000000000:q"),
        (
            "http://sqs.us-east-1.localhost.localstack.cloud:4566/000000000000/q",
            "arn:aws:sqs:us-east-1:000000000000:q",
        ),
    ],
)
def test_a_queue_s_url_is_answered_by_the_arn_it_implies(bench, url, arn):
    for parameters in (
        {"arn": url},
        {"on_no_match": {"send_to": url}, "filter_criteria": {"filters": [{"pattern": {"body": ["a"]}}]}},
    ):
        [problem] = bench.problems_of(mapping_text(**parameters))
        assert problem.endswith(f"; that is a queue's URL: write {arn}")
    stream = {"name": "s", "starting_position": "LATEST", "destination_config": {"on_failure": {"destination": url}}}
    [problem] = bench.problems_of(mapping_text("arn:aws:kinesis:eu-west-1:123456789012:stream/s", **stream))
    assert problem.endswith(f"; that is a queue's URL: write {arn}")


@pytest.mark.parametrize(
    ("parameters", "hint"),
    [
        ({"arn": "https://example.com/x"}, "; that is a URL"),
        (
            {"function_name": "https://abc.lambda-url.eu-west-1.on.aws/"},
            "define a function of type function_url or http",
        ),
    ],
)
def test_any_other_url_is_named_as_one(bench, parameters, hint):
    [problem] = bench.problems_of(mapping_text(**parameters))
    assert hint in problem


@pytest.mark.parametrize(
    "arn",
    [
        "orders",
        "arn:aws:kafka:eu-west-1:123456789012:cluster/c",
        "arn:aws:kinesis:eu-west-1:12345:table/clicks",
        "arn:aws:dynamodb:eu-west-1:123456789012:table/t",
        "https://sqs.eu-west-1.amazonaws.com/123456789012/q",
        None,
    ],
)
@pytest.mark.parametrize("parameter", sorted(AWS_PARAMETERS - {"event_source_arn", "function_name", *REFUSED}))
def test_a_source_that_cannot_be_read_is_the_only_finding_that_rests_on_it(bench, arn, parameter):
    """Whether a parameter is for a source is not known where the source is not."""
    fitting = {"enabled": True, "tags": {}, "starting_position": "LATEST", "function_response_types": []}
    value = fitting.get(parameter, {} if WrittenMapping.model_fields.get(parameter) is None else None)
    given = {parameter: value} if value is not None else {}
    problems = bench.problems_of(mapping_text(arn, **given))
    assert [problem.split(": ")[1] for problem in problems] == ["event_source_mappings[0].event_source_arn"]


def test_what_is_missing_is_named(bench):
    problems = bench.problems_of("event_source_mappings:\n  - name: a\n")
    assert problems == [
        "poller.yaml:2: event_source_mappings[0].event_source_arn: is missing; it is required",
        "poller.yaml:2: event_source_mappings[0].function_name: is missing; it is required",
    ]


def test_defaults_are_lambda_s(bench):
    [mapping] = bench.text(mapping_text()).mappings
    assert (mapping.enabled, mapping.batch_size, mapping.maximum_batching_window_in_seconds) == (True, 10, 0)
    assert (mapping.report_batch_item_failures, mapping.lanes) == (False, (5, 1250))
    assert (mapping.maximum_hold_seconds, mapping.failure_visibility_timeout_seconds) == (42300, None)
    assert mapping.receive_wait_seconds == 20
    assert mapping.max_bytes_in_flight == 64 * 1024 * 1024
    assert (mapping.name, mapping.uuid) == ("orders-fn", default_uuid("orders-fn"))
    assert mapping.uuid == str(uuid.uuid5(uuid.NAMESPACE_URL, "poller:orders-fn"))


@pytest.mark.parametrize(
    ("parameters", "lanes"),
    [
        ({"scaling_config": {"maximum_concurrency": 2}}, (2, 2)),
        ({"scaling_config": {"maximum_concurrency": 20}}, (5, 20)),
        ({"scaling_config": {}}, (5, 1250)),
        ({"provisioned_poller_config": {"minimum_pollers": 3}}, (30, 2000)),
        ({"provisioned_poller_config": {"maximum_pollers": 7}}, (20, 70)),
        ({"provisioned_poller_config": {"minimum_pollers": 2, "maximum_pollers": 2}}, (20, 20)),
        ({"function_name": "web"}, (5, 10)),
        ({"function_name": "narrow"}, (3, 3)),
        ({"function_name": "narrow", "scaling_config": {"maximum_concurrency": 2}}, (2, 2)),
    ],
)
def test_lanes_follow_scaling_pollers_and_the_function_s_concurrency(bench, parameters, lanes):
    functions = """
functions:
  web: {type: http, url: "http://127.0.0.1:1/"}
  narrow: {type: lambda, function_name: n, concurrency: 3}
"""
    [mapping] = bench.text(mapping_text(**parameters) + functions).mappings
    assert mapping.lanes == lanes


@pytest.mark.parametrize(
    "parameters",
    [
        {"batch_size": 10_000, "maximum_batching_window_in_seconds": 300},
        {"batch_size": "10"},
        {"filter_criteria": {"filters": []}},
        {"filter_criteria": {}},
        {"function_response_types": []},
        {"metrics_config": {"metrics": ["EventCount"]}},
        {"maximum_hold_seconds": 42300, "failure_visibility_timeout_seconds": 0},
    ],
)
def test_the_ends_of_the_ranges_are_allowed(bench, parameters):
    assert len(bench.text(mapping_text(**parameters)).mappings) == 1


def test_cloudformation_s_form_of_tags_is_the_api_s_map(bench):
    [mapping] = bench.text(mapping_text(Tags=[{"Key": "BatchSize", "Value": "x"}])).mappings
    [same] = bench.text(mapping_text(tags={"BatchSize": "x"})).mappings
    assert mapping.tags == same.tags == {"BatchSize": "x"}


@pytest.mark.parametrize(
    ("pascal", "snake"),
    [
        ("BatchSize", "batch_size"),
        ("KMSKeyArn", "kms_key_arn"),
        ("DocumentDBEventSourceConfig", "document_db_event_source_config"),
        ("MaximumBatchingWindowInSeconds", "maximum_batching_window_in_seconds"),
        ("batch_size", "batch_size"),
        ("Batch-Size", "Batch-Size"),
    ],
)
def test_aws_names_become_snake_case(pascal, snake):
    assert snake_case(pascal) == snake


def test_both_spellings_of_one_key_in_one_place_are_an_error_naming_both(bench):
    [problem] = bench.problems_of(mapping_text(batch_size=3, BatchSize=3))
    assert "event_source_mappings[0].batch_size: is the same key as BatchSize at poller.yaml:2" in problem


def pascal_case(value):
    if isinstance(value, dict):
        return {
            "".join(word.title() for word in key.split("_")): (child if key == "tags" else pascal_case(child))
            for key, child in value.items()
        }
    return value


PARAMETERS = st.fixed_dictionaries(
    {"event_source_arn": st.just(QUEUE), "function_name": st.sampled_from(["fn", "fn:live", "fn:$LATEST", "fn:7"])},
    optional={
        "enabled": st.booleans(),
        "batch_size": st.integers(1, 10),
        "maximum_batching_window_in_seconds": st.integers(0, 300),
        "function_response_types": st.sampled_from([[], ["ReportBatchItemFailures"]]),
        "scaling_config": st.fixed_dictionaries({"maximum_concurrency": st.integers(2, 1000)}),
        "metrics_config": st.just({"metrics": ["EventCount"]}),
        "tags": st.dictionaries(st.sampled_from(["BatchSize", "batch_size", "Team"]), st.just("x")),
        "filter_criteria": st.just({"filters": []}),
    },
)


@given(parameters=PARAMETERS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_mapping_means_the_same_in_either_spelling(tmp_path, parameters):
    loaded = []
    for entry in (parameters, pascal_case(parameters)):
        path = tmp_path / "poller.yaml"
        path.write_text(yaml.safe_dump({"event_source_mappings": [entry]}))
        loaded.append(load([path], environ={}).mappings)
    assert loaded[0] == loaded[1]
    assert loaded[0][0].batch_size == parameters.get("batch_size", 10)
    assert loaded[0][0].tags == parameters.get("tags", {})


@pytest.mark.parametrize(
    ("arn", "parameters", "expected"),
    [
        (QUEUE, {"shadow_function_name": "fn"}, "shadow_function_name: is the function of the mapping itself"),
        (QUEUE, {"shadow_function_name": "no name"}, "shadow_function_name: "),
        (QUEUE, {"shadow": True}, "name a second function by shadow_function_name"),
        (
            STREAM,
            {"name": "a", "starting_position": "LATEST", "shadow": True, "shadow_function_name": "next"},
            "which has no shadow of its own",
        ),
    ],
)
def test_a_shadow_that_cannot_be_is_refused_with_what_to_do_instead(bench, arn, parameters, expected):
    [problem] = bench.problems_of(mapping_text(arn, **parameters))
    assert expected in problem


def test_a_second_function_is_one_of_the_configuration_or_of_lambda(bench):
    text = (
        mapping_text(QUEUE, shadow_function_name="next")
        + "functions:\n  next: {type: http, url: 'http://127.0.0.1/'}\n"
    )
    (mapping,) = bench.text(text).mappings
    assert [(one.key, one.type) for one in mapping.functions] == [("fn", "lambda"), ("next", "http")]
    (mapping,) = bench.text(mapping_text(QUEUE, shadow_function_name="next:live")).mappings
    assert [(one.key, one.type) for one in mapping.functions] == [("fn", "lambda"), ("next:live", "lambda")]
