"""An EventBridge event bus as destination: the invocation record is the detail of an event, as Lambda puts it."""

from typing import Any

from poller.aws.port import AWS_JSON_1_1, Operation, Transport
from poller.policy.invocation_record import succeeded
from poller.support import codec
from poller.values.errors import AnswerLost, ServiceError

PUT = Operation("events", "PutEvents", "AWSEvents.PutEvents", AWS_JSON_1_1, timeout=15.0)
SOURCE = "lambda"
SUCCESS = "Lambda Function Invocation Result - Success"
FAILURE = "Lambda Function Invocation Result - Failure"

_FAULTS_OF_THE_SERVICE = ("InternalFailure", "InternalException", "InternalServiceError", "ServiceUnavailable")


class EventBusDestination:
    """An event bus. After a lost answer an event is put twice, because a lost one would be worse."""

    def __init__(self, arn: str, transport: Transport) -> None:
        self.name = arn
        self._transport = transport

    async def send(self, record: dict[str, Any], *, batch_event: bytes, shard_id: str, now: float) -> None:  # noqa: ARG002 - metadata only
        entry = {
            "Source": SOURCE,
            "Resources": [self.name, record["requestContext"]["functionArn"]],
            "DetailType": SUCCESS if succeeded(record) else FAILURE,
            "Detail": codec.dumps(record).decode(),
            "EventBusName": self.name,
        }
        reply = await self._transport.call(PUT, codec.dumps({"Entries": [entry]}))
        _check(reply.body)


def _check(body: bytes) -> None:
    """A 200 may say that the event was not taken. Raises CallError unless the answer names the one event as taken."""
    try:
        [entry] = codec.loads(body)["Entries"]
        event_id, code, message = (entry.get(name) for name in ("EventId", "ErrorCode", "ErrorMessage"))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AnswerLost(f"the answer is none to PutEvents: {body[:80]!r}") from error
    if code:
        raise ServiceError(500 if code in _FAULTS_OF_THE_SERVICE else 400, str(code)[:100], str(message or "")[:500])
    if not event_id:
        raise AnswerLost(f"the answer names the event neither as taken nor as refused: {body[:80]!r}")
