"""The state file when something is wrong with it: a message that says what to do, and no position that moved."""

import sqlite3

import pytest

from poller.errors import EnvironmentProblem, StateError
from poller.policy.progress import LaneProgress, ShardProgress, StreamProgress
from poller.policy.windows import Window, WindowProgress
from poller.state.sqlite import SCHEMA_VERSION, SqliteState

FIRST, SECOND = ShardProgress((LaneProgress("1"),)), ShardProgress((LaneProgress("2"),))


async def filled(path):
    store = SqliteState(path)
    await store.begin("u", StreamProgress("orders", "arn", "epoch", None, {"a": FIRST}))
    return store


def problem_of(path):
    with pytest.raises(EnvironmentProblem) as caught:
        SqliteState(path)
    return str(caught.value)


def execute(path, *statements):
    database = sqlite3.connect(path)
    for statement in statements:
        database.execute(statement)
    database.commit()
    database.close()


async def test_a_second_daemon_is_refused_and_told_who_holds_the_file(tmp_path):
    store = await filled(tmp_path / "state.db")
    assert "is in use by another poller (process" in problem_of(tmp_path / "state.db")
    store.close()
    SqliteState(tmp_path / "state.db").close()


async def test_a_file_of_a_newer_schema_is_refused(tmp_path):
    path = tmp_path / "state.db"
    (await filled(path)).close()
    execute(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    assert "was written by a newer poller" in problem_of(path)


async def test_a_file_of_the_first_schema_is_taken_over(tmp_path):
    path = tmp_path / "state.db"
    execute(path, "PRAGMA application_id = 0x706F6C6C", "PRAGMA user_version = 1")
    store = await filled(path)
    assert (await store.load("u")).shards == {"a": FIRST}
    store.close()


async def test_a_file_of_before_windows_is_taken_over_with_its_positions(tmp_path):
    path = tmp_path / "state.db"
    (await filled(path)).close()
    execute(path, "ALTER TABLE lanes DROP COLUMN window", "PRAGMA user_version = 2")
    store = SqliteState(path)
    assert (await store.load("u")).shards == {"a": FIRST}
    moved = ShardProgress((LaneProgress("2", (), WindowProgress(Window(60, 120), 60)),))
    await store.save("u", "a", moved)
    assert (await store.load("u")).shards == {"a": moved}
    store.close()


@pytest.mark.parametrize("garbage", [b"\xff" * 4096, b"SQLite format 3\0" + b"\x01" * 5000])
async def test_a_corrupt_file_is_refused(tmp_path, garbage):
    path = tmp_path / "state.db"
    path.write_bytes(garbage)
    assert "restore it, or move it away" in problem_of(path)
    assert path.read_bytes() == garbage


async def test_a_damaged_page_is_found_before_anything_is_read(tmp_path):
    path = tmp_path / "state.db"
    store = await filled(path)
    for number in range(300):
        await store.save("u", f"shard-{number:05d}", FIRST)
    store.close()
    content = bytearray(path.read_bytes())
    for start in range(4096, len(content), 4096):
        content[start : start + 64] = b"\xaa" * 64
    path.write_bytes(content)
    assert "state file" in problem_of(path)


async def test_a_file_of_another_program_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "state.db"
    execute(path, "CREATE TABLE customers (id)")
    before = path.read_bytes()
    assert "of another program" in problem_of(path)
    assert path.read_bytes() == before


async def test_a_full_disk_fails_the_write_and_keeps_what_was_stored(tmp_path):
    path = tmp_path / "state.db"
    store = await filled(path)
    database = store._database._database
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages}")
    many = ShardProgress(tuple(LaneProgress("9" * 4000) for _ in range(10)))
    with pytest.raises(StateError, match=r"full.*No position has moved"):
        await store.save("u", "a", many)
    assert (await store.load("u")).shards == {"a": FIRST}
    database.execute("PRAGMA max_page_count = 100000")
    await store.save("u", "a", SECOND)
    store.close()
    store = SqliteState(path)
    assert (await store.load("u")).shards == {"a": SECOND}
    store.close()


async def test_a_file_another_process_writes_to_fails_the_write_and_keeps_what_was_stored(tmp_path, monkeypatch):
    monkeypatch.setattr("poller.state.database.BUSY_SECONDS", 0.01)
    path = tmp_path / "state.db"
    store = await filled(path)
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateError, match="locked"):
        await store.save("u", "a", SECOND)
    other.rollback()
    other.close()
    assert (await store.load("u")).shards == {"a": FIRST}
    store.close()


async def test_rows_that_make_no_sense_are_an_error_and_not_a_new_beginning(tmp_path):
    path = tmp_path / "state.db"
    (await filled(path)).close()
    execute(path, "UPDATE lanes SET retry = 'nonsense'")
    store = SqliteState(path)
    with pytest.raises(StateError):
        await store.load("u")
    store.close()


async def test_every_commit_reaches_the_disk_before_it_counts(tmp_path):
    store = await filled(tmp_path / "state.db")
    database = store._database._database
    assert database.execute("PRAGMA synchronous").fetchone() == (2,)
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    store.close()
