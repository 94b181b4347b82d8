"""The status of mappings: plain values that the hot path writes and the control plane reads.

Written by lane, source and supervisor with attribute assignments only; nothing here renders, logs, locks or awaits. All
of it lives on one event loop, so a reader between two awaits sees a consistent account.

Times named `now`, `since`, `until` and `deadline` are the event loop's `time()` in seconds; only `started_at` is wall
time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from poller.policy.failures import FailureGroups
from poller.policy.rescue import Rescue, rescue
from poller.policy.trend import Trend
from poller.policy.windows import Window
from poller.ports.elsewhere import Elsewhere
from poller.ports.held import Held
from poller.ports.reasons import NO_PROBLEM, MappingState, Reason, ReasonCode
from poller.ports.shadow import ShadowStatus
from poller.values.account import Account

__all__ = [
    "NO_PROBLEM",
    "Account",
    "Lag",
    "LaneStatus",
    "LastFailure",
    "MappingState",
    "MappingStatus",
    "PartitionStatus",
    "Reason",
    "ReasonCode",
    "RunningParts",
    "RunningSource",
]


@dataclass(slots=True, eq=False)
class LaneStatus:
    """The current step of a lane. A lane calls `enter` before every await, so that a stuck one is detected."""

    code: ReasonCode = ReasonCode.STARTING
    text: str = ""
    causes: tuple[str, ...] = ()
    """As of `Reason`."""
    since: float = 0.0
    until: float | None = None
    next_try: float | None = None
    deadline: float | None = None
    """Time by which this very step must be over, or the daemon counts as unhealthy. None: it may last for ever, e.g. a
    queue without messages or a function that is throttled."""
    held: Held | None = None
    """The present batch, while it waits for another try and a person may decide about it."""
    waiting_for: tuple[ReasonCode, float] | None = None
    """The reason for which the present batch waits, and since when."""

    def enter(
        self, code: ReasonCode, now: float, until: float | None = None, deadline: float | None = None, text: str = ""
    ) -> None:
        """Begin a step. Entering the same code again keeps `since`, and renews everything else."""
        if code is not self.code:
            self.code = code
            self.since = now
        self.text, self.causes = text, ()
        self.until = until
        self.next_try = None
        self.deadline = deadline

    def wait(self, code: ReasonCode, now: float, next_try: float, text: str, causes: tuple[str, ...] = ()) -> None:
        """Wait for another try of the present batch. `since` is the first failure of that kind, until `batch_over`."""
        if self.waiting_for is None or self.waiting_for[0] is not code:
            self.waiting_for = (code, now)
        self.code, self.text, self.causes, self.since = code, text, causes, self.waiting_for[1]
        self.until, self.next_try, self.deadline = None, next_try, None

    def batch_over(self) -> None:
        """The batch is done, and so is its reason to wait."""
        self.waiting_for = None


def _unknown() -> None:
    return None


def _answered(_now: float) -> None:
    return None


@dataclass(slots=True, eq=False)
class PartitionStatus:
    """The status of one partition. Without its own reason, that of its most telling lane is shown."""

    id: str
    position: str | None = None
    """Durable position in a stream, and what is durable of the window open there; None where the source has none."""
    window: Window | None = None
    reason: Reason | None = None
    lanes: list[LaneStatus] = field(default_factory=list)
    behind: Callable[[], float | None] = _unknown
    """Seconds this partition is behind its source."""
    unanswered_since: Callable[[float], float | None] = _answered
    """Loop time since which an answer of the source is overdue `now`; None while it answers in time."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a mapping is behind its source. None is not known."""

    records: int | None = None
    """Waiting at the source and not received yet."""
    seconds: float | None = None
    expires_in_seconds: float | None = None
    """Seconds until the oldest record not yet settled expires at the source."""
    iterator_age: float | None = None
    """Seconds, streams only: age of the last record of the last batch."""
    hidden: int | None = None
    """Queues only: messages that any consumer has received and not deleted."""
    retention: float | None = None
    """Seconds the source keeps a record."""
    empty_at: float | None = None
    """Loop time at which the source was last asked and had nothing that was not received; None when it had."""


class RunningSource(Protocol):
    """The source of a mapping's present run, as the status asks it. Times are the loop's."""

    def in_flight(self) -> int:
        """Records received and not yet ended."""
        ...

    def lag(self) -> Lag:
        """How far it is behind, measured now."""
        ...

    async def look(self, max_age: float) -> None:
        """Ask the service what only it knows of the lag, unless that is known for less than `max_age` seconds."""
        ...

    def unanswered_since(self, now: float) -> float | None:
        """As of a partition, for what is asked of the source as a whole."""
        ...

    def waits(self, now: float) -> Reason | None:
        """What it waits for `now` while no lane has anything to do, or at a soft stop."""
        ...


class RunningParts(RunningSource, Protocol):
    """The parts of a mapping's present run together."""

    def standstill(self, now: float, shown: Reason | None) -> Reason | None:
        """Why nothing may be received `now`; `shown` itself where it says so already."""
        ...

    def credentials_end_in(self) -> float | None:
        """Less than so many seconds are left to credentials that could not be renewed; None while all is well."""
        ...

    def function_problem(self) -> Reason | None:
        """Why the function cannot be started."""
        ...


@dataclass(frozen=True, slots=True)
class LastFailure:
    """The last invocation that failed as a whole."""

    at: float
    text: str
    request_id: str | None = None
    logs: str | None = None
    """The end of the function's log, if it returns one."""


@dataclass(slots=True, eq=False)
class MappingStatus:
    """One event source mapping, as status, metrics and readiness see it."""

    name: str
    uuid: str
    event_source_arn: str
    function: str
    destination: str | None = None
    """ARN of the on-failure destination, where there is one."""
    looks: bool = False
    """Whether its source can be read beside the mapping."""
    seeks: bool = False
    """Whether it has a position that a person can move."""
    shadow: ShadowStatus | None = None
    """Of the second function that gets a copy of each batch."""
    state: MappingState = MappingState.STARTING
    reason: Reason | None = None
    """Set for what concerns the whole mapping, e.g. its queue does not exist; else None, and the partitions speak."""
    source_problem: Reason | None = None
    """The reason of the source as a whole, beside those of its partitions."""
    account: Account = field(default_factory=Account)
    run: RunningParts | None = None
    """The parts that run now; None while nothing runs."""
    partitions: list[PartitionStatus] = field(default_factory=list)
    waiting: Sequence[PartitionStatus] = ()
    """Partitions that may not run yet, each with its reason."""
    elsewhere: Sequence[Elsewhere] = ()
    """What waits of it on other members of the fleet."""
    reached: bool = False
    """The source answered once, or the reason says why it cannot be reached. Stays true: readiness asks only for the
    start."""
    last_result: str | None = None
    """As AWS's LastProcessingResult."""
    last_success: float | None = None
    """When an invocation last succeeded; the loop's time."""
    last_failure: LastFailure | None = None
    failures: FailureGroups = field(default_factory=FailureGroups)
    """What the function failed of since the start, by cause. Times are the loop's."""
    trend: Trend = field(default_factory=Trend)
    """The trend of the lag."""
    pace: Trend = field(default_factory=Trend)
    """The trend of the number of records that it is done with."""
    tags: Mapping[str, str] = field(default_factory=dict)
    _measured: tuple[object, ...] = ()
    """What the trends are of: the measure of the lag, and the shards that are read."""
    _passed: int = 0
    _filtered_before: int = 0

    def in_flight(self) -> int:
        """Records received and not yet ended."""
        return 0 if self.run is None else self.run.in_flight()

    def lag(self) -> Lag:
        """How far the mapping is behind its source, measured now."""
        return Lag() if self.run is None else self.run.lag()

    async def look(self, max_age: float) -> None:
        """See `RunningSource.look`. Called when somebody looks at the status."""
        if self.run is not None:
            await self.run.look(max_age)

    def sample(self, now: float) -> None:
        """Now and then, and when somebody looks, for what only time tells: whether the lag shrinks, whether a filter
        passes anything, whether the reason still stands.
        """
        if self.run is not None and self.state is MappingState.RUNNING:
            self.reason = self.run.standstill(now, self.reason)
        lag = self.lag()
        in_seconds = lag.records is None
        measured = (in_seconds, *sorted(partition.id for partition in self.partitions))
        if measured != self._measured:
            self._measured = measured
            self._begin_trends()
        self.trend.sample(now, lag.seconds if lag.records is None else float(lag.records), in_seconds=in_seconds)
        account = self.account
        done = account.filtered + account.delivered + account.destination + account.dropped
        self.pace.sample(now, float(done))
        passed = account.polled - account.filtered
        if passed != self._passed:
            self._passed, self._filtered_before = passed, account.filtered

    def _begin_trends(self) -> None:
        """What was measured so far says nothing of what comes."""
        self.trend.begin_anew()
        self.pace.begin_anew()

    def rescue(self) -> Rescue:
        """What it needs to keep up, as of the last sample."""
        lag = self.lag()
        return rescue(
            growth=self.trend.growth,
            in_seconds=lag.records is None,
            done=self.pace.growth,
            expires_in=lag.expires_in_seconds,
            lanes=sum(len(partition.lanes) for partition in self.partitions),
        )

    @property
    def filtered_in_a_row(self) -> int:
        """Records that did not match the filter criteria, since the last that did; as of the last sample."""
        return self.account.filtered - self._filtered_before

    def rest(self, state: MappingState, reason: Reason | None) -> None:
        """The run has ended: keep only its positions."""
        self.state, self.reason, self.source_problem = state, reason, None
        self.run, self.waiting = None, ()
        # the position may be moved before the next run
        self._begin_trends()
        for partition in self.partitions:
            partition.reason, partition.behind, partition.unanswered_since = None, _unknown, _answered
            partition.lanes.clear()

    def show_problems(self) -> None:
        """Set the state to running, or to problem with the first reason of the source or a partition."""
        problems = [self.source_problem] if self.source_problem is not None else []
        reasons = [partition.reason for partition in self.partitions]
        problems += [reason for reason in reasons if reason is not None and reason.code not in NO_PROBLEM]
        self.state = MappingState.PROBLEM if problems else MappingState.RUNNING
        self.reason = problems[0] if problems else None
