"""A change of the configuration's content is heard of, however it comes about, and nothing else is."""

import asyncio
import shutil
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from poller.configuration import Need, watching
from poller.configuration.watching import Reader, watch
from poller.values.errors import ConfigurationError

pytestmark = pytest.mark.real_time
PATIENCE = 30.0
MAPPING = """
- name: {name}
  event_source_arn: arn:aws:sqs:eu-west-1:123456789012:{name}
  function_name: f
"""


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setattr(watching, "STEP", 10)
    monkeypatch.setattr(watching, "AGAIN", 0.05)


def text(*names):
    mappings = "".join(MAPPING.format(name=name) for name in names)
    return f"state: 'memory:'\nevent_source_mappings:{mappings}"


class Looking(Reader):
    """Tells each time that it was looked for a change."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.loop, self.looked = asyncio.get_running_loop(), asyncio.Event()

    def has_changed(self):
        changed = super().has_changed()
        self.loop.call_soon_threadsafe(self.looked.set)
        return changed


@asynccontextmanager
async def watched(*paths):
    """Waits for the next change, and reads; says which mappings there are then."""
    reader = Looking(list(paths), {})
    problems: list[Any]
    changed, problems = asyncio.Event(), []
    read = reader.read()
    task = asyncio.create_task(watch(reader, changed.set, problems.append))

    class NextChange:
        def __init__(self):
            self.reader, self.changed, self.problems = reader, changed, problems

        async def __call__(self):
            async with asyncio.timeout(PATIENCE):
                await changed.wait()
            names = [mapping.name for mapping in reader.read().mappings]
            changed.clear()
            return names

    try:
        assert [mapping.name for mapping in read.mappings] == ["a"]
        yield NextChange()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_file_written_to_and_one_put_in_its_place(tmp_path):
    file = tmp_path / "poller.yaml"
    file.write_text(text("a"))
    async with watched(file) as next_change:
        file.write_text(text("a", "b"))
        assert await next_change() == ["a", "b"]
        (tmp_path / "new.yaml").write_text(text("b"))
        (tmp_path / "new.yaml").replace(file)
        assert await next_change() == ["b"]


async def test_files_that_come_and_go_in_a_folder(tmp_path):
    (tmp_path / "1.yaml").write_text(text("a"))
    async with watched(tmp_path) as next_change:
        (tmp_path / "2.yaml").write_text(text("b").replace("state: 'memory:'\n", ""))
        assert await next_change() == ["a", "b"]
        (tmp_path / "1.yaml").unlink()
        assert await next_change() == ["b"]


@pytest.mark.parametrize("given", ["folder", "file"])
async def test_a_config_map_that_is_exchanged_again_and_again(tmp_path, given):
    """A new directory beside the old one, the link `..data` turned to it at once, the old one removed."""
    folder = tmp_path / "conf.d"
    folder.mkdir()

    def publish(version, *names):
        (folder / f"..{version}").mkdir()
        (folder / f"..{version}" / "poller.yaml").write_text(text(*names))
        (folder / "..data_tmp").symlink_to(f"..{version}")
        (folder / "..data_tmp").replace(folder / "..data")
        shutil.rmtree(folder / f"..{version - 1}", ignore_errors=True)

    publish(1, "a")
    (folder / "poller.yaml").symlink_to("..data/poller.yaml")
    async with watched(folder if given == "folder" else folder / "poller.yaml") as next_change:
        publish(2, "b")
        assert await next_change() == ["b"]
        publish(3, "c")
        assert await next_change() == ["c"]
        publish(4, "c")
        publish(5, "d")
        assert await next_change() == ["d"]


async def test_the_target_of_a_link_that_is_written_to(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "real.yaml").write_text(text("a"))
    (tmp_path / "poller.yaml").symlink_to(elsewhere / "real.yaml")
    async with watched(tmp_path / "poller.yaml") as next_change:
        (elsewhere / "real.yaml").write_text(text("b"))
        assert await next_change() == ["b"]


async def test_what_is_not_ours_or_says_the_same_is_no_change(tmp_path):
    file = tmp_path / "poller.yaml"
    file.write_text(text("a"))
    async with watched(file) as next_change:
        for number in range(5):
            next_change.reader.looked.clear()
            (tmp_path / "state.db").write_text(str(number))
            # at once, or what is looked at may be half a file
            (tmp_path / "written").write_text(text("a"))
            (tmp_path / "written").replace(file)
            async with asyncio.timeout(PATIENCE):
                await next_change.reader.looked.wait()
        assert not next_change.changed.is_set()
        assert not next_change.reader.matters("state.db-wal")
        assert not next_change.reader.has_changed()
        file.write_text(text("b"))
        assert await next_change() == ["b"]


async def test_a_refused_file_is_told_once_and_its_correction_is_heard(tmp_path):
    file = tmp_path / "poller.yaml"
    file.write_text(text("a"))
    async with watched(file) as next_change:
        file.write_text("colour: red")
        with pytest.raises(ConfigurationError):
            await next_change()
        assert not next_change.reader.has_changed()
        next_change.changed.clear()
        file.write_text(text("b"))
        assert await next_change() == ["b"]


async def test_a_folder_that_is_gone_for_a_while_is_told_and_found_again(tmp_path):
    folder = tmp_path / "conf.d"
    folder.mkdir()
    (folder / "1.yaml").write_text(text("a"))
    async with watched(folder) as next_change:
        shutil.rmtree(folder)
        async with asyncio.timeout(PATIENCE):
            await next_change.changed.wait()
        folder.mkdir()
        (folder / "1.yaml").write_text(text("b"))
        while True:
            with suppress(ConfigurationError):
                if await next_change() == ["b"]:
                    break
            next_change.changed.clear()


def test_every_example_is_the_same_when_it_is_read_again():
    """Else each reload would restart what did not change."""
    folder = watching.Path(__file__).parents[2] / "config"
    files = sorted(folder.glob("*.yaml"))
    assert files
    for file in files:
        reader = Reader([file], dict.fromkeys(("HOME", "ORDERS_TOKEN", "WEBHOOK_SECRET", "POLLER_TOKEN"), "/x"))
        first, second = reader.read(), reader.read()
        assert first.mappings == second.mappings
        assert first.settings == second.settings


async def test_links_in_a_circle_are_a_refused_file_and_end_nothing(tmp_path):
    """Here and in its folder, whose other files are heard of on."""
    (tmp_path / "a.yaml").write_text(text("a"))
    circle = tmp_path / "b.yaml"
    async with watched(tmp_path) as next_change:
        circle.symlink_to(circle.name)
        with pytest.raises(ConfigurationError, match=r"b\.yaml.*symbolic links"):
            await next_change()
        next_change.changed.clear()
        circle.unlink()
        (tmp_path / "c.yaml").write_text("event_source_mappings:" + MAPPING.format(name="c"))
        assert await next_change() == ["a", "c"]


async def test_a_file_system_that_answers_with_errors_is_a_refusal_and_is_looked_at_again(tmp_path):
    file = tmp_path / "poller.yaml"
    file.write_text(text("a"))
    broken = tmp_path / ("x" * 300)
    reader, problems = Reader([broken / "poller.yaml"], {}), []
    with pytest.raises(ConfigurationError, match="name too long"):
        reader.read()
    assert not reader.has_changed()
    told = asyncio.Event()

    def refused(why):
        problems.append(why)
        told.set()

    task = asyncio.create_task(watch(reader, told.set, refused))
    async with asyncio.timeout(PATIENCE):
        await told.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert "name too long" in problems[0]


@pytest.mark.parametrize("emptied", ["", "event_source_mappings: []\n", None])
def test_a_configuration_that_lost_all_its_mappings_is_refused_unless_that_is_allowed(tmp_path, emptied):
    """Such as a volume that is mounted empty for a moment."""
    file = tmp_path / "a.yaml"
    file.write_text(text("a"))
    strict, lenient = (Reader([tmp_path], {}, need) for need in (Need.MAPPINGS, Need.FILES))
    assert [len(reader.read().mappings) for reader in (strict, lenient)] == [1, 1]
    if emptied is None:
        file.unlink()
    else:
        file.write_text(emptied)
    with pytest.raises(ConfigurationError, match="no event source mapping is configured; add event_source_mappings"):
        strict.read()
    assert lenient.read().mappings == []
