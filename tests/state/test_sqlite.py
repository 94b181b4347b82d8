"""The state file when something is wrong with it: a message that says what to do, and no position that moved."""

import os
import random
import sqlite3
import stat
import threading

import pytest

from poller.policy.parts import PartState
from poller.policy.progress import LaneProgress, Paused, ShardProgress, StreamProgress
from poller.policy.windows import Window, WindowProgress
from poller.state.sqlite.file import SCHEMA_VERSION
from poller.state.sqlite.store import SqliteState
from poller.values.errors import EnvironmentProblem, StateError
from tests.present import present

FIRST, SECOND = ShardProgress((LaneProgress("1"),)), ShardProgress((LaneProgress("2"),))


async def filled(path):
    store = SqliteState(path)
    await store.open("u", StreamProgress("orders", "arn", "epoch", None, {"a": FIRST}))
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


async def test_a_file_of_before_checksums_is_taken_over_with_its_positions_and_pauses(tmp_path):
    path = tmp_path / "state.db"
    store = await filled(path)
    await store.pause("u", Paused(12.5))
    store.close()
    drops = [f"ALTER TABLE {table} DROP COLUMN checksum" for table in ("mappings", "shards", "lanes", "paused")]
    execute(path, *drops, "ALTER TABLE paused DROP COLUMN name", "PRAGMA user_version = 3")
    store = SqliteState(path)
    assert (present(await store.load("u"))).shards == {"a": FIRST}
    assert await store.paused() == {"u": Paused(12.5)}
    store.close()
    SqliteState(path).close()


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
    assert (present(await store.load("u"))).shards == {"a": FIRST}
    moved = ShardProgress((LaneProgress("2", (), WindowProgress(Window(60, 120), 60)),))
    await store.save("u", "a", moved)
    assert (present(await store.load("u"))).shards == {"a": moved}
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
    database = store.database._database
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
    assert (present(await store.load("u"))).shards == {"a": SECOND}
    store.close()


async def test_a_file_another_process_writes_to_fails_the_write_and_keeps_what_was_stored(tmp_path, monkeypatch):
    monkeypatch.setattr("poller.state.sqlite.connection.BUSY_SECONDS", 0.01)
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


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE lanes SET retry = 'nonsense'",
        "UPDATE lanes SET position = '3'",
        "UPDATE shards SET finished = 1",
        "UPDATE mappings SET start = 2.5",
        "UPDATE mappings SET name = CAST(x'ff' AS TEXT)",
        "UPDATE paused SET since = 13",
        "UPDATE lanes SET checksum = NULL",
        "ALTER TABLE lanes DROP COLUMN position",
    ],
)
async def test_a_damaged_row_is_refused_at_the_start_and_is_no_new_beginning(tmp_path, damage):
    """Else it would be a wrong position, or a partition that is restarted for ever."""
    path = tmp_path / "state.db"
    store = await filled(path)
    await store.pause("u", Paused(12.5, "orders"))
    store.close()
    execute(path, damage)
    assert "cannot be used" in problem_of(path)


@pytest.mark.slow
async def test_no_flipped_bit_anywhere_in_the_file_passes_for_a_position_or_a_bug(tmp_path):
    path = tmp_path / "state.db"
    store = await filled(path)
    await store.save("u", "b", ShardProgress((LaneProgress("7", (PartState(1, "8", "9", 2),)),)))
    await store.pause("u", Paused(12.5, "orders"))
    right = await store.load("u"), await store.paused()
    store.close()
    whole = path.read_bytes()
    refused = 0
    for place in random.Random(1).sample(range(len(whole)), 600):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            store = SqliteState(path)
        except EnvironmentProblem:
            refused += 1
            continue
        try:
            assert (await store.load("u"), await store.paused()) == right, place
        finally:
            store.close()
    assert refused


async def test_every_commit_reaches_the_disk_before_it_counts(tmp_path):
    store = await filled(tmp_path / "state.db")
    database = store.database._database
    assert database.execute("PRAGMA synchronous").fetchone() == (2,)
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    store.close()


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


async def test_state_and_the_files_beside_it_are_for_their_owner_alone(tmp_path):
    old = tmp_path / "state.db"
    execute(old, "PRAGMA application_id = 0x706F6C6C", "PRAGMA user_version = 1")
    old.chmod(0o644)
    store = await filled(old)
    found = {path.name: mode_of(path) for path in tmp_path.iterdir()}
    store.close()
    assert found == dict.fromkeys(("state.db", "state.db-wal", "state.db-shm", "state.db.lock"), 0o600)


@pytest.mark.parametrize("gone", ["state.db", "state.db-wal", "state.db.lock"])
@pytest.mark.parametrize("replaced", [False, True])
async def test_nothing_is_acknowledged_once_the_file_was_taken_away(tmp_path, gone, replaced):
    path = tmp_path / "state.db"
    store = await filled(path)
    await store.look()
    assert store.problem() is None
    content = (tmp_path / gone).read_bytes()
    (tmp_path / gone).rename(tmp_path / "away")
    if replaced:
        (tmp_path / gone).write_bytes(content)
    for write in (
        store.save("u", "a", SECOND),
        store.pause("u", Paused(12.5)),
        store.resume("u"),
        store.forget("u"),
        store.drop("u", ["a"]),
        store.open("u", StreamProgress("orders", "arn", "epoch", None, {})),
    ):
        with pytest.raises(StateError, match="removed or replaced"):
            await write
    await store.look()
    assert f"{gone} was removed or replaced" in store.problem()
    (tmp_path / "away").replace(tmp_path / gone)
    await store.look()
    assert store.problem() is None
    await store.save("u", "a", SECOND)
    store.close()


async def test_a_second_daemon_is_refused_though_somebody_removed_the_lock(tmp_path):
    path = tmp_path / "state.db"
    store = await filled(path)
    (tmp_path / "state.db.lock").unlink()
    assert "is in use by another poller" in problem_of(path)
    store.close()


def test_a_state_file_that_is_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "state.db")
    assert "no regular file" in problem_of(tmp_path / "state.db")


@pytest.mark.real_time
async def test_a_disk_that_hangs_is_a_typed_error_shows_and_ends_nothing(tmp_path, monkeypatch):
    """Every save and pause gives up at its deadline; the one that hangs goes through once the disk is back."""
    monkeypatch.setattr("poller.state.sqlite.store.ANSWER_SECONDS", 0.2)
    store = await filled(tmp_path / "state.db")
    disk = threading.Event()
    real = store.database.save
    store.database.save = lambda changes: (disk.wait(), real(changes))
    for _ in range(2):
        with pytest.raises(StateError, match="no answer within"):
            await store.save("u", "a", SECOND)
    with pytest.raises(StateError, match="no answer within"):
        await store.pause("u", Paused(12.5))
    assert "no answer for" in store.problem()
    disk.set()
    await store.save("u", "b", SECOND)
    assert store.problem() is None
    assert (await store.load("u")).shards == {"a": SECOND, "b": SECOND}
    assert await store.paused() == {}
    store.close()
