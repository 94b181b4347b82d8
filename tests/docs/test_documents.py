"""The documents: the site builds, links included, and what stands in code blocks is valid."""

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from poller.cli.main import app
from poller.configuration import load

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = typer.main.get_command(app)
BLOCKS = [
    pytest.param(language, text, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, (language, text) in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")))
]


def check_commands(text: str) -> None:
    """Every line that calls poller is one that the command line takes."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if "poller" in words[:1]:
            command, rest = COMMAND, words[1:]
            while hasattr(command, "commands"):
                command, rest = command.commands[rest[0]], rest[1:]
            command.make_context(rest[0] if rest else "poller", list(rest))


def check_configuration(text: str, folder: Path) -> None:
    for code in re.findall(r"code: (\./[\w/-]+)", text):
        (folder / code).mkdir(parents=True, exist_ok=True)
    (folder / "poller.yaml").write_text(text, encoding="utf-8")
    load([folder / "poller.yaml"], environ={})


def test_the_tests_that_the_comparison_names_exist():
    page = (ROOT / "docs/comparison.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/.]+)`", page)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.heavy
@pytest.mark.live
def test_the_example_beside_moto_is_a_test_that_passes(tmp_path: Path):
    page = (ROOT / "docs/how-to/test-functions.md").read_text(encoding="utf-8")
    (text,) = [text for language, text in BLOCK.findall(page) if "ThreadedMotoServer" in text]
    (tmp_path / "test_it.py").write_text(text, encoding="utf-8")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "poller.testing.plugin", "test_it.py"]
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize(("language", "text"), BLOCKS)
def test_what_stands_in_a_block_is_valid(language: str, text: str, tmp_path: Path):
    if language == "sh":
        check_commands(text)
    elif language == "yaml":
        check_configuration(text, tmp_path)
    elif language == "python":
        compile(text, "block", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    elif language != "text":
        pytest.fail(f"nobody checks blocks of {language}")


def test_every_page_of_the_site_is_in_its_menu_and_every_link_leads_somewhere(tmp_path: Path):
    pytest.importorskip("material", reason="pip install '.[docs]': it builds the site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    ended = subprocess.run(build, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr
    page = (tmp_path / "site/index.html").read_text(encoding="utf-8")
    assert "fonts.googleapis.com" not in page
    assert (tmp_path / "site/config/index.html").exists()
