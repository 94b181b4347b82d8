"""Code that changes while its workers run: who takes it over, when, and what runs meanwhile."""

import asyncio
import os

import pytest

from poller.functions.runtime_api.code import fingerprint
from tests.functions.runtime.workers import Log, function, invoked

pytestmark = pytest.mark.real_time


def deploy(folder, content):
    """As most tools do: a new file in the place of the old one."""
    new = folder / "new"
    new.write_text(content)
    new.replace(folder / "app.py")


async def test_asked_to_each_worker_is_started_anew_after_what_it_does(tmp_path):
    log = Log()
    async with function(log, concurrency=2, minimum_workers=1) as running:
        running.start()
        before = await invoked(running, "pid")
        while not running.idle_workers:  # noqa: ASYNC110 - it asks for the next event after its answer
            await asyncio.sleep(0.01)
        busy = asyncio.create_task(invoked(running, "meet", folder=str(tmp_path), expected=2))
        await asyncio.sleep(0)
        running.restart("request")
        (tmp_path / "go on").touch()
        assert await busy == before, "what runs is finished"
        assert await invoked(running, "pid") != before
    assert [line["why"] for line in log.of("workers_restarted")] == ["request"]


async def test_a_reload_starts_workers_anew_whose_code_has_changed_and_no_others(tmp_path):
    log = Log()
    deploy(tmp_path, "first")
    async with function(log, code=tmp_path) as running:
        running.start()
        before = await invoked(running, "pid")
        await settled(running)
        running.refresh()
        await settled(running)
        assert await invoked(running, "pid") == before
        deploy(tmp_path, "second")
        running.refresh()
        await log.until(lambda: log.of("workers_restarted"))
        assert await invoked(running, "pid") != before
    assert [line["why"] for line in log.of("workers_restarted")] == ["code"]


async def settled(running):
    while running.code.tasks:
        await asyncio.wait(running.code.tasks)


async def test_code_is_watched_where_that_is_asked_for(tmp_path):
    log = Log()
    deploy(tmp_path, "first")
    async with function(log, code=tmp_path, reload_on_change=True) as running:
        running.start()
        before = await invoked(running, "pid")
        while running.code.seen is None:  # noqa: ASYNC110 - nothing is logged of the first look
            await asyncio.sleep(0.01)
        deploy(tmp_path, "second")
        await log.until(lambda: log.of("workers_restarted"))
        assert await invoked(running, "pid") != before


def test_a_change_is_one_of_a_file_or_of_where_a_link_leads_and_not_of_what_python_writes(tmp_path):
    releases = [tmp_path / name for name in ("one", "two")]
    for release in releases:
        (release / "lib").mkdir(parents=True)
        (release / "lib" / "app.py").write_text("same")
        os.utime(release / "lib" / "app.py", ns=(0, 0))
    current = tmp_path / "current"
    current.symlink_to("one")
    seen = [fingerprint(current)]
    (releases[0] / "__pycache__").mkdir()
    (releases[0] / "__pycache__" / "app.pyc").touch()
    assert fingerprint(current) == seen[-1]
    (releases[0] / "lib" / "app.py").write_text("other")
    seen.append(fingerprint(current))
    current.unlink()
    current.symlink_to("two")
    seen.append(fingerprint(current))
    (releases[1] / "more.py").touch()
    seen.append(fingerprint(current))
    assert len(set(seen)) == 4
    assert fingerprint(tmp_path / "nowhere") != seen[0]
