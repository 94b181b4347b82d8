"""Reads orders from requests, and writes what became of them: `POST /mappings/NAME/ORDER`, `GET /actions`."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from poller.daemon.api.moments import iso
from poller.daemon.api.shown_reasons import mapping_reason, reason_text, state_of
from poller.daemon.api.status_json import Json
from poller.policy.action_words import ending, progress
from poller.policy.actions import (
    LONGEST_NAME,
    LONGEST_TEXT,
    Action,
    Asked,
    HandOver,
    Isolate,
    Order,
    Pause,
    Peek,
    Redrive,
    Rerun,
    Resume,
    Retry,
    Seek,
    Skip,
    Undo,
    what_of,
)
from poller.policy.beside import From, Which
from poller.policy.redriving import Redriven
from poller.policy.seeking import Target
from poller.ports.steering import Acted
from poller.support import codec

Partition = Annotated[str, Field(max_length=200)]


class Body(BaseModel):
    """What every order may say."""

    model_config = ConfigDict(extra="forbid", strict=True)

    dry_run: bool = False
    who: str = Field("", max_length=LONGEST_NAME)
    why: str = Field("", max_length=LONGEST_TEXT)

    def asked(self, via: str) -> Asked:
        """Who asks, and why."""
        return Asked(self.who, via, self.why)

    def order(self) -> Order:
        """The order itself."""
        raise NotImplementedError


class PauseBody(Body):
    def order(self) -> Order:
        return Pause()


class ResumeBody(Body):
    def order(self) -> Order:
        return Resume()


class OfBatchBody(Body):
    partition: Partition | None = None
    lane: int | None = None
    first: Partition | None = None


class RetryBody(OfBatchBody):
    reset_attempts: bool = False

    def order(self) -> Order:
        return Retry(self.partition, self.lane, self.first, self.reset_attempts)


class SkipBody(OfBatchBody):
    drop: bool = False

    def order(self) -> Order:
        return Skip(self.partition, self.lane, self.first, self.drop)


class IsolateBody(OfBatchBody):
    key: Annotated[str | None, Field(max_length=2_000)] = None
    drop: bool = False

    def order(self) -> Order:
        return Isolate(self.partition, self.lane, self.first, self.key, self.drop)


class HandOverBody(OfBatchBody):
    function: Annotated[str, Field(max_length=200)]

    def order(self) -> Order:
        return HandOver(self.partition, self.lane, self.first, self.function)


class SeekBody(Body):
    partition: Partition | None = None
    to: Literal["TRIM_HORIZON", "LATEST"] | None = None
    timestamp: str | float | None = None
    sequence_number: Partition | None = None

    def order(self) -> Order:
        wanted = [self.to, self.timestamp, self.sequence_number]
        if wanted.count(None) != 2:
            raise ValueError("say one of to, timestamp and sequence_number")
        if self.to is not None:
            return Seek(Target(self.to, shard=self.partition))
        if self.timestamp is not None:
            return Seek(Target("AT_TIMESTAMP", timestamp=_instant(self.timestamp), shard=self.partition))
        return Seek(Target("AT_SEQUENCE_NUMBER", sequence_number=self.sequence_number, shard=self.partition))


class PeekBody(Body):
    partition: Partition | None = None
    trim_horizon: bool = False
    timestamp: str | float | None = None
    sequence_number: Partition | None = None
    most: Annotated[int, Field(ge=1, le=100)] = 10
    pattern: Annotated[str | None, Field(max_length=10_000)] = None
    event: bool = False
    of: Which = "source"

    def order(self) -> Order:
        if self.of != "source" and (self.partition or self.trim_horizon or self.timestamp or self.sequence_number):
            raise ValueError("where a look begins is for a shard, and not for dead letters or a destination")
        begin = From() if self.trim_horizon else None
        if self.timestamp is not None:
            begin = From("AT_TIMESTAMP", timestamp=_instant(self.timestamp))
        if self.sequence_number is not None:
            begin = From("AT_SEQUENCE_NUMBER", sequence_number=self.sequence_number)
        return Peek(self.partition, begin, self.most, self.pattern or None, self.event, self.of)


class RedriveBody(Body):
    of: Which = "source"
    partition: Partition | None = None
    begin: str | float | None = None
    end: str | float | None = None
    rate: Annotated[float, Field(gt=0, le=10_000)] = 10.0
    batch: Annotated[int | None, Field(ge=1, le=10_000)] = None
    resume: bool = False
    pass_over: bool = False
    stop: bool = False

    def order(self) -> Order:
        interval = self.begin is not None or self.end is not None
        if (self.resume or self.stop) and (interval or self.partition or self.batch or self.of != "source"):
            raise ValueError("resume and stop are about the last redrive as it began: say nothing of what it takes")
        if self.of != "source" and (interval or self.partition):
            raise ValueError("begin, end and partition are of an interval of the stream")
        if self.pass_over and not self.resume:
            raise ValueError("pass_over: goes with resume")
        begin, end = (None if one is None else _instant(one) for one in (self.begin, self.end))
        given = (self.of, self.partition, begin, end, self.rate, self.batch)
        return Redrive(*given, resume=self.resume, pass_over=self.pass_over, stop=self.stop)


class RerunBody(Body):
    event: Annotated[str, Field(max_length=100)]
    function: Annotated[str | None, Field(max_length=200)] = None

    def order(self) -> Order:
        return Rerun(self.event, self.function)


class UndoBody(Body):
    def order(self) -> Order:
        return Undo()


def _instant(given: str | float) -> float:
    """Epoch seconds, of a number or of a time in ISO 8601; without a zone it is UTC. Raises ValueError."""
    try:
        if not isinstance(given, str):
            return float(given)
        moment = datetime.fromisoformat(given)
    except ValueError as error:
        raise ValueError("timestamp: must be epoch seconds, or a time such as 2026-09-01T10:00:00Z") from error
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


BODIES: dict[str, type[Body]] = {
    "pause": PauseBody,
    "resume": ResumeBody,
    "retry": RetryBody,
    "skip": SkipBody,
    "isolate": IsolateBody,
    "handover": HandOverBody,
    "peek": PeekBody,
    "redrive": RedriveBody,
    "rerun": RerunBody,
    "seek": SeekBody,
    "undo": UndoBody,
}
"""By the name of the order in the path."""


def read(what: str, text: bytes) -> Body:
    """The order of that name with this body. Raises ValueError, which says what is wrong with the body."""
    body = BODIES[what]
    try:
        given = codec.loads(text) if text.strip() else {}
    except ValueError as error:
        raise ValueError("the body is no JSON") from error
    wanted = f"the body is a JSON object with any of {', '.join(body.model_fields)}"
    if not isinstance(given, dict):
        raise ValueError(wanted)  # noqa: TRY004  (of what came, not of what was passed)
    try:
        return body.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}; {wanted}") from error


def acted_json(acted: Acted, order: Order, now: float) -> Json:
    """What an order did, or would do. `now` is the loop's time."""
    reason = mapping_reason(acted.status, now)
    batch: dict[str, Any] | None = None
    if acted.batch is not None:
        batch = {"partition": acted.batch.partition, "lane": acted.batch.lane, "first": acted.batch.first}
    return {
        "name": acted.status.name,
        "uuid": acted.status.uuid,
        "state": state_of(acted.status, reason).value,
        "reason": reason and {"code": reason.code.value, "text": reason_text(reason)},
        "order": what_of(order),
        "dry_run": acted.action is None,
        "impact": list(acted.impact),
        "batch": batch,
        "action": acted.action and acted.action.id,
        "stage": acted.action and acted.action.stage.value,
        "ending": acted.action and ending(order, acted.action.stage, acted.result),
        "effect": acted.action and acted.action.effect,
        "result": dict(acted.result),
    }


def actions_json(actions: list[Action], redrives: list[Redriven], wall: float) -> Json:
    """The action log."""
    return {"actions": [{**_action(one), "progress": progress(one, actions, redrives, wall)} for one in actions]}


def redrives_json(redrives: list[Redriven]) -> Json:
    """The redrives that are kept."""
    return {"redrives": [_redrive(one) for one in redrives]}


def _redrive(one: Redriven) -> Json:
    counts = {"taken": one.taken, "done": one.done, "failed": one.failed, "left": one.left, "gone": one.gone}
    return {
        "id": one.id,
        "name": one.mapping,
        "uuid": one.uuid,
        "of": one.which,
        "began": iso(one.began),
        "state": one.state.value,
        "why": one.why,
        "text": one.words,
        **counts,
        "failures": [*one.failures],
    }


def _action(action: Action) -> Json:
    return {
        "id": action.id,
        "at": iso(action.at),
        "name": action.mapping,
        "uuid": action.uuid,
        "order": action.what,
        "stage": action.stage.value,
        "effect": action.effect,
        "who": action.who,
        "via": action.via,
        "why": action.why,
    }
