"""When an orchestrator may restart us, and when it may call us ready."""

import asyncio

import pytest
from structlog.testing import capture_logs

from poller.daemon.api.health import is_ready, problems, watch
from poller.ports.status import MappingState, Reason, ReasonCode
from tests.daemon.samples import a_daemon, a_lane, a_mapping, with_lanes
from tests.virtual_time import VirtualTimeLoop

NOW = 1000.0

HEALTHY = {
    "nothing runs yet": a_daemon(),
    "no data for hours": a_daemon(with_lanes(a_lane(ReasonCode.NO_DATA))),
    "throttled for hours": a_daemon(with_lanes(a_lane(ReasonCode.THROTTLED, next_try=NOW + 60))),
    "a retry is overdue, but only a hint": a_daemon(with_lanes(a_lane(ReasonCode.FUNCTION_FAILING, next_try=NOW - 60))),
    "within the deadline": a_daemon(with_lanes(a_lane(ReasonCode.INVOKING, deadline=NOW))),
    "a mapping has a problem": a_daemon(
        a_mapping(state=MappingState.PROBLEM, reason=Reason(ReasonCode.SOURCE_MISSING))
    ),
    "the watcher runs": a_daemon(loop_seen=NOW - 2, loop_lag=0.2),
    "the loop lags, as far as allowed": a_daemon(loop_seen=NOW, loop_lag=5.0),
}
UNHEALTHY = {
    "a task died": (a_daemon(died=["orders"]), "orders"),
    "the watcher woke late": (a_daemon(loop_seen=NOW, loop_lag=5.1), "lags 5.1 s"),
    "the watcher did not wake": (a_daemon(loop_seen=NOW - 8), "lags 6.0 s"),
    "a lane is stuck": (
        a_daemon(with_lanes(a_lane(ReasonCode.NO_DATA), a_lane(ReasonCode.INVOKING, deadline=NOW - 3))),
        "mapping orders, partition 0, lane 1: invoking is 3.0 s over its deadline",
    ),
}


@pytest.mark.parametrize("case", HEALTHY)
def test_waiting_for_a_reason_is_healthy(case):
    assert problems(HEALTHY[case], NOW) == []


@pytest.mark.parametrize("case", UNHEALTHY)
def test_what_a_restart_could_help_is_unhealthy_and_said(case):
    status, said = UNHEALTHY[case]
    (problem,) = problems(status, NOW)
    assert said in problem


READY_FROM_THE_START = {
    "nothing to reach": a_daemon(),
    "all reached": a_daemon(a_mapping(), a_mapping("clicks")),
    "one says why it cannot": a_daemon(a_mapping(), a_mapping("typo", reached=False, state=MappingState.PROBLEM)),
    "one is disabled": a_daemon(a_mapping("off", reached=False, state=MappingState.DISABLED)),
}


@pytest.mark.parametrize("case", READY_FROM_THE_START)
def test_ready_when_every_enabled_mapping_has_answered(case):
    assert is_ready(READY_FROM_THE_START[case], 100.0)


def test_a_silent_source_delays_readiness_by_ten_seconds_at_most():
    status = a_daemon(a_mapping(), a_mapping("slow", reached=False, state=MappingState.STARTING))
    assert not is_ready(status, 100.0)
    assert not is_ready(status, 109.9)
    assert is_ready(status, 110.0)


async def test_the_watcher_logs_each_change_of_health_once():
    mapping = with_lanes(a_lane(ReasonCode.INVOKING, deadline=3.0))
    (lane,) = mapping.partitions[0].lanes
    with capture_logs() as logged:
        task = asyncio.create_task(watch(a_daemon(mapping)))
        await asyncio.sleep(9)
        assert [entry["event"] for entry in logged] == ["unhealthy"]
        lane.enter(ReasonCode.NO_DATA, 9.0)
        await asyncio.sleep(9)
        task.cancel()
        await asyncio.wait([task])
    assert [entry["event"] for entry in logged] == ["unhealthy", "healthy"]
    assert "lane 0: invoking" in logged[0]["problems"][0]


async def test_a_blocked_loop_is_seen_before_and_after_the_watcher_runs():
    status = a_daemon()
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    task = asyncio.create_task(watch(status))
    await asyncio.sleep(1)
    loop.advance(8)
    assert "lags 7.0 s" in problems(status, loop.time())[0]
    await asyncio.sleep(0.001)
    assert status.loop_lag == 7.0
    assert "lags 7.0 s" in problems(status, loop.time())[0]
    await asyncio.sleep(2.5)
    assert problems(status, loop.time()) == []
    task.cancel()
    await asyncio.wait([task])
