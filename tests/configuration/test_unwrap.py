"""`unwrap` on a mapping: its batches hold one message, and what cannot stand beside it."""

import pytest
import yaml

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"


def text_of(arn=QUEUE, **parameters):
    entry = {"event_source_arn": arn, "function_name": "fn", **parameters}
    return yaml.safe_dump({"event_source_mappings": [entry]})


def test_without_it_messages_are_handed_over_in_batches_and_with_it_one_by_one(bench):
    [mapping] = bench.text(text_of()).mappings
    assert (mapping.unwrap, mapping.batch_size) == (None, 10)
    for more in ({}, {"batch_size": 1}):
        [mapping] = bench.text(text_of(unwrap="auto", **more)).mappings
        assert (mapping.unwrap, mapping.batch_size) == ("auto", 1)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"unwrap": "kafka"}, "unwrap: is 'kafka'; it must be 'auto', 'sns', 's3', 'eventbridge'"),
        ({"unwrap": "s3", "batch_size": 5}, "batch_size: must be 1 with unwrap"),
        (
            {"unwrap": "s3", "function_response_types": ["ReportBatchItemFailures"]},
            "function_response_types: is for a function that gets a batch of messages",
        ),
        (
            {"unwrap": "s3", "arn": STREAM, "name": "m", "starting_position": "LATEST"},
            "unwrap: is for SQS queues only; remove it",
        ),
    ],
)
def test_what_cannot_stand_beside_it_is_refused(bench, parameters, reason):
    problems = bench.problems_of(text_of(**parameters))
    assert any(reason in problem for problem in problems), problems
