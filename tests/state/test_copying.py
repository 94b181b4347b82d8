"""`poller state migrate` and `poller state copy`."""

import asyncio
from dataclasses import replace

import pytest

from poller.cli.main import main
from poller.policy.actions import Action, Stage
from poller.policy.parts import PartState
from poller.policy.progress import LaneProgress, Paused, ShardProgress, StreamProgress
from poller.policy.windows import Window, WindowProgress
from poller.state.copying import copied
from poller.state.sqlite.store import SqliteState
from poller.values.errors import EnvironmentProblem, StateError
from poller.values.stored_mapping import StoredMapping

LANE = LaneProgress("4", (PartState(3, "7", "9", 2),), WindowProgress(Window(60, 120, b"{}", 7), 60))
PROGRESS = StreamProgress(
    "orders", "arn:s", "epoch", 1.5, {"a": ShardProgress((LANE,), initial=True), "b": ShardProgress(finished=True)}
)
ACTIONS = [Action(f"a{n}", 12.5 + n, "u", "orders", "skip", "é", "ann", "page", "why", Stage.DONE) for n in range(3)]

MADE = [StoredMapping("m", {"name": "made", "batch_size": size}, revision, 1.5) for revision, size in ((1, 5), (2, 6))]


@pytest.fixture
def run(capsys, tmp_path):
    (tmp_path / "poller.yaml").write_text(f"state: sqlite:///{tmp_path}/new.db\n")

    def poller(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["state", *arguments, "--config", str(tmp_path / "poller.yaml")])
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out + printed.err

    return poller


def fill(path):
    store = SqliteState(path)

    async def work():
        await store.open("u", PROGRESS)
        await store.pause("u", Paused(3.0, "orders"))
        for action in ACTIONS:
            await store.note(action)
        for mapping in MADE:
            await store.write_mapping(mapping)

    asyncio.run(work())
    return store


def everything_in(path):
    store = SqliteState(path)

    async def work():
        return await store.load("u"), await store.paused(), await store.actions(), await store.mappings()

    try:
        return asyncio.run(work())
    finally:
        store.close()


def test_everything_is_copied_and_stays_where_it_was(run, tmp_path):
    fill(tmp_path / "old.db").close()
    for _ in range(2):
        # also where a copy has broken off, or was made
        code, said = run("copy", f"sqlite:///{tmp_path}/old.db")
        assert (code, said) == (
            0,
            "copied: the positions of 1 mapping with 2 shards, 1 pause, 1 mapping made through the API, 3 actions\n",
        )
    expected = PROGRESS, {"u": Paused(3.0, "orders")}, ACTIONS[::-1]
    assert everything_in(tmp_path / "old.db") == (*expected, {"m": MADE[1]})
    assert everything_in(tmp_path / "new.db") == (*expected, {"m": replace(MADE[1], revision=1)})


@pytest.mark.parametrize("what", ["the position of clicks", "the pause of clicks", "the mapping other"])
def test_nothing_is_copied_over_anything_else(run, tmp_path, what):
    fill(tmp_path / "old.db").close()
    store = SqliteState(tmp_path / "new.db")
    other = StreamProgress("clicks", "arn:c", "epoch", None, {})
    there = {
        "position": lambda: store.open("c", other),
        "pause": lambda: store.pause("c", Paused(1.0, "clicks")),
        "mapping": lambda: store.write_mapping(replace(MADE[0], uuid="other")),
    }
    asyncio.run(there[what.split()[1]]())
    store.close()
    code, said = run("copy", f"sqlite:///{tmp_path}/old.db")
    assert code == 69
    assert f"holds {what}" in said
    assert everything_in(tmp_path / "new.db")[0] is None


def test_nothing_is_copied_while_a_daemon_runs(run, tmp_path):
    store = fill(tmp_path / "old.db")
    code, said = run("copy", f"sqlite:///{tmp_path}/old.db")
    store.close()
    assert code == 69
    assert "in use by another poller" in said


def test_a_store_is_not_copied_into_itself_nor_from_what_is_none(run, tmp_path):
    assert run("copy", f"sqlite:///{tmp_path}/new.db") == (2, "poller: FROM and TO are the same store\n")
    code, said = run("copy", "redis://x")
    assert code == 2
    assert "the URL of a store must be sqlite:" in said


async def test_a_store_that_breaks_in_between_is_a_problem_of_the_machine():
    class Broken:
        async def __aenter__(self):
            raise StateError("gone")

        async def __aexit__(self, *error):
            return None

    with pytest.raises(EnvironmentProblem, match=r"gone\. The copy can be made again"):
        await copied(Broken(), Broken())  # type: ignore[arg-type]


def test_a_file_needs_no_tables_made_before(run):
    assert run("migrate") == (0, "nothing is to be made: the daemon makes this store by itself\n")
