"""Decides /healthz and /readyz, on which an orchestrator acts.

Unhealthy means that a restart could help: the loop hangs, a task died, a lane is stuck in one step, a disk does not
answer, the state file was taken away. Waiting with a typed reason is healthy, so the outage of a function or source
never makes us unhealthy.
"""

import asyncio
from itertools import count

from poller.daemon.api.isolation import Isolation
from poller.ports.daemon_status import DaemonStatus
from poller.ports.status import MappingState, MappingStatus
from poller.support import telemetry
from poller.values.errors import LOGGED_MOST, capped

LOOP_LAG_LIMIT = 5.0
"""Seconds. Heartbeats renew at half of at least 10 s: beyond this, messages could become visible while we hold them."""
READY_WITHIN = 10.0
"""Seconds after start by which the daemon is ready, whatever its sources say."""
WATCH_INTERVAL = 2.0
"""Seconds between two measurements of the loop's lag; each costs idle CPU."""
LOOKS_PER_SAMPLE = 10
"""After so many of them the lag of every mapping is noted."""

_AT_REST = frozenset({MappingState.DISABLED, MappingState.PAUSED, MappingState.STOPPED, MappingState.STOPPING})


def problems(status: DaemonStatus, now: float) -> list[str]:
    """Why the daemon is unhealthy; empty when it is healthy. `now` is the loop's time."""
    found = [f"task {name} died" for name in status.died]
    found += [problem for step in status.steps if (problem := step()) is not None]
    lag = _loop_lag(status, now)
    if lag > LOOP_LAG_LIMIT:
        found.append(f"the event loop lags {lag:.1f} s")
    for mapping in status.mappings:
        for partition in mapping.partitions:
            found += [
                f"mapping {mapping.name}, partition {partition.id}, lane {number}: "
                f"{lane.code} is {now - lane.deadline:.1f} s over its deadline"
                for number, lane in enumerate(partition.lanes)
                if lane.deadline is not None and now > lane.deadline
            ]
    return found


def is_ready(status: DaemonStatus, now: float) -> bool:
    """Whether every enabled mapping has reached its source or says why it cannot, or the start was 10 s ago."""
    return now - status.started >= READY_WITHIN or all(map(_has_answered, status.mappings))


def _has_answered(mapping: MappingStatus) -> bool:
    return mapping.reached or mapping.state is MappingState.PROBLEM or mapping.state in _AT_REST


def _loop_lag(status: DaemonStatus, now: float) -> float:
    """Take the lag last measured, or what has passed since the watcher should have run, whichever is worse."""
    if status.loop_seen is None:
        return 0.0
    return max(status.loop_lag, now - status.loop_seen - WATCH_INTERVAL)


async def watch(status: DaemonStatus) -> None:
    """Measure the loop's lag until cancelled, and log when the health check changes its mind."""
    isolation = Isolation()
    loop = asyncio.get_running_loop()
    log = telemetry.logger()
    was_healthy = True
    for look in count():
        status.loop_seen = seen = loop.time()
        await asyncio.sleep(WATCH_INTERVAL)
        now = loop.time()
        status.loop_lag = now - seen - WATCH_INTERVAL
        if not look % LOOKS_PER_SAMPLE:
            isolation.sample(status.mappings, now)
        found = problems(status, now)
        if found and was_healthy:
            log.error("unhealthy", problems=capped(found, LOGGED_MOST))
        if not found and not was_healthy:
            log.info("healthy")
        was_healthy = not found
