"""mongo-java-server, which its authors wrote from MongoDB's protocol: a change log that is not of our making."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent / "java"
FETCH_SECONDS = 240
COMMAND_SECONDS = 60


@contextmanager
def java_server(folder: Path) -> Iterator[str]:
    """Its connection string; it ends with the block. `folder` is for what is built."""
    java, javac, maven = (_program(name) for name in ("java", "javac", "mvn"))
    classes = f"{_libraries(maven, folder)}:{folder}"
    compiling = [javac, "-cp", classes, "-d", str(folder), str(SOURCES / "ChangeStreamServer.java")]
    subprocess.run(compiling, check=True, capture_output=True, timeout=COMMAND_SECONDS)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [java, "-cp", classes, "ChangeStreamServer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = process.stdout.readline().decode().strip()
        assert port, (folder / "log").read_text()
        yield f"mongodb://127.0.0.1:{port}/?directConnection=true"
    finally:
        process.stdin.close()
        process.wait(COMMAND_SECONDS)
        process.stdout.close()


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: install a JDK and Maven for these tests (apt-get install maven)")
    return found


def _libraries(maven: str, folder: Path) -> str:
    paths = folder / "classpath"
    command = [maven, "-q", "-B", "-f", str(SOURCES / "pom.xml"), "dependency:build-classpath"]
    found = subprocess.run(
        [*command, f"-Dmdep.outputFile={paths}"], capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
    )
    if found.returncode:
        pytest.skip(f"Maven could not fetch mongo-java-server; give it a repository that has it: {found.stdout[-500:]}")
    return paths.read_text().strip()
