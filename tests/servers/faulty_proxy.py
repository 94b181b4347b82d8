"""A proxy before a local AWS that hurts: resets, service errors, throttles, cut and slow answers, expired credentials.

Which request suffers what is drawn from a seeded generator, so that a run can be repeated as far as the order of
requests allows. Faults stop at once when the rate is set to 0.
"""

import http.client
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from tests.servers.threaded import Handler, ThreadedServer

FAULTS = ("reset_before", "reset_after", "error_before", "error_after", "unavailable", "throttle", "cut", "drip")
"""`before` the upstream server saw the request, or `after` it did its work."""
DRIPS = 10
DRIP_SECONDS = 0.05
NOT_PASSED_ON = {"connection", "content-length", "transfer-encoding", "keep-alive"}
TOKEN = re.compile(r"until-(\d+)")
"""A session token names the second at which it expires."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What an observer is told: once before a request is passed on, and once with its answer."""

    operation: str
    request: bytes
    answer: bytes | None = None


class FaultyProxy(ThreadedServer):
    """Passes requests on to `upstream`, or not; runs from `with` on."""

    def __init__(self, upstream: str, rate: float, seed: int, observe: Callable[[Exchange], None]) -> None:
        """`rate` is the share of requests with a fault."""
        super().__init__(_Connection)
        self.upstream = urlsplit(upstream)
        self.rate = rate
        self.observe = observe
        self.requests: Counter[str] = Counter()
        """By operation."""
        self.faults: Counter[str] = Counter()
        self._random = random.Random(seed)

    def fault(self, operation: str) -> str | None:
        """Draw what happens to the next request."""
        with self.lock:
            self.requests[operation] += 1
            fault = self._random.choice(FAULTS) if self._random.random() < self.rate else None
            if fault is not None:
                self.faults[fault] += 1
            return fault


class _Connection(Handler):
    def do_POST(self) -> None:  # noqa: N802  (the base class calls it so)
        proxy = cast("FaultyProxy", self.server)
        request = self.body()
        operation = self.headers.get("X-Amz-Target", "Invoke").rpartition(".")[2]
        if self._expired():
            proxy.faults["expired"] += 1
            self._refuse(403, "ExpiredTokenException")
            return
        fault = proxy.fault(operation)
        match fault:
            case "reset_before":
                self.reset()
            case "error_before":
                self._refuse(500, "InternalFailure")
            case "unavailable":
                self._refuse(503, "ServiceUnavailable")
            case "throttle":
                invoke = operation == "Invoke"
                self._refuse(429 if invoke else 400, "TooManyRequestsException" if invoke else "ThrottlingException")
            case _:
                proxy.observe(Exchange(operation, request))
                status, head, answer = self._pass_on(request)
                proxy.observe(Exchange(operation, request, answer))
                self._deliver(fault, status, head, answer)

    def _expired(self) -> bool:
        token = TOKEN.fullmatch(self.headers.get("X-Amz-Security-Token", ""))
        return token is not None and time.time() > int(token[1])

    def _refuse(self, status: int, code: str) -> None:
        body = json.dumps({"__type": code, "message": "on purpose"}).encode()
        self.answer(status, body, Content_Type="application/x-amz-json-1.0", x_amzn_ErrorType=code)

    def _pass_on(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        upstream = cast("FaultyProxy", self.server).upstream
        with closing(http.client.HTTPConnection(upstream.hostname or "", upstream.port, timeout=60)) as connection:
            connection.connect()
            self.server.track(connection.sock)
            try:
                connection.request("POST", self.path, request, dict(self.headers))
                answer = connection.getresponse()
                head = {name: value for name, value in answer.getheaders() if name.lower() not in NOT_PASSED_ON}
                return answer.status, head, answer.read()
            finally:
                self.server.forget(connection.sock)

    def _deliver(self, fault: str | None, status: int, head: dict[str, str], answer: bytes) -> None:
        match fault:
            case "reset_after":
                self.reset()
            case "error_after":
                self._refuse(500, "InternalFailure")
            case "cut":
                self._start(status, head, len(answer))
                self.wfile.write(answer[: len(answer) // 2])
                self.reset()
            case "drip":
                self._start(status, head, len(answer))
                step = max(1, len(answer) // DRIPS)
                for start in range(0, len(answer), step):
                    self.wfile.write(answer[start : start + step])
                    time.sleep(DRIP_SECONDS)  # the fault itself
            case _:
                self.answer(status, answer, **head)

    def _start(self, status: int, head: dict[str, str], length: int) -> None:
        lines = [f"HTTP/1.1 {status} whatever", f"Content-Length: {length}"]
        lines += [f"{name}: {value}" for name, value in head.items()]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode())
