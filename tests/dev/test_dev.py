"""From an empty folder to a running handler on a local queue, as a person types it."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

POLLER = [sys.executable, "-m", "poller"]
SECONDS = 60
"""For each thing that has to happen."""


class Developing:
    """A `poller dev` and its output, line by line."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment
        self.process = subprocess.Popen(
            [*POLLER, "dev"], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines: list[str] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._more:
                self.lines.append(line)
                self._more.notify_all()

    def until(self, pattern: str) -> None:
        with self._more:
            found = self._more.wait_for(lambda: any(re.search(pattern, line) for line in self.lines), SECONDS)
        assert found, "".join(self.lines)

    def run(self, *arguments: str) -> str:
        command = [*POLLER, *arguments]
        ended = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=SECONDS
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(SECONDS)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


TUTORIAL = Path(__file__).parents[2] / "docs/tutorial.md"


def steps() -> list[str]:
    """The commands of the tutorial, but for those that need an account."""
    local = TUTORIAL.read_text(encoding="utf-8").partition("## 5. With your account")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```$", local, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_tutorial_does_what_it_says(tmp_path: Path):
    """Every command in its order, as it stands there, each in a shell of its own."""
    pytest.importorskip("ministack", reason="pip install '.[demo]': it brings the local AWS")
    pytest.importorskip("awslambdaric", reason="pip install awslambdaric: it runs Python handlers")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    commands = steps()
    running = commands.index("poller dev")
    assert commands[0].startswith("poller init")
    for command in commands[:running]:
        words = [*POLLER, *command.split()[1:]]
        ended = subprocess.run(
            words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
        )
        assert ended.returncode == 0, (command, ended.stderr)
    environment["POLLER_API__LISTEN"] = f"unix:{tmp_path}/api.sock"
    developing = Developing(tmp_path, environment)
    try:
        developing.until(r"\] ready")
        said = {command: developing.run(*command.split()[1:]) for command in commands[running + 1 :]}
        developing.until(r"orders -> ship: 1 record, .*succeeded")
        assert "sent message" in said["poller send orders"]
        assert "orders" in said["poller status"]
        assert developing.interrupt() == 0
    finally:
        developing.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["sqs", "kinesis", "dynamodb"])
def test_from_an_empty_folder_to_a_running_handler(tmp_path: Path, kind: str):
    pytest.importorskip("ministack", reason="pip install '.[demo]': it brings the local AWS")
    pytest.importorskip("awslambdaric", reason="pip install awslambdaric: it runs Python handlers")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    environment["POLLER_API__LISTEN"] = f"unix:{tmp_path}/api.sock"
    command = [*POLLER, "init", "--source", kind]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, stdin=subprocess.DEVNULL, timeout=SECONDS)
    developing = Developing(tmp_path, environment)
    try:
        developing.until(r"\] ready")
        developing.until(r"^next: poller send orders$")
        assert "sent" in developing.run("send", "orders")
        developing.until(r"orders -> ship: 1 record, .*succeeded")
        code = tmp_path / "functions/ship/app.py"
        code.write_text(code.read_text() + "\n\ndef handle(record):\n    print('the code is new')\n")
        developing.until("workers_restarted")
        developing.run("send", "orders")
        developing.until("the code is new")
        assert developing.interrupt() == 0, "".join(developing.lines)
        assert not (tmp_path / ".poller/dev.json").exists()
    finally:
        developing.close()


@pytest.mark.live
@pytest.mark.heavy
@pytest.mark.timeout(120)
def test_a_named_endpoint_on_this_machine_is_used_and_its_queue_created(tmp_path: Path, ministack):
    pytest.importorskip("awslambdaric", reason="pip install awslambdaric: it runs Python handlers")
    environment = {**ministack.environment(), "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    environment |= {"PYTHONPATH": str(Path(__file__).parents[2]), "POLLER_API__LISTEN": "127.0.0.1:0"}
    code = tmp_path / "app.py"
    code.write_text("def handler(event, context):\n    return {}\n")
    configuration = f"""
aws: {{region: {ministack.region}, endpoint_url: "{ministack.url}"}}
functions: {{ship: {{type: runtime, handler: app.handler, code: .}}}}
event_source_mappings: [{{name: orders, event_source_arn: "{ministack.queue_arn("orders")}", function_name: ship}}]
"""
    (tmp_path / "poller.yaml").write_text(configuration)
    developing = Developing(tmp_path, environment)
    try:
        developing.until(r"\] ready")
        developing.until(r"^page: http://127\.0\.0\.1:\d+/   next: poller send orders$")
        assert not any("a local AWS runs" in line for line in developing.lines)
        assert "sent message" in developing.run("send", "orders")
        developing.until(r"orders -> ship: 1 record, .*succeeded")
        assert developing.interrupt() == 0
    finally:
        developing.close()
