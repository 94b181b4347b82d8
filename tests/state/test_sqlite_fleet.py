"""One state file for a daemon by itself and for the daemons of a fleet, one after the other and never together."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from poller.policy.progress import LaneProgress, ShardProgress, StreamProgress
from poller.ports.fleet import Lease, MemberState, Write
from poller.state.sqlite import lock
from poller.state.sqlite.fleet import SqliteFleet
from poller.state.sqlite.store import SqliteState
from poller.values.errors import EnvironmentProblem

ME = "11111111-0000-4000-8000-000000000000"
FIRST = StreamProgress("orders", "arn", "epoch", None, {"a": ShardProgress((LaneProgress("1"),))})


def at(position: str) -> ShardProgress:
    return ShardProgress((LaneProgress(position),))


def joined(path: Path, fleet: str = "orders") -> SqliteFleet:
    return SqliteFleet(path, fleet, 15.0)


async def test_a_daemon_by_itself_makes_no_tables_of_a_fleet_and_one_row_for_each_save(tmp_path: Path) -> None:
    with closing(SqliteState(tmp_path / "state.db")) as store:
        await store.open("u", FIRST)
        database = store.database._database  # noqa: SLF001  (nobody else sees what one connection changes)
        await store.save("u", "a", at("1.5"))
        before = database.total_changes
        for position in range(2, 12):
            await store.save("u", "a", at(str(position)))
        assert database.total_changes - before == 10
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert not [name for name in tables if name.startswith("fleet")]


async def test_a_fleet_goes_on_where_a_daemon_by_itself_ended_and_the_other_way_round(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(SqliteState(path)) as alone:
        await alone.open("u", FIRST)
    with closing(joined(path)) as store:
        claimed = await store.claim("u", "a", ME, Lease())
        assert claimed is not None
        assert claimed.progress == at("1")
        await store.write(ME, [Write("u", "a", 1, 1, at("2"))])
    with closing(SqliteState(path)) as alone:
        assert (await alone.load("u") or FIRST).shards == {"a": at("2")}
        await alone.save("u", "a", at("3"))
    with closing(joined(path)) as store:
        claimed = await store.claim("u", "a", ME, (await store.leases("u"))["a"])
        assert claimed is not None
        assert (claimed.fence, claimed.progress) == (2, at("3"))


async def test_the_first_daemon_of_a_fleet_finds_those_dead_that_left_rows(tmp_path: Path) -> None:
    """Their locks would stand if they lived, so nobody waits for their leases."""
    path = tmp_path / "state.db"
    with closing(joined(path)) as store:
        await store.join(ME, {})
        with closing(joined(path)) as second:
            assert [row.state for row in await second.members()] == [MemberState.ACTIVE]
    with closing(joined(path)) as store:
        assert [row.state for row in await store.members()] == [MemberState.DEAD]


async def test_a_file_is_one_daemon_s_or_one_fleet_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "SHARE_SECONDS", 0.1)
    path = tmp_path / "state.db"
    with closing(joined(path)):
        with pytest.raises(EnvironmentProblem, match="in use by another poller"):
            SqliteState(path)
        with pytest.raises(EnvironmentProblem, match=r"used by the daemons of another fleet \(orders\)"):
            joined(path, "payments")
    with closing(joined(path, "payments")):
        pass
    with closing(SqliteState(path)), pytest.raises(EnvironmentProblem, match="in use by another poller"):
        joined(path)


async def test_a_damaged_row_of_the_fleet_is_an_error_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(joined(path)) as store:
        await store.join(ME, {})
        with closing(sqlite3.connect(path)) as database:
            database.execute("UPDATE fleet_members SET facts = '{'")
            database.commit()
        with pytest.raises(Exception, match="cannot be used"):
            await store.members()
