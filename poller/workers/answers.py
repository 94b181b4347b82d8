"""One request to the API of one worker, over a connection that the parent hands to it."""

import http.client
import json
import socket
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Self

from poller.workers.child import Child

LOOK_SECONDS = 5.0
"""For each read of an answer to a look: a worker whose loop lags longer is unhealthy."""
ORDER_SECONDS = 65.0
"""The same for what changes something. A worker itself gives up after 60 s."""
PASSED = frozenset({"Content-Type", "WWW-Authenticate", "Allow"})
"""Headers of a worker's answer that the client gets."""
JSON = {"Content-Type": "application/json; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks."""

    method: str
    target: str
    """Path and query."""
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    closes: bool = True
    """Whether the connection ends with it."""

    @property
    def wants_html(self) -> bool:
        """Whether a browser asks for a page."""
        return "text/html" in self.header("accept")

    def header(self, name: str) -> str:
        """The value of a header, whose name is given in lower case; empty where there is none."""
        return next((value for key, value in self.headers.items() if key.lower() == name), "")

    def passed_on(self, without: AbstractSet[str], body: bytes) -> Self:
        """With its body, and without headers that are between two neighbours only."""
        headers = {name: value for name, value in self.headers.items() if name.lower() not in without}
        return replace(self, headers=headers, body=body)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def document(self) -> Any:
        """The JSON in the body. Raises ValueError."""
        return json.loads(self.body)


def as_json(document: object, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    """A document as an answer."""
    return Answer(status, JSON, json.dumps(document).encode())


def refusal(status: HTTPStatus, text: str) -> Answer:
    """Why nothing was done."""
    return as_json({"error": text}, status)


def ask(child: Child, request: Request) -> Answer | None:
    """The worker's answer; None where it gives none."""
    channel = child.channel
    if channel is None or not child.serving:
        return None
    ours, theirs = socket.socketpair()
    try:
        if not channel.send({}, theirs):
            return None
        theirs.close()
        ours.settimeout(LOOK_SECONDS if request.method == "GET" else ORDER_SECONDS)
        connection = http.client.HTTPConnection("worker")
        connection.sock = ours
        connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers.items():
            connection.putheader(name, value)
        connection.putheader("Connection", "close")
        connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body or None)
        answer = connection.getresponse()
        shown = {name: value for name, value in answer.getheaders() if name in PASSED}
        return Answer(answer.status, shown, answer.read())
    except (OSError, http.client.HTTPException):
        return None
    finally:
        ours.close()
        theirs.close()
