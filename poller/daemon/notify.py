"""What the service manager is told, and when the watchdog is fed: while the test behind `/healthz` passes. The daemon
knows when it is ready.
"""

import asyncio
from collections import Counter

from poller.daemon.api import health
from poller.daemon.api.isolation import Isolation
from poller.daemon.api.shown_reasons import mapping_reason, state_of
from poller.ports.daemon_status import DaemonStatus
from poller.ports.status import MappingState, MappingStatus, Reason
from poller.support import telemetry
from poller.support.service_manager import ServiceManager
from poller.values.errors import capped

LOOK = 10.0
"""Seconds between two updates of the status line, if no watchdog needs more."""
NEED_ATTENTION = (MappingState.PROBLEM, MappingState.DEGRADED)
NAMED = 20
"""Most mappings with a problem that the status line names."""
UNHEALTHY_LOOKS = 8
"""Looks per half of a watchdog's time while unhealthy: a problem that passes in time must not cost the process its
life."""


class Notifier(ServiceManager):
    """The service manager, as the daemon tells it its state. A failure to reach it is logged once."""

    def _not_told(self, message: str, problem: str) -> None:
        telemetry.logger().warning("service_manager_not_told", message=message, problem=problem)


async def report(status: DaemonStatus, notifier: Notifier) -> None:
    """Feed the watchdog and keep the status line true, until cancelled."""
    if not notifier.active:
        return
    loop = asyncio.get_running_loop()
    half = LOOK if notifier.watchdog is None else notifier.watchdog / 2
    was_healthy = True
    while True:
        problems = health.problems(status, loop.time())
        if not problems:
            notifier.alive()
            notifier.status(summary(status, loop.time()))
        elif was_healthy:
            # once, because the seconds in the text grow with each look
            notifier.status(f"unhealthy: {problems[0]}")
        was_healthy = not problems
        await asyncio.sleep(half / UNHEALTHY_LOOKS if problems else half)


def summary(status: DaemonStatus, now: float) -> str:
    """Describe all mappings in one line, problems by name: `2 mappings: 1 running, 1 problem (a: error)`. `now` is the
    loop's time.
    """
    isolation = Isolation()
    stands = [(mapping, *_stand_of(mapping, now, isolation)) for mapping in status.mappings]
    counted = Counter(state for _, state, _ in stands)
    word = "mapping" if len(stands) == 1 else "mappings"
    parts = ", ".join(f"{counted[state]} {state}" for state in MappingState if counted[state])
    text = f"{len(stands)} {word}: {parts}" if parts else "no mappings"
    named = [
        f"{mapping.name}: {reason.code}" for mapping, state, reason in stands if state in NEED_ATTENTION and reason
    ]
    if named:
        text += f" ({', '.join(capped(named, NAMED))})"
    if status.configuration is not None and status.configuration.problems:
        text += f"; the changed configuration is refused: {status.configuration.problems[0]}"
    return text


def _stand_of(mapping: MappingStatus, now: float, isolation: Isolation) -> tuple[MappingState, Reason | None]:
    """The state and reason of one mapping."""

    def told() -> tuple[MappingState, Reason | None]:
        reason = mapping_reason(mapping, now)
        return state_of(mapping, reason), reason

    return isolation.ask(mapping, told, lambda _problem: (mapping.state, None))
