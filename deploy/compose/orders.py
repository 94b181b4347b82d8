"""Run by the local AWS once it is up: makes the queue with its dead-letter queue, and puts orders into it."""

import json
import os

from botocore.session import Session

ORDERS = 100
VISIBILITY_SECONDS = "5"

sqs = Session().create_client(
    "sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"], region_name=os.environ["AWS_DEFAULT_REGION"]
)
dead = sqs.create_queue(QueueName="orders-dead")["QueueUrl"]
arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
orders = sqs.create_queue(
    QueueName="orders", Attributes={"VisibilityTimeout": VISIBILITY_SECONDS, "RedrivePolicy": redrive}
)["QueueUrl"]
for number in range(ORDERS):
    sqs.send_message(QueueUrl=orders, MessageBody=json.dumps({"number": number}))
