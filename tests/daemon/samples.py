"""Status values as a running daemon would have them."""

import json
from typing import Any

from poller.daemon.api.isolation import Isolation
from poller.daemon.api.status_json import rendered
from poller.policy.actions import Action, Asked, Order, Stage, what_of
from poller.policy.failed_events import FailedEvent
from poller.policy.redriving import Redriven
from poller.ports.daemon_status import DaemonStatus, Reloaded
from poller.ports.failures_elsewhere import NOBODY, FailuresElsewhere
from poller.ports.status import Lag, LaneStatus, MappingState, MappingStatus, PartitionStatus, Reason, ReasonCode
from poller.ports.steering import Acted
from poller.values.errors import NotPossible, StateError, UnknownFunction, UnknownMapping

STARTED_AT = 1_767_225_600.0
"""2026-01-01T00:00:00Z, at loop time 100."""


QUESTIONS = ("in_flight", "lag", "look", "unanswered_since", "waits", "credentials_end_in", "function_problem")


class Running:
    """The parts of a run that answer as they are told to, else that all is well."""

    def __init__(self, **answers) -> None:
        for question, answer in answers.items():
            setattr(self, question, answer)

    def in_flight(self) -> int:
        return 0

    def lag(self) -> Lag:
        return Lag()

    async def look(self, _max_age) -> None:
        return None

    def standstill(self, _now, shown):
        return shown

    def unanswered_since(self, _now) -> None:
        return None

    def waits(self, _now) -> None:
        return None

    def credentials_end_in(self) -> None:
        return None

    def function_problem(self) -> None:
        return None


def a_mapping(name: str = "orders", **values) -> MappingStatus:
    values = {
        "uuid": "6f8a5c8e-0000-4000-8000-000000000001",
        "event_source_arn": f"arn:aws:sqs:eu-west-1:123456789012:{name}",
        "function": "thumbnails",
        "state": MappingState.RUNNING,
        "reached": True,
        **values,
    }
    run = Running(**{question: values.pop(question) for question in QUESTIONS if question in values})
    return MappingStatus(name, run=run, **values)


def a_daemon(*mappings: MappingStatus, **values) -> DaemonStatus:
    return DaemonStatus(
        **{"version": "1.2.3", "started_at": STARTED_AT, "started": 100.0, "mappings": list(mappings), **values}
    )


def a_lane(code: ReasonCode, since: float = 100.0, **values) -> LaneStatus:
    return LaneStatus(code, since=since, **values)


def with_lanes(*lanes: LaneStatus, **values) -> MappingStatus:
    return a_mapping(partitions=[PartitionStatus("0", lanes=list(lanes))], **values)


def render(status: DaemonStatus, now: float, wall: float) -> dict:
    """The JSON of `/status` at that moment."""
    return json.loads(b"".join(rendered(status, lambda: now, lambda: wall, Isolation())))


class Reloading:
    """Reloads that end as they are told to."""

    def __init__(self, reloaded: Reloaded | None = None) -> None:
        self.by: list[Any] = []
        self._reloaded = reloaded or Reloaded()

    async def reload(self, by: str) -> Reloaded:
        self.by.append(by)
        return self._reloaded


class Steered:
    """The mappings of a status, as far as the server steers them. One called `full` cannot be remembered, and none has
    a batch that waits.
    """

    def __init__(self, status: DaemonStatus) -> None:
        self._status = status
        self.log: list[Action] = []
        self.events: list[FailedEvent] = []
        self.elsewhere = NOBODY
        self.waited: list[bool] = []
        self.redriven: list[Redriven] = []

    async def act(self, name: str, order: Order, asked: Asked, *, dry_run: bool) -> Acted:
        mapping, what = self._find(name), what_of(order)
        if what not in ("pause", "resume"):
            raise NotPossible("no batch waits")
        if dry_run:
            return Acted(mapping, (f"It would {what}.",))
        if what == "pause":
            mapping.state, mapping.reason = MappingState.PAUSED, Reason(ReasonCode.PAUSED, "by a test")
        else:
            mapping.state, mapping.reason = MappingState.RUNNING, None
        now = STARTED_AT + len(self.log)
        self.log.append(
            Action(
                f"a{len(self.log)}",
                now,
                mapping.uuid,
                mapping.name,
                what,
                f"It did {what}.",
                asked.who,
                asked.via,
                asked.why,
                Stage.DONE,
            )
        )
        return Acted(mapping, (f"It did {what}.",), None, self.log[-1])

    async def actions(self) -> list[Action]:
        return [*reversed(self.log)]

    async def redrives(self) -> list[Redriven]:
        return self.redriven

    async def failed_events(self) -> list[FailedEvent]:
        return self.events

    async def failures_elsewhere(self, *, waits: bool) -> FailuresElsewhere:
        self.waited.append(waits)
        return self.elsewhere

    def functions(self) -> list[str]:
        return ["thumbnails"]

    def restart_function(self, name: str) -> None:
        if name != "thumbnails":
            raise UnknownFunction(f"there is no function {name} whose workers poller starts; there are: thumbnails")

    def _find(self, name: str) -> MappingStatus:
        if name == "full":
            raise StateError("the state file cannot be used: the disk is full")
        found = [mapping for mapping in self._status.mappings if name in (mapping.name, mapping.uuid)]
        if not found:
            known = ", ".join(mapping.name for mapping in self._status.mappings)
            raise UnknownMapping(f"there is no mapping {name}; there are: {known}")
        return found[0]
