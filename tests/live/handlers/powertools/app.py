"""Functions as people write them with Powertools for AWS Lambda: one record at a time, its batch processor does the rest."""

import os
from pathlib import Path

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    SqsFifoPartialProcessor,
    process_partial_response,
)

SEEN = Path(os.environ["SEEN"])


def work(identifier, text):
    """Fails at first where it is told to."""
    tried = SEEN / f"tried-{identifier}"
    if text.startswith("fail") and not tried.exists():
        tried.touch()
        raise ValueError(f"{text}: not yet")
    (SEEN / f"done-{text.replace(' ', '-')}").touch()


def message(record):
    work(record.message_id, record.body)


def change(record):
    work(record.dynamodb.sequence_number, record.dynamodb.new_image["text"])


def data(record):
    work(record.kinesis.sequence_number, record.kinesis.data_as_text())


sqs = BatchProcessor(event_type=EventType.SQS)
fifo = SqsFifoPartialProcessor()
kinesis = BatchProcessor(event_type=EventType.KinesisDataStreams)
dynamodb = BatchProcessor(event_type=EventType.DynamoDBStreams)


def on_sqs(event, context):
    return process_partial_response(event=event, record_handler=message, processor=sqs, context=context)


def on_fifo(event, context):
    return process_partial_response(event=event, record_handler=message, processor=fifo, context=context)


def on_kinesis(event, context):
    return process_partial_response(event=event, record_handler=data, processor=kinesis, context=context)


def on_dynamodb(event, context):
    return process_partial_response(event=event, record_handler=change, processor=dynamodb, context=context)
