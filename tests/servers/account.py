"""An account on a local AWS server: where it is, as whom to call it, and what a test does there by hand."""

import functools
import json
from dataclasses import dataclass, field
from typing import Any

import botocore.session
from botocore.config import Config


@functools.cache
def _session() -> Any:
    """One for all: loading the service models costs more than most tests."""
    return botocore.session.Session()


@dataclass(slots=True)
class Account:
    url: str
    account: str
    region: str = "eu-west-1"
    access_key: str = ""
    """Defaults to the account id, which MiniStack takes for the account."""
    _clients: dict[str, Any] = field(default_factory=dict)

    def client_arguments(self) -> dict[str, Any]:
        """For `create_client` of botocore, boto3 and aiobotocore."""
        return {
            "endpoint_url": self.url,
            "region_name": self.region,
            "aws_access_key_id": self.access_key or self.account,
            "aws_secret_access_key": "secret",
        }

    def environment(self) -> dict[str, str]:
        """For a process that reads the SDK's own variables."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key or self.account,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str) -> Any:
        """A blocking client without retries, closed with the test."""
        if service not in self._clients:
            config = Config(retries={"total_max_attempts": 1}, max_pool_connections=50)
            self._clients[service] = _session().create_client(service, config=config, **self.client_arguments())
        return self._clients[service]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def queue_arn(self, name: str) -> str:
        return f"arn:aws:sqs:{self.region}:{self.account}:{name}"

    def create_queue(self, name: str, *, dead_letter: str = "", max_receive_count: int = 0, **attributes: Any) -> str:
        """Create a queue (FIFO by its name) and return its URL. `attributes` are SQS's own; `dead_letter` is a name."""
        if name.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        if dead_letter:
            policy = {"deadLetterTargetArn": self.queue_arn(dead_letter), "maxReceiveCount": max_receive_count}
            attributes["RedrivePolicy"] = json.dumps(policy)
        texts = {key: str(value) for key, value in attributes.items()}
        url: str = self.client("sqs").create_queue(QueueName=name, Attributes=texts)["QueueUrl"]
        return url

    def send(self, url: str, body: str, **parameters: Any) -> str:
        """Send one message and return its id; `parameters` are SendMessage's own."""
        sent = self.client("sqs").send_message(QueueUrl=url, MessageBody=body, **parameters)
        identifier: str = sent["MessageId"]
        return identifier

    def send_batch(self, url: str, bodies: list[str], group: str | None = None) -> dict[str, str]:
        """Send any number of messages, ten at a time; message ids by body."""
        sent: dict[str, str] = {}
        for start in range(0, len(bodies), 10):
            entries = [
                {"Id": str(n), "MessageBody": body}
                | ({} if group is None else {"MessageGroupId": group, "MessageDeduplicationId": body[:128]})
                for n, body in enumerate(bodies[start : start + 10])
            ]
            answer = self.client("sqs").send_message_batch(QueueUrl=url, Entries=entries)
            assert not answer.get("Failed"), answer
            sent |= {bodies[start + int(one["Id"])]: one["MessageId"] for one in answer["Successful"]}
        return sent

    def counts(self, url: str) -> tuple[int, int]:
        """About how many messages are visible, and in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        values = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return int(values[names[0]]), int(values[names[1]])
