"""The README tells the truth about today: its commands, its example, what it says is refused."""

import functools
import operator
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from poller.cli.main import app
from poller.configuration import load
from tests.present import present
from tests.reference import picture
from tests.reference.generated import FOLDER
from tests.reference.generated import PAGES as GENERATED

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

SET_UP = re.compile(
    r"^python3 -m venv \.venv && \.venv/bin/pip install .*'\.\[([a-z,]+)\]' && (\.venv/bin/.*)$", re.MULTILINE
)


def test_two_commands_do_all_the_set_up_and_name_extras_that_exist():
    commands = {command: extras.split(",") for extras, command in SET_UP.findall(README)}
    assert set(commands) == {".venv/bin/poller demo", ".venv/bin/python -m pytest"}
    known = PROJECT["project"]["optional-dependencies"]
    assert all(extra in known for extras in commands.values() for extra in extras)


def test_the_environment_is_activated_before_poller_is_typed_without_its_path():
    lines = [
        line
        for block in re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    bare = next(number for number, line in enumerate(lines) if line.startswith("poller "))
    (activated,) = [number for number, line in enumerate(lines) if line.startswith(". .venv/bin/activate")]
    created = next(number for number, line in enumerate(lines) if line.startswith("python3 -m venv .venv "))
    assert created < activated < bare


def test_what_is_installed_by_them_is_pinned():
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().replace("_", "-")
    wanted = [
        *PROJECT["project"]["dependencies"],
        *functools.reduce(operator.iadd, PROJECT["project"]["optional-dependencies"].values(), []),
    ]
    names = {present(re.match(r"[a-zA-Z0-9_-]+", requirement))[0].lower() for requirement in wanted} - {"poller"}
    assert sorted(name for name in names if f"\n{name}==" not in pinned) == []


def test_ci_finds_the_test_command_and_runs_it():
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    find = present(re.search(r"^tests=\$\((.*)\)$", script, re.MULTILINE))[1]
    found = subprocess.run(["bash", "-c", find], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    assert found.startswith("python3 -m venv")
    assert found.endswith("-m pytest")
    assert 'bash -c "$tests"' in script


def test_its_extras_are_those_a_user_can_want():
    (table,) = re.findall(r"\| extra \| brings \|\n\|---\|---\|\n((?:\|.*\n)+)", README)
    listed = re.findall(r"^\| `([a-z]+)` \|", table, re.MULTILINE)
    for_developers = {"dev", "audit", "docs"}
    assert set(listed) == set(PROJECT["project"]["optional-dependencies"]) - for_developers


def test_the_example_configuration_loads(tmp_path):
    (example,) = re.findall(r"```yaml\n(# poller\.yaml\n.*?)```", README, re.DOTALL)
    path = tmp_path / "poller.yaml"
    path.write_text(example, encoding="utf-8")
    configuration = load([path], environ={})
    assert [mapping.name for mapping in configuration.mappings] == ["orders"]
    assert configuration.warnings == []


def test_its_table_of_commands_is_the_command_line():
    listed = {
        name
        for row in COMMANDS.splitlines()
        if row.startswith("| `poller")
        for name in re.findall(r"`poller ([a-z-]+)", row)
    }
    commands = [command.name or present(command.callback).__name__ for command in app.registered_commands]
    groups = [group.name or present(group.typer_instance).info.name for group in app.registered_groups]
    assert listed == {*commands, *groups}
    assert len(listed) == len(commands + groups)


PAGES = ["README.md", "CONTRIBUTING.md", "config/README.md", "deploy/README.md"]
PAGES += sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))


def anchors_of(text):
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_somewhere(page):
    path = ROOT / page
    broken = []
    for link, anchor in re.findall(r"\]\(([^)#:]*)(#[^)]*)?\)", path.read_text(encoding="utf-8")):
        target = path.parent / link if link else path
        if not target.exists() or (anchor and anchor[1:] not in anchors_of(target.read_text(encoding="utf-8"))):
            broken.append(link + anchor)
    assert broken == []


@pytest.mark.parametrize("name", GENERATED)
def test_the_pages_of_the_reference_are_those_that_the_program_makes(name: str):
    assert (FOLDER / name).read_text(encoding="utf-8") == GENERATED[name](), "run: python -m tests.reference"


def test_the_picture_of_the_status_is_what_the_program_draws():
    assert picture.PATH.read_text(encoding="utf-8") == picture.picture(), "run: python -m tests.reference"


def test_the_landing_page_is_short():
    assert len(README.splitlines()) <= 150


def test_whoever_contributes_runs_the_same_command():
    (command,) = re.findall(r"^python3 -m venv .* -m pytest$", README, re.MULTILINE)
    assert command in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
