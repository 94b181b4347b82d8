"""`poller state`: what is stored is shown, and given up on request only."""

import asyncio

import pytest

from poller.cli.main import main
from poller.policy.parts import PartState
from poller.policy.progress import LaneProgress, Paused, ShardProgress, StreamProgress
from poller.state.sqlite.store import SqliteState
from poller.values.stored_mapping import StoredMapping


@pytest.fixture
def poller(capsys, tmp_path):
    configuration = tmp_path / "poller.yaml"
    configuration.write_text(f"state: sqlite:///{tmp_path}/state.db\n")

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["state", *arguments, "--config", str(configuration)])
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out, printed.err

    return run


def stored(tmp_path, **names):
    store = SqliteState(tmp_path / "state.db")

    async def fill():
        for uuid, name in names.items():
            shards = {
                "a": ShardProgress((LaneProgress("1", (PartState(1, "2", "2", 1),)),)),
                "b": ShardProgress(finished=True),
            }
            await store.open(uuid, StreamProgress(name, "arn:of:the:stream", "epoch", None, shards))

    asyncio.run(fill())
    return store


def test_nothing_stored_is_said_and_makes_no_file(poller, tmp_path):
    assert poller("list") == (0, "no position is stored\n", "")
    assert not (tmp_path / "state.db").exists()


def test_every_mapping_is_listed_also_while_a_daemon_runs(poller, tmp_path):
    store = stored(tmp_path, u1="orders", u2="clicks")
    code, out, _ = poller("list")
    store.close()
    assert code == 0
    [_, *rows] = [line.split() for line in out.splitlines()]
    assert rows == [
        ["clicks", "u2", "arn:of:the:stream", "2", "1", "1"],
        ["orders", "u1", "arn:of:the:stream", "2", "1", "1"],
    ]


@pytest.mark.parametrize("called", ["orders", "u1"])
def test_a_position_is_given_up_by_name_or_uuid(poller, tmp_path, called):
    stored(tmp_path, u1="orders", u2="clicks").close()
    assert poller("forget", called) == (0, "the position of orders (u1) is given up\n", "")
    _, out, _ = poller("list")
    assert "clicks" in out
    assert "orders" not in out


def test_what_is_not_stored_cannot_be_given_up(poller, tmp_path):
    stored(tmp_path, u1="orders").close()
    assert poller("forget", "order") == (1, "nothing is stored of 'order'\n", "")


def test_a_pause_that_a_removed_mapping_left_is_listed_and_given_up(poller, tmp_path):
    """Else it silently pauses the name when it comes back."""
    store = stored(tmp_path, u1="orders")
    asyncio.run(store.pause("u1", Paused(0.0, "orders")))
    asyncio.run(store.pause("u2", Paused(60.0, "a-queue")))
    asyncio.run(store.pause("u3", Paused(120.0)))
    store.close()
    _, out, _ = poller("list")
    assert [line.split() for line in out.splitlines()[1:]] == [
        ["orders", "u1", "arn:of:the:stream", "2", "1", "1", "1970-01-01T00:00:00+00:00"],
        ["a-queue", "u2", "1970-01-01T00:01:00+00:00"],
        ["u3", "1970-01-01T00:02:00+00:00"],
    ]
    assert poller("forget", "orders") == (0, "the position and the pause of orders (u1) are given up\n", "")
    assert poller("forget", "a-queue") == (0, "the pause of a-queue (u2) is given up\n", "")
    assert poller("forget", "u3") == (0, "the pause of the mapping (u3) is given up\n", "")
    assert poller("list") == (0, "no position is stored\n", "")


def test_a_name_that_two_had_is_not_enough(poller, tmp_path):
    stored(tmp_path, u1="orders", u2="orders").close()
    code, out, _ = poller("forget", "orders")
    assert code == 1
    assert "u1, u2" in out


def test_no_position_is_given_up_under_a_running_daemon(poller, tmp_path):
    store = stored(tmp_path, u1="orders")
    code, _, err = poller("forget", "orders")
    store.close()
    assert code == 69
    assert "in use by another poller" in err


def test_a_damaged_file_is_an_error_in_words(poller, tmp_path):
    (tmp_path / "state.db").write_bytes(b"\xff" * 5000)
    code, _, err = poller("list")
    assert code == 69
    assert "restore it" in err
    assert "Traceback" not in err


def made(tmp_path, *mappings):
    store = SqliteState(tmp_path / "state.db")

    async def fill():
        for uuid, deleted in mappings:
            given = {"EventSourceArn": "arn:of:the:stream", "FunctionName": "fn", "BatchSize": 5}
            assert await store.write_mapping(StoredMapping(uuid, given, 1, 0.0, deleted))

    asyncio.run(fill())
    return store


def stored_mappings(tmp_path):
    store = SqliteState(tmp_path / "state.db")
    try:
        return asyncio.run(store.mappings())
    finally:
        store.close()


def test_a_deleted_mapping_is_listed_with_the_end_of_its_week_and_restored_with_its_position(poller, tmp_path):
    stored(tmp_path, u1="u1").close()
    made(tmp_path, ("u1", True), ("u2", True), ("u3", False)).close()
    _, out, _ = poller("list")
    [_, *rows] = [line.split() for line in out.splitlines()]
    assert rows == [
        ["u1", "u1", "arn:of:the:stream", "2", "1", "1", "1970-01-08T00:00:00+00:00"],
        ["u2", "arn:of:the:stream", "1970-01-08T00:00:00+00:00"],
    ]
    assert poller("restore", "u3") == (1, "the mapping u3 was not deleted\n", "")
    assert poller("restore", "u4") == (1, "no deleted mapping 'u4' is stored\n", "")
    told = "the mapping u3 has the same source and function by now; delete that one first\n"
    assert poller("restore", "u1") == (1, told, "")
    assert stored_mappings(tmp_path)["u1"].deleted


def test_a_restored_mapping_is_as_it_was(poller, tmp_path):
    made(tmp_path, ("u1", True)).close()
    before = stored_mappings(tmp_path)["u1"]
    assert poller("restore", "u1") == (0, "the mapping u1 runs again, from the position it had\n", "")
    after = stored_mappings(tmp_path)["u1"]
    assert (after.deleted, after.revision, after.parameters) == (False, 2, before.parameters)
    assert poller("restore", "u1") == (1, "the mapping u1 was not deleted\n", "")


def test_nothing_is_restored_in_a_state_file_that_a_daemon_uses(poller, tmp_path):
    store = made(tmp_path, ("u1", True))
    code, _, said = poller("restore", "u1")
    store.close()
    assert code == 69
    assert "in use by another poller" in said
