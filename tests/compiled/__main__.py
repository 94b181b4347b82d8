"""`python -m tests.compiled`: the tests against the compiled wheel, in an environment that has no source to import.

Builds the wheel, unless these sources were built before, and installs it into an environment of its own, which finds
the other packages in this one. The tests run in a copy of the checkout without `poller/`. Arguments are pytest's.
Unless they name tests, those of what is compiled run; with `--all` every one that does not read the source. Another
module of the tests runs in the same place: `python -m tests.compiled -m tests.benchmarks --only poller`.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from tests.compiled.modules import ROOT

FOLDER = ROOT / "build/compiled"
PARTS = [
    f"tests/{name}"
    for name in ("aws", "contracts", "engine", "functions", "http", "journeys", "policy", "runtime", "sources", "state")
]
"""What runs compiled modules and can tell whether they do the same."""
READ_THE_SOURCE = [
    "tests/compiled",
    "tests/deploy",
    "tests/docs",
    "tests/hosted",
    "tests/reference",
    "tests/test_architecture.py",
    "tests/test_architecture_names.py",
    "tests/test_import_circles.py",
    "tests/test_readme.py",
    "tests/cli/test_iam_policy.py::test_every_action_that_the_code_can_call_is_allowed_and_no_other",
]
"""They look at files, which are the same either way."""
NOT_COPIED = {"poller", "build", ".git", ".venv"}


def built_wheel() -> Path:
    """The wheel of the sources as they are now; several minutes on a slow machine, unless it is there already."""
    known = hashlib.sha256()
    for path in sorted([*ROOT.glob("poller/**/*.py"), ROOT / "hatch_build.py", ROOT / "pyproject.toml"]):
        known.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    folder = FOLDER / "wheels" / f"{known.hexdigest()[:16]}-{sys.implementation.cache_tag}"
    if not folder.is_dir():
        shutil.rmtree(FOLDER / "wheels", ignore_errors=True)
        folder.parent.mkdir(parents=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as name:
            command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", name]
            subprocess.run(command, cwd=ROOT, env=os.environ | {"POLLER_COMPILE": "1"}, check=True)
            if list(Path(name).glob("*-none-any.whl")):
                sys.exit("tests.compiled: the wheel is not compiled; what prevents it is above")
            shutil.copytree(name, folder)
    (wheel,) = folder.iterdir()
    return wheel


def environment(wheel: Path) -> Path:
    """The Python of a new environment in which the wheel is installed."""
    folder = FOLDER / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", folder], check=True)
    python = folder / "bin/python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*install, str(wheel)], check=True)
    place = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (place / "others.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    # the servers that tests start
    for script in Path(sysconfig.get_path("scripts")).iterdir():
        if not (python.parent / script.name).exists():
            (python.parent / script.name).symlink_to(script)
    return python


def _left_out(folder: str, names: list[str]) -> set[str]:
    caches = {name for name in names if name == "__pycache__" or name.endswith("_cache")}
    return caches | (NOT_COPIED if Path(folder) == ROOT else set())


def main(arguments: list[str]) -> int:
    """Build, install and run; returns the exit code of what ran."""
    python = environment(built_wheel())
    if "--all" in arguments:
        arguments.remove("--all")
        arguments += [f"--{'deselect' if '::' in path else 'ignore'}={path}" for path in READ_THE_SOURCE]
    elif not any(argument.startswith("tests") for argument in arguments):
        arguments += PARTS
    if not " ".join(arguments).startswith("-m tests."):
        arguments = ["-m", "pytest", *arguments]
    with tempfile.TemporaryDirectory(dir=FOLDER) as name:
        checkout = Path(name) / "checkout"
        shutil.copytree(ROOT, checkout, ignore=_left_out)
        told = [str(python), "-c", "from poller.support.built import built; print(built())"]
        assert subprocess.run(told, cwd=checkout, capture_output=True, text=True, check=True).stdout == "compiled\n"
        return subprocess.run([str(python), *arguments], cwd=checkout, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
