"""What the place that hosts the repository runs: workflows, issue forms, the container for development, hooks."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_job_ends_by_itself_and_gets_no_more_rights_than_it_says(path: Path):
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= 30, name
        for step in job["steps"]:
            assert "run" in step or re.fullmatch(r"[\w.-]+/[\w./-]+@(v\d+|release/v\d+)", step["uses"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_the_linter_of_workflows_finds_nothing(path: Path):
    linter = shutil.which("actionlint")
    if linter is None:
        pytest.skip("actionlint is not installed: go install github.com/rhysd/actionlint/cmd/actionlint@latest")
    ended = subprocess.run([linter, str(path)], capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stdout


def test_every_file_that_a_workflow_names_exists():
    for path in WORKFLOWS:
        for name in re.findall(r"(?:tests|deploy|poller)/[\w/.-]+\.?\w+", path.read_text(encoding="utf-8")):
            assert (ROOT / name).exists(), f"{path.name}: {name}"


def test_the_tests_run_on_every_python_that_is_supported():
    matrix = read(ROOT / ".github/workflows/test.yml")["jobs"]["pythons"]["strategy"]["matrix"]["python"]
    assert matrix == ["3.11", "3.12", "3.13", "3.14"]
    assert PROJECT["requires-python"] == f">={matrix[0]}"


def test_the_changelog_has_the_version_that_runs():
    from poller import __version__

    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[([^\]]+)\]$", text, re.MULTILINE)[:2] == ["Unreleased", __version__]


def test_the_container_for_development_is_set_up_as_the_readme_says():
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    assert container["postCreateCommand"] in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_forms_and_hooks_can_be_read():
    for form in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"):
        assert read(form)
    hooks = read(ROOT / ".pre-commit-config.yaml")["repos"][0]["hooks"]
    assert {hook["language"] for hook in hooks} == {"system"}
