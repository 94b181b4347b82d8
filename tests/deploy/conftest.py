"""A Debian of the test's own, to build an image from and to boot systemd in."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.tools import as_root, program, run

PACKAGES = "python3,python3-venv,python3-dev,gcc,libc6-dev,ca-certificates,systemd,systemd-sysv"
MINUTES = 60


@pytest.fixture(scope="session")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A tar of its root directory; removed with all that is made of it, which is a gigabyte."""
    as_root()
    maker = program("mmdebstrap", "apt-get install mmdebstrap")
    folder = tmp_path_factory.mktemp("debian")
    tar = folder / "debian.tar"
    made = run(
        maker, "--mode=root", "--variant=minbase", f"--include={PACKAGES}", "bookworm", tar, timeout=10 * MINUTES
    )
    if made.returncode:
        pytest.skip(f"no Debian could be made: check that this machine reaches its mirrors ({made.stderr[-300:]})")
    yield tar
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def certificates() -> Path:
    """What this machine trusts, for a pip in there that has to reach where the one here does."""
    path = Path("/etc/ssl/certs/ca-certificates.crt")
    if not path.is_file():
        pytest.skip("this machine has no certificates: apt-get install ca-certificates")
    return path
