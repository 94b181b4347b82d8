"""An ordinary Lambda function of an SQS mapping: names the messages it could not do, and the others are deleted."""

import json
import logging

logger = logging.getLogger()
logger.setLevel(logging.INFO)


def handler(event, context):
    failed = []
    for record in event["Records"]:
        try:
            order = json.loads(record["body"])
            logger.info("order %s, with %d ms left", order["order"], context.get_remaining_time_in_millis())
        except (ValueError, TypeError, KeyError):
            logger.exception("message %s is no order", record["messageId"])
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
