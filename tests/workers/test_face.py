"""The HTTP server of the parent, on a socket: what it passes on, and that nobody can keep it from answering."""

import http.client
import socket
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest

from poller.values.errors import EnvironmentProblem
from poller.workers.channel import Channel, pair
from poller.workers.child import Child
from poller.workers.face import MOST_WAITING, serving


class Parent:
    """Without any worker."""

    was_ready = True

    def __init__(self):
        self.children: list[Any] = []

    serve: Any = None


@contextmanager
def workers(parent, count):
    """The other ends of their channels."""
    with ExitStack() as stack:
        found = []
        for number in range(1, count + 1):
            ours, theirs = pair()
            theirs.settimeout(20)
            parent.children.append(Child(number, count, [], 30.0, channel=ours, serving=True))
            found.append(Channel(theirs))
            stack.callback(ours.close)
            stack.callback(theirs.close)
        yield found


def client_of(address):
    host, _, port = address.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=20)


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
        dawdling = [client_of(address) for _ in range(2 * MOST_WAITING)]
        for one in dawdling:
            # the first have lost their places
            with suppress(ConnectionError):
                one.sendall(b"GET /")
        assert get(address, "/readyz")[0] == 200
        for one in dawdling:
            one.close()


def test_orders_that_it_does_not_take_are_refused_as_json():
    with serving("127.0.0.1:0", Parent()) as address:
        code, body = get(address, "/reload", "POST", **{"Content-Length": "99999999"})
        assert (code, body[:10]) == (413, '{"error": ')
        code, body = get(address, "/reload", "POST", **{"Transfer-Encoding": "chunked"})
        assert (code, body[:10]) == (413, '{"error": ')


def test_a_connection_with_any_other_request_is_given_whole_to_one_worker_each_in_its_turn():
    parent = Parent()
    request = b"POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    with workers(parent, 2) as both, serving("127.0.0.1:0", parent) as address:
        for worker in both:
            with client_of(address) as client:
                client.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n" + request)
                assert client.recv(1024).endswith(b'{"status": "ready"}')
                packet, given = worker.receive()
                with given:
                    assert (packet, given.recv(1024)) == ({}, request)
                    given.sendall(b"from the worker")
                    given.shutdown(socket.SHUT_RDWR)
                assert client.recv(1024) == b"from the worker"


def test_a_worker_that_has_gone_is_passed_over_and_without_any_the_client_is_told():
    parent = Parent()
    with workers(parent, 2) as (gone, left), serving("127.0.0.1:0", parent) as address:
        gone.close()
        for _ in range(2):
            with client_of(address) as client:
                client.sendall(b"GET / HTTP/1.1\r\n\r\n")
                with left.receive()[1] as given:
                    assert given.recv(1024).startswith(b"GET / ")
                assert client.recv(1024) == b""
        left.close()
        assert get(address, "/") == (503, '{"error": "no worker takes connections; try again soon"}')


def test_what_is_no_request_is_for_a_worker_to_refuse():
    parent = Parent()
    with workers(parent, 1) as (worker,), serving("127.0.0.1:0", parent) as address, client_of(address) as client:
        client.sendall(b"what?\r\n\r\n")
        with worker.receive()[1] as given:
            assert given.recv(1024) == b"what?\r\n\r\n"
