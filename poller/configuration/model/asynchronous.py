"""The key `asynchronous` of a function: a queue that keeps events for callers that do not wait, and what follows."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from poller.configuration.model.fields import FilledText, Whole, Written, same_fields
from poller.destinations.kinds import check_destination, check_event_queue
from poller.policy.asynchronous import MOST_RETRIES, OLDEST_SECONDS, Rules

if TYPE_CHECKING:
    from poller.configuration.reading.explain import Report

KEY = "asynchronous"
DESTINATION = "ARN of a standard SQS queue, a standard SNS topic, an S3 bucket or an EventBridge event bus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asynchronous:
    queue: str
    """ARN."""
    maximum_retry_attempts: int = MOST_RETRIES
    maximum_event_age_in_seconds: int = OLDEST_SECONDS
    on_success: str | None = None
    """ARN."""
    on_failure: str | None = None

    @property
    def rules(self) -> Rules:
        return Rules(self.maximum_retry_attempts, self.maximum_event_age_in_seconds)

    @property
    def destinations(self) -> tuple[str, ...]:
        """ARNs of all that is sent to: events that are tried again go back to the queue."""
        return tuple(arn for arn in (self.queue, self.on_success, self.on_failure) if arn is not None)


class WrittenAsynchronous(Written):
    queue: FilledText = Field(
        examples=["arn:aws:sqs:eu-west-1:123456789012:events"],
        description="ARN of a standard SQS queue of the function's own, which keeps events until they are invoked",
    )
    maximum_retry_attempts: Whole = Field(
        default=MOST_RETRIES, ge=0, le=MOST_RETRIES, description="retries of an event, after one minute and two more"
    )
    maximum_event_age_in_seconds: Whole = Field(
        default=OLDEST_SECONDS, ge=60, le=OLDEST_SECONDS, description="seconds after which an event is given up"
    )
    on_success: FilledText | None = Field(default=None, description=f"where successes are told: {DESTINATION}")
    on_failure: FilledText | None = Field(
        default=None, description=f"where events that were given up are told: {DESTINATION}"
    )


def read_asynchronous(written: WrittenAsynchronous | None, report: "Report") -> Asynchronous | None:
    """What is wrong with it is reported."""
    if written is None:
        return None
    for key in ("queue", "on_success", "on_failure"):
        if (arn := getattr(written, key)) is not None:
            try:
                (check_event_queue if key == "queue" else check_destination)(arn)
            except ValueError as error:
                report.say(str(error), KEY, key)
    return Asynchronous(**same_fields(written, Asynchronous))
