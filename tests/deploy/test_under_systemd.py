"""A real systemd runs the unit: started, watched, refused, stopped. It boots in a Debian made for the test."""

import re
import shutil
from pathlib import Path

import pytest

from tests.deploy.conftest import MINUTES
from tests.deploy.tools import DEPLOY, ROOT, program, run

pytestmark = pytest.mark.slow

TRIAL = r"""#!/bin/bash
# runs inside, and says what happened in lines that the test reads
exec > /trial.log 2>&1
show() { for unit in "$@"; do echo "$step $unit $(systemctl show -p Result,ExecMainStatus,NRestarts,StatusText $unit | tr '\n' ' ')"; done; }
both="poller.service poller@shop.service"
step=started; systemctl start $both; echo "$step: $?"; show $both
main=$(systemctl show -p MainPID --value poller.service)
grep -E '^(Uid|NoNewPrivs|Seccomp|CapBnd):' /proc/$main/status
tr '\0' '\n' < /proc/$main/environ | grep -c -E 's3cret' ; ls -l /var/lib/private/poller/state.db
/opt/poller/bin/poller health
/opt/poller/bin/poller health --config /etc/poller/shop.yaml --api unix:/run/poller-shop/api.sock
POLLER_SECRETS_DIR=/run/credentials/poller.service /opt/poller/bin/poller why && echo "why is told"
step=reloaded; systemctl reload poller.service; echo "$step: $?"
until journalctl -u poller.service -o cat | grep -q '"reloaded"'; do sleep 0.2; done; show poller.service
step=hung; kill -STOP $(systemctl show -p MainPID --value poller@shop.service)
until [ "$(systemctl show -p NRestarts --value poller@shop.service)" = 1 ]; do sleep 0.5; done
until [ "$(systemctl is-active poller@shop.service)" = active ]; do sleep 0.2; done
show poller@shop.service
step=stopped; systemctl stop poller.service; echo "$step: $?"; show poller.service
step=refused; echo 'nonsense: 1' > /etc/poller/poller.yaml; systemctl start poller.service; echo "$step: $?"
sleep 12; show poller.service
journalctl -u 'poller*' -o cat
echo the end
systemctl --force --force poweroff
"""
"""What is told to happen once has to be waited for; the twelve seconds are more than RestartSec, and nothing happens."""
SHOP = """
aws: {region: eu-west-1, endpoint_url: "http://127.0.0.1:4566"}
functions: {f: {type: http, url: "http://127.0.0.1:9999/"}}
event_source_mappings:
  - {event_source_arn: "arn:aws:sqs:eu-west-1:000000000000:orders", function_name: f, name: orders}
"""
STARTED_BY = """
[Unit]
After=basic.target
[Service]
ExecStart=/trial
"""


@pytest.fixture(scope="module")
def log(debian, certificates, tmp_path_factory):
    """What the trial said."""
    nspawn = program("systemd-nspawn", "apt-get install systemd-container")
    machine = tmp_path_factory.mktemp("machine")
    try:
        assert run("tar", "-xf", debian, "-C", machine, timeout=5 * MINUTES).returncode == 0
        shutil.copy(certificates, machine / str(certificates)[1:])
        _install(machine)
        boot = [nspawn, "-q", "--register=no", "--keep-unit", "--private-network", f"--directory={machine}", "--boot"]
        # files of this machine must not be written to by the one inside
        apart = ["--resolv-conf=off", "--timezone=off", "--link-journal=no"]
        booted = run(*boot, *apart, timeout=10 * MINUTES)
        if not (machine / "trial.log").exists():
            pytest.skip(f"no systemd boots here: run it where root may mount what it likes ({booted.stderr[-300:]})")
        yield (machine / "trial.log").read_text()
    finally:
        shutil.rmtree(machine)


def _install(machine: Path) -> None:
    source = machine / "src"
    (source / "deploy").mkdir(parents=True)
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("poller", "deploy/container"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for command in (
        "python3 -m venv /opt/poller",
        "/opt/poller/bin/pip install -q --require-hashes -r /src/deploy/container/requirements.txt",
        "/opt/poller/bin/pip install -q --require-hashes -r /src/deploy/container/build-requirements.txt",
        "/opt/poller/bin/pip install -q --no-deps --no-build-isolation /src",
    ):
        done = run("chroot", machine, *command.split(), timeout=10 * MINUTES)
        assert done.returncode == 0, done.stderr[-2000:]
    system = machine / "etc/systemd/system"
    for unit in (DEPLOY / "systemd").glob("*.service"):
        shutil.copy(unit, system)
    for path, text in {
        "etc/poller/poller.yaml": SHOP,
        "etc/poller/shop.yaml": SHOP,
        "etc/credstore/POLLER_API__TOKEN": "s3cret",
        "trial": TRIAL,
        "etc/systemd/system/trial.service": STARTED_BY,
    }.items():
        (machine / path).parent.mkdir(parents=True, exist_ok=True)
        (machine / path).write_text(text)
    (machine / "trial").chmod(0o755)
    wanted = system / "multi-user.target.wants/trial.service"
    wanted.parent.mkdir(exist_ok=True)
    wanted.symlink_to("/etc/systemd/system/trial.service")


def result(log: str, step: str, unit: str = "poller.service") -> dict[str, str]:
    (line,) = re.findall(rf"^{step} {re.escape(unit)} (.*)$", log, re.MULTILINE)
    return dict(re.findall(r"(\w+)=(.*?)(?= \w+=|\s*$)", line))


def test_both_units_are_started_once_they_are_ready(log):
    assert "started: 0" in log
    for unit in ("poller.service", "poller@shop.service"):
        assert result(log, "started", unit)["StatusText"].startswith("1 mapping: 1 problem (orders: ")


def test_they_run_as_nobody_with_no_rights_and_their_secrets_are_not_in_the_environment(log):
    assert re.search(r"^Uid:\t(6[1-5]\d{3})\t", log, re.MULTILINE)
    for line in ("NoNewPrivs:\t1", "Seccomp:\t2", "CapBnd:\t0000000000000000"):
        assert line in log
    assert "\n0\n-rw------- " in log
    # whoever may read the secret is answered, and each of the two without it
    assert "why is told" in log
    assert len(re.findall(r"^healthy$", log, re.MULTILINE)) == 2


def test_a_reload_is_told_to_it(log):
    assert "reloaded: 0" in log
    assert result(log, "reloaded")["NRestarts"] == "0"


def test_what_hangs_is_killed_with_its_stacks_in_the_journal_and_started_again(log):
    assert "Watchdog timeout" in log
    assert "Fatal Python error: Aborted" in log
    assert result(log, "hung", "poller@shop.service")["NRestarts"] == "1"


def test_it_stops_when_told(log):
    assert "stopped: 0" in log
    assert result(log, "stopped")["Result"] == "success"


def test_a_refused_configuration_is_said_once_and_not_tried_again(log):
    assert "refused: 1" in log
    assert result(log, "refused").items() >= {"Result": "exit-code", "ExecMainStatus": "2", "NRestarts": "0"}.items()
    assert log.count("nonsense: is not a known key") == 1
    assert "\nthe end\n" in log
