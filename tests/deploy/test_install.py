"""What `deploy/README.md` says about the installation is done as it stands there, in a folder of the test's own."""

import json
import re
import shutil

import pytest

from tests.deploy.tools import DEPLOY, ROOT, run

pytestmark = pytest.mark.slow

INSTALL = re.compile(r"```sh\n(python3 -m venv \.build .*?)```", re.DOTALL)


def test_a_wheel_installs_with_the_hashed_requirements_and_its_command_works(tmp_path):
    checkout = tmp_path / "checkout"
    for name in ("poller", "config", "deploy"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout)
    (commands,) = INSTALL.findall((DEPLOY / "README.md").read_text(encoding="utf-8"))
    assert commands.count("/opt/poller") == 4
    script = "set -e\n" + commands.replace("/opt/poller", str(tmp_path / "opt"))
    done = run("sh", "-c", script, cwd=checkout, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "clicks" in done.stdout
    checked = run(tmp_path / "opt/bin/pip", "check")
    assert checked.returncode == 0, checked.stdout
    assert run(tmp_path / "opt/bin/poller", "--version").stdout.endswith(" (compiled)\n")
    printed = run(tmp_path / "opt/bin/poller", "schema")
    assert json.loads(printed.stdout)["$schema"] == "https://json-schema.org/draft/2020-12/schema", printed.stderr
