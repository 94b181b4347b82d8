"""Parameters of a stream's mapping: ranges, defaults, cross-checks and what is refused, with what to do instead."""

import time
from datetime import date

import pytest
import yaml

from poller.configuration.model.mapping_keys import WrittenMapping
from poller.configuration.model.taken_parameters import AWS_PARAMETERS, OWN, REFUSED, not_for, takes
from poller.sources.kinds import KINDS as ROWS

STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/users/stream/2026-01-01T00:00:00.000"
KINESIS, DYNAMODB = "kinesis", "dynamodb"
ARNS = {KINESIS: STREAM, DYNAMODB: TABLE}
LATEST = {"name": "clicks", "starting_position": "LATEST"}
KINDS = pytest.mark.parametrize("kind", [KINESIS, DYNAMODB])


def mapping_text(arn=STREAM, **parameters):
    given = {"event_source_arn": arn, "function_name": "fn", **LATEST, **parameters}
    entry = {name: value for name, value in given.items() if value is not None}
    return yaml.safe_dump({"event_source_mappings": [entry]})


CONSUMER = STREAM + "/consumer/count:1700000000"


def test_a_consumer_names_its_stream_and_itself(bench):
    [mapping] = bench.text(mapping_text(CONSUMER)).mappings
    assert (mapping.event_source_arn, mapping.source.stream_arn) == (CONSUMER, STREAM)
    assert (mapping.source.fan_out, mapping.source.name, mapping.source.kind) == (True, "clicks", KINESIS)
    [polled] = bench.text(mapping_text(STREAM)).mappings
    assert (polled.source.fan_out, polled.source.stream_arn) == (False, STREAM)


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        ("deaggregate", True, "aggregates are always taken apart"),
        ("poll_interval_seconds", 1, "records are pushed"),
        ("idle_poll_interval_seconds", 1, "records are pushed"),
        ("aws", {"transport": "aiobotocore"}, "which aws.transport aiobotocore cannot subscribe with"),
    ],
)
def test_what_means_nothing_to_a_consumer_is_refused(bench, parameter, value, expected):
    [problem] = bench.problems_of(mapping_text(CONSUMER, **{parameter: value}))
    assert expected in problem


@KINDS
def test_defaults_are_lambda_s(bench, kind):
    [mapping] = bench.text(mapping_text(ARNS[kind])).mappings
    assert (mapping.source.kind, mapping.batch_size, mapping.maximum_batching_window_in_seconds) == (kind, 100, 0)
    assert (mapping.parallelization_factor, mapping.lanes) == (1, (1, 1))
    assert (mapping.maximum_retry_attempts, mapping.maximum_record_age_in_seconds) == (-1, -1)
    assert (mapping.bisect_batch_on_function_error, mapping.on_failure_destination) == (False, None)
    assert (mapping.poll_interval_seconds, mapping.on_stream_recreated) == (1.0, "stop")


def test_everything_lambda_takes_is_taken_in_its_own_spelling(bench):
    text = yaml.safe_dump(
        {
            "EventSourceMappings": None,
            "event_source_mappings": [
                {
                    "Name": "clicks",
                    "EventSourceArn": STREAM,
                    "FunctionName": "fn:live",
                    "StartingPosition": "AT_TIMESTAMP",
                    "StartingPositionTimestamp": "2026-01-31T12:00:00Z",
                    "BatchSize": 10000,
                    "ParallelizationFactor": 10,
                    "MaximumRetryAttempts": 10000,
                    "MaximumRecordAgeInSeconds": 604800,
                    "BisectBatchOnFunctionError": True,
                    "TumblingWindowInSeconds": 0,
                    "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sns:eu-west-1:123456789012:failed"}},
                }
            ],
        }
    ).replace("EventSourceMappings: null\n", "")
    [mapping] = bench.text(text).mappings
    assert mapping.starting_position_timestamp == 1769860800
    assert mapping.lanes == (10, 10)
    assert mapping.on_failure_destination == "arn:aws:sns:eu-west-1:123456789012:failed"


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"starting_position": None}, "starting_position: is missing; it can be TRIM_HORIZON, LATEST or AT_TIMESTAMP"),
        ({"starting_position": "NOW"}, "is 'NOW'; it must be 'TRIM_HORIZON', 'LATEST' or 'AT_TIMESTAMP'"),
        ({"starting_position": "AT_TIMESTAMP"}, "starting_position_timestamp: is missing; AT_TIMESTAMP needs it"),
        ({"starting_position_timestamp": 1}, "is for starting_position AT_TIMESTAMP only"),
        (
            {"starting_position": "AT_TIMESTAMP", "starting_position_timestamp": time.time() + 1e6},
            "starting_position_timestamp: is in the future",
        ),
        (
            {"starting_position": "AT_TIMESTAMP", "starting_position_timestamp": "yesterday"},
            "must be epoch seconds or ISO 8601",
        ),
        (
            {"starting_position": "AT_TIMESTAMP", "starting_position_timestamp": "2026-01-31T12:00:00"},
            "with its time zone",
        ),
        *(
            (
                {"starting_position": "AT_TIMESTAMP", "starting_position_timestamp": number},
                f"starting_position_timestamp: is {number}; it must be a finite number",
            )
            for number in (float("nan"), float("inf"), float("-inf"))
        ),
        ({"starting_position": "AT_TIMESTAMP", "starting_position_timestamp": -1}, "it must be at least 0"),
        (
            {"starting_position": "AT_TIMESTAMP", "starting_position_timestamp": date(2026, 1, 31)},
            "must be epoch seconds or ISO 8601 such as 2026-01-31T12:00:00Z, with its time zone",
        ),
        ({"name": None}, "name: is missing; a stream's position is kept by its mapping's name (or uuid)"),
        ({"parallelization_factor": 0}, "parallelization_factor: is 0; it must be at least 1"),
        ({"parallelization_factor": 11}, "it must be at most 10"),
        ({"maximum_retry_attempts": -2}, "it must be at least -1"),
        ({"maximum_retry_attempts": 10001}, "it must be at most 10000"),
        ({"maximum_record_age_in_seconds": 0}, "must be -1, without limit, or from 60 to 604,800"),
        ({"maximum_record_age_in_seconds": 59}, "must be -1, without limit, or from 60 to 604,800"),
        ({"maximum_record_age_in_seconds": 604801}, "it must be at most 604800"),
        ({"tumbling_window_in_seconds": 901}, "tumbling_window_in_seconds: is 901; it must be at most 900"),
        (
            {"tumbling_window_in_seconds": 30, "parallelization_factor": 2},
            "parallelization_factor: must be 1 with tumbling_window_in_seconds",
        ),
        (
            {"tumbling_window_in_seconds": 30, "filter_criteria": {"filters": [{"pattern": {"data": {"a": [1]}}}]}},
            "filter_criteria: cannot stand beside tumbling_window_in_seconds",
        ),
        ({"poll_interval_seconds": -1}, "it must be at least 0"),
        ({"on_stream_recreated": "shrug"}, "it must be 'stop', 'trim_horizon' or 'latest'"),
        (
            {"destination_config": {"on_success": {"destination": "x"}}},
            "destination_config.on_success: is not supported for event source mappings",
        ),
        (
            {"destination_config": {"on_failure": {"destination": "arn:aws:sqs:eu-west-1:123456789012:q.fifo"}}},
            "destination_config.on_failure.destination: is a FIFO queue or topic",
        ),
        ({"destination_config": {"on_failure": {"destination": "kafka://t"}}}, "is for Kafka mappings only"),
        ({"destination_config": {"on_failure": {"destination": "q"}}}, "must be the ARN of an SQS queue"),
    ],
)
def test_what_a_stream_s_mapping_may_not_say_is_refused_with_its_reason(bench, parameters, expected):
    problems = bench.problems_of(mapping_text(**parameters))
    assert any(expected in problem for problem in problems), problems
    assert all(problem.startswith("poller.yaml:") and "event_source_mappings[0]" in problem for problem in problems)


@KINDS
def test_a_tumbling_window_goes_with_every_rule_for_failures_and_with_an_empty_filter(bench, kind):
    parameters = {
        "tumbling_window_in_seconds": 900,
        "bisect_batch_on_function_error": True,
        "function_response_types": ["ReportBatchItemFailures"],
        "maximum_retry_attempts": 1,
        "maximum_record_age_in_seconds": 60,
        "filter_criteria": {"filters": []},
    }
    [mapping] = bench.text(mapping_text(ARNS[kind], **parameters)).mappings
    assert mapping.tumbling_window_in_seconds == 900


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        (STREAM + "/consumer/c", "does not end in stream/NAME/consumer/CONSUMER:CREATED"),
        (STREAM.replace("stream/", ""), "does not end in stream/NAME"),
        (TABLE.partition("/stream/")[0], "is the ARN of a table; write that of its stream"),
        (TABLE.replace("table/", ""), "does not end in table/NAME/stream/LABEL"),
    ],
)
def test_what_is_no_stream_to_read_is_refused(bench, arn, expected):
    [problem] = bench.problems_of(mapping_text(arn))
    assert expected in problem


def test_a_table_s_stream_has_no_positions_by_time(bench):
    problems = bench.problems_of(mapping_text(TABLE, starting_position="AT_TIMESTAMP", starting_position_timestamp=1))
    assert any("starting_position: AT_TIMESTAMP is not supported for a DynamoDB stream" in one for one in problems)
    assert any("starting_position_timestamp: is not supported for a DynamoDB stream" in one for one in problems)


@pytest.mark.parametrize(
    "destination",
    [
        "arn:aws:sqs:eu-west-1:123456789012:q",
        "arn:aws:s3:::failed.records",
        "arn:aws:events:eu-west-1:123456789012:event-bus/default",
    ],
)
def test_a_destination_is_a_queue_a_topic_a_bucket_or_an_event_bus(bench, destination):
    config = {"on_failure": {"destination": destination}}
    [mapping] = bench.text(mapping_text(destination_config=config)).mappings
    assert mapping.on_failure_destination == destination


@pytest.mark.parametrize(
    ("on_failure", "expected"),
    [
        ({"destination": ""}, "on_failure.destination: is ''; it must not be empty"),
        ({"destination": None}, "on_failure.destination: has no value; it must be text, or remove the key"),
        ({}, "on_failure.destination: is missing; it is required"),
    ],
)
def test_a_destination_that_names_nothing_is_refused(bench, on_failure, expected):
    [problem] = bench.problems_of(mapping_text(destination_config={"on_failure": on_failure}))
    assert expected in problem


@KINDS
def test_every_parameter_of_lambda_s_is_taken_or_refused_with_what_to_do_instead(bench, kind):
    row = ROWS[kind]
    for parameter in AWS_PARAMETERS:
        if takes(row, parameter):
            assert not_for(row, parameter) is None
            assert parameter in WrittenMapping.model_fields
            continue
        [problem] = bench.problems_of(mapping_text(ARNS[kind], **{parameter: 1}))
        assert (row.instead.get(parameter) or REFUSED[parameter]) in problem


@pytest.mark.parametrize("parameter", sorted(OWN))
def test_our_own_parameters_are_refused_where_they_mean_nothing(parameter):
    refused = [name for name, row in ROWS.items() if not_for(row, parameter)]
    polled, changes = [KINESIS, DYNAMODB], ["documentdb"]
    queue = ["sqs"]
    assert refused in (queue, queue + changes, [*polled, *changes], ["sqs", DYNAMODB, *changes], queue + polled)


def test_a_uuid_names_a_stream_s_mapping_as_well(bench):
    uuid = "0f9f3d7a-0000-4000-8000-000000000000"
    [mapping] = bench.text(mapping_text(name=None, uuid=uuid)).mappings
    assert (mapping.name, mapping.uuid) == ("clicks-fn", uuid)


def test_the_endpoint_of_a_table_s_stream_is_set_by_the_sdk_s_name_of_it(bench):
    services = {"services": {"dynamodbstreams": {"endpoint_url": "http://127.0.0.1:8000"}}}
    [mapping] = bench.text(mapping_text(TABLE, aws=services)).mappings
    assert mapping.endpoint_url == "http://127.0.0.1:8000"
