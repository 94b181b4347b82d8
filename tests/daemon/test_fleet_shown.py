"""What a member of a fleet shows of it: in the status, in the metrics, and by `poller fleet`."""

import json
from typing import Any

import pytest

from poller.cli import fleet as command
from poller.cli.client import NoAnswer
from poller.daemon.api.fleet import fleet_words
from poller.ports.fleet_status import MOST_MOVES, Cause, FleetStatus, MemberStatus, Move
from tests.daemon.samples import STARTED_AT, a_daemon, a_mapping, render
from tests.daemon.test_metrics import scrape

LABEL = ("fleet", "orders")


def a_fleet() -> FleetStatus:
    fleet = FleetStatus("orders", "a", id="1", lives=1, writes=7)
    fleet.members = [MemberStatus("1", "a", "1.2.3", "active", 2), MemberStatus("2", "b", "1.2.3", "leaving", 1)]
    fleet.move(Move(115.0, "uuid of orders", "shard-0", Cause.CLAIMED, None))
    fleet.move(Move(118.0, "uuid of orders", "shard-1", Cause.LOST, "b"))
    fleet.calls["succeeded"] = 9
    fleet.seconds.observe(0.02)
    fleet.written.sample(85.0, 0.0)
    fleet.written.sample(120.0, 7.0)
    return fleet


def shown(fleet: FleetStatus | None) -> Any:
    daemon = a_daemon(a_mapping())
    daemon.fleet = fleet
    return render(daemon, now=120.0, wall=STARTED_AT + 20)


class Asked:
    """A client of a daemon with this status."""

    address = "http://127.0.0.1:8642"

    def __init__(self, status: Any) -> None:
        self._status = status

    def status(self) -> Any:
        return self._status


def test_the_status_has_the_members_and_the_latest_moves_first() -> None:
    fleet = shown(a_fleet())["fleet"]
    assert (fleet["name"], fleet["member"], fleet["id"], fleet["suspended_since"]) == ("orders", "a", "1", None)
    assert [(one["name"], one["shards"]) for one in fleet["members"]] == [("a", 2), ("b", 1)]
    assert [(one["at"], one["cause"], one["other"]) for one in fleet["moves"]] == [
        ("2026-01-01T00:00:18.000Z", "lost", "b"),
        ("2026-01-01T00:00:15.000Z", "claimed", None),
    ]
    assert fleet["store"] == {
        "succeeded": 9,
        "failed": 0,
        "writes": 7,
        "writes_a_minute": 12.0,
        "seconds": 0.02,
        "mean_seconds": 0.02,
    }


def test_only_the_latest_moves_are_remembered_and_all_are_counted() -> None:
    fleet = a_fleet()
    for number in range(MOST_MOVES + 50):
        fleet.move(Move(120.0, "u", str(number), Cause.GIVEN, "b"))
    assert len(fleet.moves) == MOST_MOVES
    assert fleet.moved[Cause.GIVEN] == MOST_MOVES + 50


def test_the_metrics_count_members_moves_and_calls() -> None:
    daemon = a_daemon()
    daemon.fleet = a_fleet()
    found = scrape(daemon)
    names = ("fleet_members", "lease_valid", "lease_shards", "lease_lives_total", "fleet_store_writes_total")
    assert [found[f"poller_{name}", LABEL] for name in names] == [2, 1, 2, 1, 7]
    assert found["poller_lease_moves_total", ("cause", "lost"), LABEL] == 1
    assert found["poller_fleet_store_requests_total", LABEL, ("outcome", "succeeded")] == 9
    assert found["poller_fleet_store_seconds_count", LABEL] == 1
    daemon.fleet.suspended_since = 100.0
    assert scrape(daemon)["poller_lease_valid", LABEL] == 0


def test_a_daemon_by_itself_has_no_metrics_of_a_fleet() -> None:
    assert [name for name, *_ in scrape(a_daemon()) if "fleet" in name or "lease" in name] == []


def test_the_command_lists_members_moves_and_how_the_store_answers(capsys: pytest.CaptureFixture[str]) -> None:
    fleet = a_fleet()
    fleet.suspended_since = 119.0
    client: Any = Asked(shown(fleet))
    command.show(client, as_json=False)
    printed = capsys.readouterr().out
    for text in ("fleet orders, seen by a", "suspended since", "a (here)", "lost to b", "taken from nobody"):
        assert text in printed
    assert "9 calls, 20.0 ms on average, 7 of them writes, 12 a minute now; 0 failed" in printed
    command.show(client, as_json=True)
    assert json.loads(capsys.readouterr().out)["name"] == "orders"
    alone: Any = Asked(shown(None))
    with pytest.raises(NoAnswer, match="is by itself"):
        command.show(alone, as_json=False)


def test_the_head_of_a_screen_names_the_daemon_its_fleet_and_a_few_of_the_others():
    fleet = a_fleet()
    assert fleet_words(fleet) == "a of fleet orders, with b"
    fleet.members = [MemberStatus(str(number), f"m{number}", "1", "active", 0) for number in range(1, 8)]
    assert fleet_words(fleet) == "a of fleet orders, with m2, m3, m4, m5, m6 and 1 more"
    fleet.members = fleet.members[:1]
    assert fleet_words(fleet) == "a of fleet orders, by itself"
    assert fleet_words(None) is None
