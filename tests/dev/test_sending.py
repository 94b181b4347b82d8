"""Where `poller send` sends and what, and that `poller dev` starts nothing beside a daemon that runs."""

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from poller.cli.main import main
from poller.sources.kinds import KINDS
from tests.dev.test_tools import MADE

ORDERS = "arn:aws:sqs:us-east-1:123456789012:orders"
Command = Callable[..., tuple[int, str, list[str]]]


class Queue(ThreadingHTTPServer):
    """The two calls of SQS that sending takes, and the bodies that came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.bodies: list[str] = []


class Answers(BaseHTTPRequestHandler):
    server: Queue

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {"QueueUrl": f"{self.server.url}/123456789012/orders"}
        if "MessageBody" in asked:
            self.server.bodies.append(asked["MessageBody"])
            md5 = hashlib.md5(asked["MessageBody"].encode(), usedforsecurity=False).hexdigest()
            answer = {"MessageId": "m-1", "MD5OfMessageBody": md5}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def queue() -> Iterator[Queue]:
    with Queue() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in a folder with a mapping `orders`: exit code, output, lines on stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    mapping = {"name": "orders", "event_source_arn": ORDERS, "function_name": "ship"}
    Path("poller.yaml").write_text(json.dumps({"event_source_mappings": [mapping]}), encoding="utf-8")

    def run(*arguments: str) -> tuple[int, str, list[str]]:
        with pytest.raises(SystemExit) as ended:
            main([*arguments])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err.splitlines()

    return run


@pytest.mark.parametrize("payload", ['{"order": 7}', "[1, 2]", '"text"', '{"order": "' + "x" * 5000 + '"}'])
def test_json_on_the_command_line_is_the_payload(
    command: Command, queue: Queue, monkeypatch: pytest.MonkeyPatch, payload: str
):
    monkeypatch.setenv("POLLER_AWS__ENDPOINT_URL", queue.url)
    assert command("send", "orders", payload) == (0, "orders: sent message m-1\n", [])
    assert queue.bodies == [payload]


def test_a_file_whose_name_begins_as_json_does_is_a_file(
    command: Command, queue: Queue, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("POLLER_AWS__ENDPOINT_URL", queue.url)
    Path("[1]").write_text("from a file\n", encoding="utf-8")
    assert command("send", "orders", "[1]")[0] == 0
    assert queue.bodies == ["from a file"]


def test_what_is_neither_a_file_nor_json_is_said_to_be(command: Command, queue: Queue, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("POLLER_AWS__ENDPOINT_URL", queue.url)
    code, _, said = command("send", "orders", "{order: 7}")
    assert (code, len(said), queue.bodies) == (2, 1, [])
    assert "{order: 7}: is neither a file nor JSON" in said[0]


def test_the_real_aws_is_sent_to_only_when_it_is_asked_for(
    command: Command, queue: Queue, monkeypatch: pytest.MonkeyPatch
):
    """The SDK would find it: here by its variable, elsewhere by the credentials of whoever types."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", queue.url)
    code, _, said = command("send", "orders")
    assert (code, len(said), queue.bodies) == (69, 1, [])
    assert "no `poller dev` runs in this folder" in said[0]
    assert "--aws" in said[0]
    assert command("send", "orders", "--aws")[0] == 0
    assert len(queue.bodies) == 1


@pytest.mark.parametrize("kind", MADE)
def test_a_folder_of_init_sends_nothing_to_aws(command: Command, tmp_path: Path, kind: str):
    Path("poller.yaml").unlink()
    assert command("init", "--source", kind)[0] == 0
    assert KINDS[kind].development is not None
    code, _, said = command("send", "orders")
    assert (code, "no `poller dev` runs in this folder" in said[0]) == (69, True)


@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_a_second_dev_on_the_same_address_starts_nothing(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str
):
    if family == "tcp":
        taken = socket.create_server(("127.0.0.1", 0))
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
    else:
        taken = socket.socket(socket.AF_UNIX)
        taken.bind(str(tmp_path / "api.sock"))
        taken.listen()
        listen = f"unix:{tmp_path}/api.sock"
    with taken:
        monkeypatch.setenv("POLLER_API__LISTEN", listen)
        code, out, said = command("dev")
    assert (code, out, len(said)) == (69, "", 1)
    assert f"{listen} is already in use" in said[0]
    assert not Path(".poller").exists()
