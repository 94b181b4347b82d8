"""The HTTP server of the parent, on a socket: what it passes on, and that nobody can keep it from answering."""

import http.client
import socket
from typing import Any

import pytest

from poller.values.errors import EnvironmentProblem
from poller.workers.face import MOST_CONNECTIONS, serving


class Parent:
    """Without any worker."""

    was_ready = True

    def __init__(self):
        self.children: list[Any] = []

    def look(self, *, but):
        raise AssertionError(but)


def get(address, path, method="GET", **headers):
    host = address.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=20)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_it_answers_by_tcp_and_by_a_socket_which_it_removes(tmp_path):
    with serving("127.0.0.1:0", Parent()) as address:
        assert get(address, "/readyz") == (200, '{"status": "ready"}')
        assert get(address, "/status") == (503, '{"error": "no worker answers; try again soon"}')
    path = tmp_path / "api.sock"
    with serving(f"unix:{path}", Parent()) as address:
        assert address == f"unix:{path}"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert client.recv(1024).startswith(b"HTTP/1.1 200 ")
    assert not path.exists()


def test_an_address_that_is_taken_is_told_as_the_daemon_tells_it():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EnvironmentProblem, match="is already in use"), serving(f"127.0.0.1:{port}", Parent()):
            pass


def test_connections_that_dawdle_keep_nobody_out():
    with serving("127.0.0.1:0", Parent()) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        dawdling = [socket.create_connection((host, int(port))) for _ in range(2 * MOST_CONNECTIONS)]
        for one in dawdling:
            one.sendall(b"GET /")
        assert get(address, "/readyz")[0] == 200
        for one in dawdling:
            one.close()


def test_requests_that_it_does_not_take_are_refused_as_json():
    with serving("127.0.0.1:0", Parent()) as address:
        assert get(address, "/status", "BREW")[0] == 501
        code, body = get(address, "/reload", "POST", **{"Content-Length": "99999999"})
        assert (code, body[:10]) == (413, '{"error": ')
