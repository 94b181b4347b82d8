"""What the service manager hears, on a socket of the test's own: when ready, when alive, when not."""

import asyncio
import os
import socket
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from poller.daemon.notify import Notifier, report, summary
from poller.ports.daemon_status import ConfigurationStatus
from poller.ports.status import MappingState, Reason, ReasonCode
from tests.daemon.samples import a_daemon, a_lane, a_mapping, with_lanes


class Manager:
    """The service manager's end."""

    def __init__(self, listener: socket.socket, address: str) -> None:
        self._listener = listener
        self.address = address

    def heard(self) -> list[str]:
        """Every message since the last call."""
        messages = []
        while True:
            try:
                messages.append(self._listener.recv(4096).decode())
            except BlockingIOError:
                return messages

    async def heard_in(self, seconds: float) -> list[str]:
        """Every message until then, taken as they come: the system queues a few."""
        messages = self.heard()
        end = asyncio.get_running_loop().time() + seconds
        while (left := end - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(min(left, 15))
            messages += self.heard()
        return messages


@contextmanager
def listening(address: str):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.setblocking(False)
        listener.bind("\0" + address[1:] if address.startswith("@") else address)
        yield Manager(listener, address)


@pytest.fixture
def manager(tmp_path):
    with listening(str(tmp_path / "notify")) as one:
        yield one


def now() -> float:
    return asyncio.get_running_loop().time()


@contextmanager
def reporting(status, notifier):
    task = asyncio.create_task(report(status, notifier))
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()


def test_each_state_is_one_message_in_the_protocols_words(manager):
    notifier = Notifier(manager.address, monotonic=lambda: 12.3456789)
    notifier.ready("all\nwell")
    notifier.reloading()
    notifier.reloaded("not taken")
    notifier.stopping("2 mappings end")
    notifier.alive()
    assert manager.heard() == [
        "READY=1\nSTATUS=all well",
        "RELOADING=1\nMONOTONIC_USEC=12345678",
        "READY=1\nSTATUS=not taken",
        "STOPPING=1\nSTATUS=2 mappings end",
        "WATCHDOG=1",
    ]


def test_a_status_line_is_sent_when_it_changes(manager):
    notifier = Notifier(manager.address)
    notifier.ready("fine")
    for text in ("fine", "worse", "worse", "fine"):
        notifier.status(text)
    assert manager.heard() == ["READY=1\nSTATUS=fine", "STATUS=worse", "STATUS=fine"]


def test_a_socket_without_a_path_is_found():
    with listening(f"@poller-test-{os.getpid()}") as manager:
        Notifier(manager.address).alive()
        assert manager.heard() == ["WATCHDOG=1"]


def test_children_do_not_inherit_what_would_let_them_speak_for_us(manager):
    environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid()), "A": ""}
    notifier = Notifier.of(environ)
    assert (notifier.active, notifier.watchdog) == (True, 30.0)
    assert environ == {"A": ""}


@pytest.mark.parametrize(
    "variables",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}],
    ids=["nothing", "zero", "no number", "for another process"],
)
def test_without_a_watchdog_of_ours_there_is_none(manager, variables):
    assert Notifier.of({"NOTIFY_SOCKET": manager.address, **variables}).watchdog is None


async def test_without_a_service_manager_nothing_happens():
    notifier = Notifier.of({"WATCHDOG_USEC": "30000000"})
    notifier.ready("fine")
    await report(a_daemon(), notifier)
    assert (notifier.active, notifier.watchdog) == (False, None)


@pytest.mark.parametrize("address", ["/nowhere/at/all", "vsock:2:1234", "/" + "x" * 200])
def test_a_service_manager_that_cannot_be_told_is_logged_once(address):
    notifier = Notifier(address)
    with capture_logs() as logged:
        notifier.ready("fine")
        notifier.alive()
    (line,) = logged
    assert (line["event"], line["message"]) == ("service_manager_not_told", "READY=1")
    assert line["problem"]


def test_a_reload_during_the_start_does_not_end_the_start(manager):
    notifier = Notifier(manager.address)
    notifier.reloading()
    notifier.reloaded("2 mappings: 2 starting")
    assert manager.heard() == []
    notifier.ready("2 mappings: 2 running")
    notifier.reloading()
    notifier.reloaded("2 mappings: 2 running")
    assert [message.split("\n")[0] for message in manager.heard()] == ["READY=1", "RELOADING=1", "READY=1"]


async def test_the_watchdog_is_fed_at_half_its_time(manager):
    with reporting(a_daemon(a_mapping()), Notifier(manager.address, watchdog=30.0)):
        assert (await manager.heard_in(100)).count("WATCHDOG=1") == 7


async def test_a_hung_lane_is_not_fed_for_and_named(manager):
    mapping = with_lanes(a_lane(ReasonCode.INVOKING, deadline=now() + 40))
    with reporting(a_daemon(mapping), Notifier(manager.address, watchdog=30.0)):
        assert (await manager.heard_in(41)).count("WATCHDOG=1") == 3
        (said,) = await manager.heard_in(600)
        assert said.startswith("STATUS=unhealthy: mapping orders, partition 0, lane 0: invoking is")


async def test_an_outage_of_everything_is_fed_for(manager):
    throttled = with_lanes(a_lane(ReasonCode.THROTTLED, next_try=now() + 3600))
    gone = a_mapping("gone", state=MappingState.PROBLEM, reason=Reason(ReasonCode.SOURCE_MISSING))
    with reporting(a_daemon(throttled, gone), Notifier(manager.address, watchdog=30.0)):
        assert (await manager.heard_in(3610)).count("WATCHDOG=1") == 241


async def test_what_is_over_in_time_costs_the_process_nothing(manager):
    mapping = with_lanes(a_lane(ReasonCode.INVOKING, deadline=now() + 29))
    with reporting(a_daemon(mapping), Notifier(manager.address, watchdog=30.0)):
        await asyncio.sleep(35)
        manager.heard()
        mapping.partitions[0].lanes[0].enter(ReasonCode.NO_DATA, now())
        await asyncio.sleep(2)
        assert manager.heard() == ["WATCHDOG=1", "STATUS=1 mapping: 1 running"]


def test_the_summary_names_mappings_with_a_problem():
    status = a_daemon(
        a_mapping("a"),
        a_mapping("b"),
        a_mapping("typo", state=MappingState.PROBLEM, reason=Reason(ReasonCode.SOURCE_MISSING)),
    )
    assert summary(status, 0.0) == "3 mappings: 2 running, 1 problem (typo: source_missing)"
    assert summary(a_daemon(), 0.0) == "no mappings"
    degraded = a_daemon(with_lanes(a_lane(ReasonCode.CIRCUIT_OPEN)))
    assert summary(degraded, 0.0) == "1 mapping: 1 degraded (orders: circuit_open)"
    many = a_daemon(
        *(a_mapping(f"m{n}", state=MappingState.PROBLEM, reason=Reason(ReasonCode.STATE)) for n in range(500))
    )
    assert len(summary(many, 0.0)) < 500


def test_the_summary_says_that_a_change_was_refused():
    status = a_daemon(
        a_mapping(), configuration=ConfigurationStatus(1.0, 2.0, ["a.yaml:1: x: is not a known key", "b"])
    )
    refused = "the changed configuration is refused: a.yaml:1: x: is not a known key"
    assert summary(status, 0.0) == f"1 mapping: 1 running; {refused}"
