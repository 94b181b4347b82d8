"""The commands that ask a running daemon: its address and token, and pause, resume and reload."""

import asyncio
import json
import socket
import threading
from typing import Any

import pytest

from poller.cli import client
from poller.ports.daemon_status import Changes, Reloaded
from tests.cli.running import a_running_daemon
from tests.daemon.samples import a_mapping


def test_the_token_comes_from_the_configuration(poller, tmp_path):
    with a_running_daemon(tmp_path, a_mapping(), token="s3cret") as configuration:
        assert poller("status", "--config", configuration)[0] == 0
        code, _, err = poller("status", "--api", f"unix:{tmp_path}/api.sock")
        assert code == 2
        assert "refuses the token; set api.token" in err
        assert poller("health", "--api", f"unix:{tmp_path}/api.sock")[0] == 0


def test_a_server_that_is_no_poller_is_told_apart(poller, tmp_path):
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

    async def serve_one(listening, address):
        async def reply(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.close()
            done.set()

        done = asyncio.Event()
        async with await asyncio.start_server(reply, "127.0.0.1", 0) as server:
            address.append(server.sockets[0].getsockname()[1])
            listening.set()
            await done.wait()

    address: list[Any]
    listening, address = threading.Event(), []
    thread = threading.Thread(target=lambda: asyncio.run(serve_one(listening, address)))
    thread.start()
    assert listening.wait(10)
    code, _, err = poller("status", "--api", f"http://127.0.0.1:{address[0]}")
    thread.join()
    assert code == 1
    assert "answers 200, not the status of a poller" in err


@pytest.mark.parametrize("address", ["localhost:8642", "ftp://localhost", "unix:", "http://localhost:port", "http://"])
def test_an_address_that_cannot_be_one_ends_with_2(poller, address):
    code, _, err = poller("health", "--api", address)
    assert code == 2
    assert err == f"poller: --api {address}: must be http://HOST:PORT or unix:PATH\n"


def test_a_port_the_daemon_chose_must_be_named(poller, tmp_path):
    (tmp_path / "poller.yaml").write_text("api: {listen: '127.0.0.1:0'}\n")
    code, _, err = poller("health")
    assert code == 2
    assert "give the address it logged as api_listening with --api" in err


def test_pause_and_resume_say_what_became_of_the_mapping(poller, tmp_path):
    mapping = a_mapping("größer / kleiner")
    with a_running_daemon(tmp_path, mapping, token="s3cret") as config:
        assert poller("pause", mapping.name, "--config", config, "--dry-run") == (0, "would: It would pause.\n", "")
        assert poller("actions", "--config", config) == (0, "nothing was done by hand\n", "")
        told = f"It did pause.\n{mapping.name}: paused (by a test)\n"
        assert poller("pause", mapping.name, "--config", config, "--why", "a bad deploy\x1b[2J") == (0, told, "")
        assert poller("resume", mapping.uuid, "--config", config) == (
            0,
            f"It did resume.\n{mapping.name}: running\n",
            "",
        )
        code, out, _ = poller("actions", mapping.name, "--config", config)
        first, why, effect, second, _ = out.splitlines()
        assert (code, why, effect) == (0, "  because: a bad deploy\\x1b[2J", "  It did pause.")
        assert f"{mapping.name}: pause, by " in first
        assert second.endswith(" over the api")
        assert poller("actions", mapping.name, "--config", config, "--most", 1)[1].count("by ") == 1
        assert poller("skip", mapping.name, "--config", config) == (
            1,
            "",
            f"poller: unix:{tmp_path}/api.sock: no batch waits\n",
        )


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_a_mapping_the_daemon_does_not_have_cannot_be_steered(poller, tmp_path, command):
    with a_running_daemon(tmp_path, a_mapping("orders")) as config:
        code, out, err = poller(command, "order", "--config", config)
        assert (code, out) == (1, "")
        assert err.endswith("there is no mapping order; there are: orders\n")


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_steering_with_a_wrong_token_or_nobody_there_is_told(poller, tmp_path, command):
    (tmp_path / "other.yaml").write_text("api: {token: wrong}\n")
    with a_running_daemon(tmp_path, a_mapping("orders"), token="s3cret"):
        code, _, err = poller(command, "orders", "--config", "other.yaml", "--api", f"unix:{tmp_path}/api.sock")
        assert (code, "refuses the token" in err) == (2, True)
    code, _, err = poller(command, "orders", "--config", "other.yaml", "--api", f"unix:{tmp_path}/api.sock")
    assert (code, "no poller answers" in err) == (1, True)


@pytest.mark.parametrize("broken", ["functions: [\n", "nonsense: 1\n", "event_source_mappings: [{name: x}]\n"])
@pytest.mark.parametrize("command", ["why", "status", "health", "pause", "resume"])
def test_a_running_daemon_is_asked_though_its_configuration_was_broken_since(poller, tmp_path, command, broken):
    """They are needed most when a file was just broken."""
    arguments = ["orders"] if command in ("pause", "resume") else []
    with a_running_daemon(tmp_path, a_mapping()) as running:
        configuration = tmp_path / "poller.yaml"
        configuration.write_text(f"api: {json.dumps(json.loads(running.read_text())['api'])}\n{broken}")
        code, out, err = poller(command, *arguments, "--config", configuration)
    assert (code, bool(out)) == (0, True)
    warning, *problems = err.splitlines()
    assert warning.startswith("warning: the configuration cannot be loaded; ")
    assert problems
    assert all(problem.startswith(f"  {configuration}:") for problem in problems)


def test_a_daemon_whose_address_cannot_be_read_has_to_be_named(poller, tmp_path):
    configuration = tmp_path / "poller.yaml"
    configuration.write_text("api: [\n")
    code, out, err = poller("why", "--config", configuration)
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == "poller: api.listen cannot be read: say with --api where the daemon listens"
    with a_running_daemon(tmp_path, a_mapping()) as running:
        address = json.loads(running.read_text())["api"]["listen"]
        code, out, _ = poller("health", "--config", configuration, "--api", address)
    assert (code, out) == (0, "healthy\n")


def test_a_token_that_cannot_be_read_is_a_warning_and_the_daemon_says_whether_it_wants_one(poller, tmp_path):
    with a_running_daemon(tmp_path, a_mapping()) as running:
        settings = json.loads(running.read_text())["api"]
        configuration = tmp_path / "poller.json"
        configuration.write_text(json.dumps({"api": {**settings, "token": {"file": str(tmp_path / "gone")}}}))
        code, out, err = poller("why", "--config", configuration)
    assert (code, out) == (0, "orders: running\n")
    assert "warning: " in err
    assert "gone" in err


def test_reload_says_what_it_changed(poller, tmp_path):
    changes = Changes(added=["new", "newer"], removed=["orders"], unchanged=3)
    with a_running_daemon(tmp_path, reloaded=Reloaded(changes=changes, warnings=["odd"])) as configuration:
        code, out, err = poller("reload", "--config", configuration)
    assert (code, out, err) == (0, "reloaded: added new, newer; removed orders; 3 unchanged\n", "warning: odd\n")


def test_a_refused_reload_ends_with_1_and_the_report(poller, tmp_path):
    refused = Reloaded(["poller.yaml:3: batch_size: must be at most 10", "poller.yaml:4: name: is missing"])
    with a_running_daemon(tmp_path, reloaded=refused) as configuration:
        code, out, err = poller("reload", "--config", configuration)
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "poller: the changed configuration is refused, and what ran before runs on:",
        "poller: poller.yaml:3: batch_size: must be at most 10",
        "poller: poller.yaml:4: name: is missing",
    ]


def test_an_order_is_waited_for_longer_than_a_look_and_its_want_of_an_answer_is_no_missing_daemon(
    tmp_path, monkeypatch
):
    path, asked, answers = tmp_path / "api.sock", [], threading.Event()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve():
            for _ in range(3):
                connection, _ = listening.accept()
                asked.append(connection.recv(1000).split()[0])
                if answers.is_set():
                    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{"state":"running"}')
                connections.append(connection)

        connections: list[socket.socket] = []
        serving = threading.Thread(target=serve)
        serving.start()
        daemon = client.Client(f"unix:{path}", None)
        monkeypatch.setattr(client, "ORDER_TIMEOUT", 0.01)
        with pytest.raises(client.NoAnswer, match=r"did not answer within 0\.01 s; what was asked may be done still"):
            daemon.order("orders", "skip", {})
        answers.set()
        monkeypatch.setattr(client, "ORDER_TIMEOUT", 30.0)
        assert daemon.order("orders", "skip", {}) == {"state": "running"}
        with pytest.raises(client.NoAnswer, match="not the status of a poller"):
            daemon.status()
        serving.join()
        for connection in connections:
            connection.close()
    assert asked == [b"POST", b"POST", b"GET"]
