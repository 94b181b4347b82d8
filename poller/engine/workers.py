"""One worker process among the others of a daemon: its part of each mapping, and which queues it polls.

A limit is one of the whole daemon: a function's concurrency and rate, a mapping's lanes and bytes. Where a limit is
lower than the number of workers, the mapping runs on as many of them. A quiet queue is polled by one of its workers,
which calls the others in while it has more than it can take.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from poller.configuration import EventSourceMapping, FunctionConfig
from poller.configuration.model.mapping import ScalingConfig
from poller.configuration.model.settings import LEAST_BYTES_IN_FLIGHT
from poller.policy.shares import part, ranking
from poller.runtime.standby import Standby
from poller.sources.kinds import KINDS


def _nobody(*_: str) -> None:
    """Nobody has connected yet."""


@dataclass(slots=True, eq=False)
class Workers:
    """All workers, as one of them sees them."""

    number: int
    """Its own, from 1."""
    of: int
    process: str
    """Names this process among all that ever were workers, for others to tell that it has ended."""
    call: Callable[[str], None] = _nobody
    """Called with the uuid of a mapping for which the others should poll, too."""
    tell: Callable[[], None] = _nobody
    """Called when the others should look at what is stored: paused, resumed, or made."""
    _live: frozenset[int] = frozenset()
    _on: dict[str, list[int]] = field(default_factory=dict)
    """By uuid, the workers that run a mapping, the first to poll it alone first."""
    _standby: dict[str, Standby] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._live = frozenset(range(1, self.of + 1))

    def share(self, mappings: Sequence[EventSourceMapping]) -> list[EventSourceMapping]:
        """The own part of each mapping; without those that other workers run alone."""
        self._on = {mapping.uuid: self._run_by(mapping) for mapping in mappings}
        self._standby = {uuid: standby for uuid, standby in self._standby.items() if uuid in self._on}
        self._place()
        return [self._part_of(mapping) for mapping in mappings if self.number in self._on[mapping.uuid]]

    def _users(self, function: FunctionConfig) -> list[int]:
        """The workers among which the concurrency of a function is divided."""
        return ranking(self.of, function.key)[: function.concurrency]

    def _run_by(self, mapping: EventSourceMapping) -> list[int]:
        users = self._users(mapping.function)
        most = max(1, mapping.max_bytes_in_flight // LEAST_BYTES_IN_FLIGHT)
        if mapping.provisioned_poller_config is not None:
            most = min(most, mapping.provisioned_poller_config.maximum_pollers)
        elif not KINDS[mapping.source.kind].steady:
            most = min(most, mapping.lanes[1])
        return [number for number in ranking(self.of, mapping.uuid) if number in users][:most]

    def _part_of(self, mapping: EventSourceMapping) -> EventSourceMapping:
        on = self._on[mapping.uuid]
        place, parts = on.index(self.number), len(on)
        scaling, pollers = mapping.scaling_config, mapping.provisioned_poller_config
        if pollers is not None:
            pollers = replace(
                pollers,
                minimum_pollers=max(1, part(pollers.minimum_pollers, place, parts)),
                maximum_pollers=part(pollers.maximum_pollers, place, parts),
            )
        elif not KINDS[mapping.source.kind].steady:
            scaling = ScalingConfig(maximum_concurrency=part(mapping.lanes[1], place, parts))
        return replace(
            mapping,
            function=self.function(mapping.function),
            shadow_function=mapping.shadow_function and self._part_of_shadow(mapping.shadow_function),
            max_bytes_in_flight=mapping.max_bytes_in_flight // parts,
            scaling_config=scaling,
            provisioned_poller_config=pollers,
        )

    def function(self, function: FunctionConfig) -> FunctionConfig:
        """The own part of a function."""
        users = self._users(function)
        concurrency, rate = function.concurrency, function.max_requests_per_second
        # a worker without a part may have a person invoke it once
        place = users.index(self.number) if self.number in users else len(users) - 1
        return replace(
            function,
            concurrency=None if concurrency is None else part(concurrency, place, len(users)),
            max_requests_per_second=None if rate is None else rate / len(users),
        )

    def _part_of_shadow(self, function: FunctionConfig) -> FunctionConfig | None:
        """None where the function has fewer slots than there are workers, and this one gets none."""
        return self.function(function) if self.number in self._users(function) else None

    def elsewhere(self, function: FunctionConfig) -> int | None:
        """The worker that invokes a function for callers; None for this one."""
        users = self._users(function)
        if self.number in users:
            return None
        return next((number for number in users if number in self._live), users[0])

    # who polls a queue

    def standby(self, mapping: EventSourceMapping) -> Standby | None:
        """Whether this worker polls a mapping's queue; None for a stream, whose shards the fleet divides."""
        if KINDS[mapping.source.kind].steady:
            return None
        uuid = mapping.uuid
        if uuid not in self._standby:
            self._standby[uuid] = Standby(lambda: self.call(uuid))
            self._place()
        return self._standby[uuid]

    def live(self, numbers: Iterable[int]) -> None:
        """These workers run."""
        self._live = frozenset(numbers)
        self._place()

    def called(self, uuid: str) -> None:
        """Another worker has more than it can take."""
        if (standby := self._standby.get(uuid)) is not None:
            standby.called()

    def _place(self) -> None:
        for uuid, standby in self._standby.items():
            first = next((number for number in self._on[uuid] if number in self._live), self.number)
            standby.place(polls=first == self.number)
