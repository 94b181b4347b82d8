"""The HTTP server of the parent: one address for all workers, whose answers it merges.

A request goes on to workers with its headers, so it is they who judge token, host and origin. The standard library's
server is enough for requests that people and scrapers send, and a third of the memory of the daemon's own.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseServer
from typing import Any
from urllib.parse import urlsplit

from poller.daemon.api.listening import bind_unix, cannot_listen
from poller.workers.answers import Answer, Request, ask, refusal
from poller.workers.routes import Routes
from poller.workers.supervised import Supervised

MOST_CONNECTIONS = 32
"""Open at a time. One more costs the oldest its place."""
REQUEST_SECONDS = 10.0
"""For each read of a request."""
MOST_BODY = 65_536
"""Bytes of an order."""
BACKLOG = 32


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = REQUEST_SECONDS
    server_version = "poller"
    sys_version = ""
    error_message_format = '{"error": "%(message)s"}'
    error_content_type = "application/json"
    server: "_Server"

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > MOST_BODY:
            self.close_connection = True
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large, or of unknown length")
            return
        self._answer(self.rfile.read(int(length)))

    def _answer(self, body: bytes) -> None:
        request = Request(self.command, self.path, urlsplit(self.path).path, _headers(self.headers), body)
        try:
            answer = self.server.answer(request)
        except Exception as error:  # noqa: BLE001  (a bug in one answer must not keep the client waiting)
            text = f"a bug of ours kept this from being answered ({type(error).__name__}: {error})"
            answer = refusal(HTTPStatus.INTERNAL_SERVER_ERROR, text)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        """Requests are not logged."""

    def address_string(self) -> str:
        """Only for the log."""
        return ""


def _headers(given: Message) -> dict[str, str]:
    left_out = {"connection", "keep-alive", "transfer-encoding", "content-length", "accept-encoding", "upgrade", "te"}
    return {name: value for name, value in given.items() if name.lower() not in left_out}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = BACKLOG

    def __init__(self, listener: socket.socket, answer: Callable[[Request], Answer]) -> None:
        BaseServer.__init__(self, listener.getsockname(), _Handler)
        self.socket = listener
        self.server_name, self.server_port = "poller", 0
        self.answer = answer
        self._lock = threading.Lock()
        self._open: dict[socket.socket, None] = {}
        """The connections, the oldest first."""

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            if len(self._open) >= MOST_CONNECTIONS:
                # one that dawdles must not keep a probe out; its thread ends with the next read
                oldest = next(iter(self._open))
                del self._open[oldest]
                with suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)
            self._open[request] = None
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._open.pop(request, None)

    def handle_error(self, *_: object) -> None:
        """A connection that broke off is the client's own."""


@contextmanager
def serving(listen: str, parent: Supervised) -> Iterator[str]:
    """Answer while the context is open, and yield the address as `--api` takes it. Raises EnvironmentProblem."""
    routes = Routes(parent, ask)
    listener, address = _listener(listen)
    server = _Server(listener, routes.answer)
    thread = threading.Thread(target=server.serve_forever, name="http", daemon=True)
    thread.start()
    try:
        yield address
    finally:
        listener.close()
        if address.startswith("unix:"):
            Path(address.removeprefix("unix:")).unlink(missing_ok=True)


def _listener(listen: str) -> tuple[socket.socket, str]:
    if listen.startswith("unix:"):
        bound = bind_unix(Path(listen.removeprefix("unix:")))
        bound.listen(BACKLOG)
        return bound, listen
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    try:
        family = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0][0]
        bound = socket.create_server((host, int(port)), family=family, backlog=BACKLOG)
    except OSError as error:
        raise cannot_listen(listen, error) from error
    host, chosen = bound.getsockname()[:2]
    return bound, f"http://[{host}]:{chosen}" if ":" in host else f"http://{host}:{chosen}"
