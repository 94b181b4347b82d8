"""The recipe builds an image, and the image runs: as process 1, as nobody, with nothing to write to but its state."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.conftest import MINUTES
from tests.deploy.test_process_one import process_one_of
from tests.deploy.tools import ROOT, program, run
from tests.live.daemon import Daemon, until
from tests.servers.process import free_port

pytestmark = pytest.mark.slow

USER = 10001
MOUNTS = """
set -e
mount --bind "$1" "$1"
mount --rbind /dev "$1/dev"
mount --bind "$2" "$1/etc/poller"
mount --bind "$3" "$1/var/lib/poller"
mount -o remount,bind,ro "$1"
shift 3
exec "$@"
"""
"""What a container engine does for a read-only root with a configuration and a volume."""


class Image:
    """A built image, and a container of it that is mounted."""

    def __init__(self, buildah: list[str], name: str) -> None:
        self._buildah = buildah
        self.configuration: dict[str, Any] = json.loads(self.ask("inspect", "--type", "image", name))["Docker"][
            "config"
        ]
        container = self.ask("from", "--pull-never", name)
        self.root = Path(self.ask("mount", container))

    def ask(self, *arguments: object) -> str:
        ended = run(*self._buildah, *arguments, timeout=15 * MINUTES)
        assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
        return ended.stdout.strip()

    @property
    def environment(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.configuration["Env"])

    def program(self, name: str) -> str:
        """Where an engine finds it: no shell looks."""
        found = [folder for folder in self.environment["PATH"].split(":") if (self.root / folder[1:] / name).exists()]
        return f"{found[0]}/{name}"


@pytest.fixture(scope="module")
def image(debian, certificates, tmp_path_factory) -> Iterator[Image]:
    tool = program("buildah", "apt-get install buildah")
    folder = tmp_path_factory.mktemp("images")
    buildah = [tool, "--root", str(folder / "store"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"]
    build = [*buildah, "bud", "-q", "--isolation", "chroot", "--pull-never", "--format", "docker"]
    base, recipe = folder / "base", ROOT / "deploy/container/Dockerfile"
    base.mkdir()
    trust = f"{certificates}:{certificates}:ro"
    try:
        os.link(debian, base / "debian.tar")
        (base / "Dockerfile").write_text("FROM scratch\nADD debian.tar /\n")
        for command in (
            [*build, "-t", "base", base],
            [
                *build,
                "-t",
                "poller",
                "-f",
                recipe,
                *("--build-arg", "BASE=localhost/base", "--build-arg", "BUILDER=localhost/base"),
                "-v",
                trust,
                ROOT,
            ],
        ):
            built = run(*command, timeout=15 * MINUTES)
            assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
        made = Image(buildah, "poller")
        yield made
        made.ask("umount", "--all")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def container(image, tmp_path):
    """The image's own command, as an engine starts it."""
    port = free_port()
    for name in ("configuration", "state"):
        (tmp_path / name).mkdir()
    os.chown(tmp_path / "state", USER, USER)
    (tmp_path / "configuration/poller.yaml").write_text(f"api: {{listen: 127.0.0.1:{port}}}\n")
    entry, *arguments = image.configuration["Entrypoint"] + image.configuration["Cmd"]
    inside = [
        *("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", f"--root={image.root}"),
        *(f"--wd={image.configuration['WorkingDir']}", f"--setuid={USER}", f"--setgid={USER}"),
    ]
    process = subprocess.Popen(
        [
            *("unshare", "--mount", "sh", "-c", MOUNTS, "sh"),
            *(image.root, tmp_path / "configuration", tmp_path / "state"),
            *(*inside, image.program(entry), *arguments, "--allow-empty"),
        ],
        env={"PATH": os.environ["PATH"]} | image.environment | {"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    daemon = Daemon(process)
    try:
        yield daemon
    finally:
        # what changes its user is no longer bound to the death of its parent
        if process.poll() is None:
            os.kill(process_one_of(process.pid), signal.SIGKILL)
        daemon.end()


def test_it_runs_as_nobody_on_a_read_only_root_and_keeps_its_state(container, tmp_path):
    container.wait_for_log("api_listening")
    inside = process_one_of(container.process.pid)
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{inside}/status").read_text().splitlines())
    assert (status["Uid"].split(), status["NSpid"].split()[-1]) == ([str(USER)] * 4, "1")
    assert os.statvfs(f"/proc/{inside}/root").f_flag & os.ST_RDONLY
    state = tmp_path / "state/state.db"
    assert (state.stat().st_uid, state.stat().st_size > 0) == (USER, True)


def test_its_health_check_passes_and_its_stop_signal_ends_it(container, image):
    container.wait_for_log("api_listening")
    inside = process_one_of(container.process.pid)
    kind, check, *arguments = image.configuration["Healthcheck"]["Test"]
    assert kind == "CMD"
    enter = ("nsenter", f"--target={inside}", "--mount", "--pid", "--root", "--wd", "--setuid", USER, "--setgid", USER)

    def asked():
        return run(*enter, image.program(check), *arguments, env=image.environment)

    until(lambda: asked().returncode == 0, "the health check to pass")
    assert asked().stdout == "healthy\n"
    os.kill(inside, getattr(signal, image.configuration.get("StopSignal") or "SIGTERM"))
    assert container.wait() == 0
    assert container.logged("stop_requested", by="SIGTERM", kind="soft")


def test_it_holds_the_compiled_modules(container):
    container.wait_for_log("api_listening")
    assert container.logged("daemon_started", code="compiled")


def test_nothing_in_it_can_install_anything(image):
    assert not [path for path in (image.root / "opt/poller/bin").iterdir() if path.name.startswith(("pip", "uv"))]
