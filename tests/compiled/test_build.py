"""A wheel is pure unless it is asked to be compiled, and a machine that cannot compile gets the pure one and is told."""

import importlib
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.compiled.modules import ROOT, compiled_modules

pytestmark = pytest.mark.heavy

NO_PROGRAMS = {"PATH": ""}
ASKED_FOR = {"POLLER_COMPILE": "1"}


def build(
    target: str, folder: Path, environment: dict[str, str] | None = None, *, source: Path = ROOT
) -> tuple[Path, str]:
    """What the build gives, and what it says. It uses what is installed here."""
    kept = {key: value for key, value in os.environ.items() if key != "POLLER_COMPILE"}
    program = f"import hatchling.build, sys; sys.stdout.flush(); print(hatchling.build.build_{target}({str(folder)!r}))"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=source,
        env=kept | (environment or {}),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return folder / ended.stdout.splitlines()[-1], ended.stdout + ended.stderr


def machine_code(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return [name for name in archive.namelist() if name.endswith((".so", ".pyd", ".dylib"))]


def test_a_wheel_is_pure_and_nothing_more_is_needed_to_build_it(tmp_path):
    wheel, told = build("wheel", tmp_path)
    assert (wheel.name.endswith("-py3-none-any.whl"), machine_code(wheel)) == (True, [])
    assert "pure Python" not in told


def test_without_a_compiler_the_wheel_is_pure_and_says_so(tmp_path):
    wheel, told = build("wheel", tmp_path, ASKED_FOR | NO_PROGRAMS)
    assert (wheel.name.endswith("-py3-none-any.whl"), machine_code(wheel)) == (True, [])
    assert "POLLER_COMPILE is set, but this wheel is pure Python: the C compiler" in told
    assert "apt-get install gcc" in told


def test_a_source_archive_becomes_a_pure_wheel_where_there_is_no_compiler(tmp_path):
    archive, _ = build("sdist", tmp_path)
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    source = tmp_path / archive.name.removesuffix(".tar.gz")
    wheel, told = build("wheel", tmp_path, ASKED_FOR | NO_PROGRAMS, source=source)
    assert (wheel.name.endswith("-py3-none-any.whl"), machine_code(wheel)) == (True, [])
    assert "POLLER_COMPILE is set, but this wheel is pure Python: the C compiler" in told


def test_what_compiles_is_installed_only_where_it_is_used():
    program = "import hatchling.build; print(hatchling.build.get_requires_for_build_wheel())"

    def needed(**environment: str) -> str:
        ended = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]} | environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return ended.stdout.strip()

    assert needed() == needed(**ASKED_FOR, **NO_PROGRAMS) == "[]"
    assert needed(**ASKED_FOR).startswith("['mypy[mypyc]==")


def test_an_editable_installation_runs_the_source_as_it_is_edited(tmp_path, monkeypatch):
    monkeypatch.setenv("POLLER_COMPILE", "1")
    monkeypatch.syspath_prepend(str(ROOT))
    hook = importlib.import_module("hatch_build").CompiledModules(str(ROOT), {}, None, None, str(tmp_path), "wheel")
    build_data: dict[str, Any] = {}
    hook.initialize("editable", build_data)
    hook.finalize("editable", build_data, "")
    assert build_data == {}


def test_the_source_archive_can_be_compiled_and_holds_nothing_compiled(tmp_path):
    archive, _ = build("sdist", tmp_path, ASKED_FOR)
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert {"hatch_build.py", "pyproject.toml", *compiled_modules()} <= names
    assert not [name for name in names if name.endswith(".so")]
