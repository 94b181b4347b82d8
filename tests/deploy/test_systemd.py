"""The units are valid, hardened as far as promised, and fit what the daemon does."""

import re
import sys

import pytest

from poller.cli.main import BAD_INPUT
from poller.configuration import Settings
from poller.engine.bounded_stop import HARD_STOP_SECONDS
from tests.deploy.tools import DEPLOY, program, run

UNITS = ["poller.service", "poller@.service"]
WORST_EXPOSURE = 1.5
"""Of 10, by `systemd-analyze security`; most services of a distribution have more than 9."""


def text(unit: str) -> str:
    return (DEPLOY / "systemd" / unit).read_text(encoding="utf-8")


def settings(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", text(unit), re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


@pytest.fixture
def units(tmp_path):
    """The units, as they would be where the program is installed."""
    for unit in UNITS:
        (tmp_path / unit).write_text(text(unit).replace("/opt/poller/bin/poller", sys.executable), encoding="utf-8")
    return tmp_path


@pytest.fixture
def analyze():
    return program("systemd-analyze", "apt-get install systemd")


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_has_nothing_to_say_against_them(analyze, units, unit):
    checked = run(analyze, "verify", units / unit)
    # an unknown key is no more than a line on stderr
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS)
def test_they_expose_the_machine_no_more_than_promised(analyze, units, unit):
    threshold = int(WORST_EXPOSURE * 10)
    judged = run(analyze, "security", "--no-pager", "--offline=yes", f"--threshold={threshold}", units / unit)
    assert judged.returncode == 0, judged.stdout + judged.stderr


@pytest.mark.parametrize("unit", UNITS)
def test_they_fit_the_daemon(unit):
    found = settings(unit)
    assert found["Type"] == ["notify"]
    assert found["ExecReload"] == ["sh -c 'kill -HUP $MAINPID'"]
    assert found["RestartPreventExitStatus"] == [str(BAD_INPUT)]
    assert int(found["TimeoutStopSec"][0]) > Settings().shutdown_grace_seconds + HARD_STOP_SECONDS
    # Node translates JavaScript into memory it has written
    assert "MemoryDenyWriteExecute" not in found


def test_the_template_is_the_unit_once_more_with_places_of_its_own():
    own = {"StateDirectory", "RuntimeDirectory", "User", "ExecStart", "LoadCredential", "Description"}
    more = {"Environment", "EnvironmentFile"}
    unit, template = (settings(name) for name in UNITS)
    assert {key: value for key, value in unit.items() if key not in own | more} == {
        key: value for key, value in template.items() if key not in own | more
    }
    assert [key for key in own if "%i" not in template[key][0]] == []
    assert all(set(unit[key]) < set(template[key]) for key in more)
