"""The function of the live tests: an HTTP service in this process that judges by plan and writes a ledger.

A Lambda function that runs in the local AWS asks it too, so that both kinds are judged alike.
"""

import io
import json
import threading
import zipfile
from collections import deque
from http import HTTPStatus
from typing import cast

from tests.live.ledger import Ledger
from tests.servers.account import Account
from tests.servers.threaded import Handler, ThreadedServer

HUGE = 100 * 1024 * 1024
CHUNK = b" " * 65536

FORWARDER = '''
"""Has an event judged elsewhere."""
import json, os, urllib.request

def handler(event, context):
    request = urllib.request.Request(os.environ["JUDGE"], data=json.dumps(event).encode(), method="POST")
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())
'''


class Function(ThreadedServer):
    """Runs from `with` on, on a free port unless told which."""

    def __init__(self, ledger: Ledger | None = None, port: int = 0) -> None:
        super().__init__(_Invocation, port)
        self.ledger = ledger or Ledger()
        self.gate = threading.Event()
        """Invocations go on only while it is set."""
        self.gate.set()
        self._refusals: deque[tuple[int, str]] = deque()

    def refuse_next(self, count: int, status: int, retry_after: str) -> None:
        """Answer the next `count` requests with a status that says the function did not run."""
        self._refusals.extend([(status, retry_after)] * count)

    def refusal(self) -> tuple[int, str] | None:
        try:
            return self._refusals.popleft()
        except IndexError:
            return None

    def __exit__(self, *error: object) -> None:
        self.gate.set()
        super().__exit__(None, None, None)


class _Invocation(Handler):
    def do_POST(self) -> None:  # noqa: N802  (the base class calls it so)
        function = cast("Function", self.server)
        event = json.loads(self.body())
        if (refusal := function.refusal()) is not None:
            function.ledger.refuse()
            self.answer(refusal[0], b"later", Retry_After=refusal[1])
            return
        records = event["Records"]
        function.ledger.begin(records)
        function.gate.wait()
        verdict = function.ledger.end(records)
        match verdict.kind:
            case "answer":
                failures = [{"itemIdentifier": name} for name in verdict.failed]
                self.answer(200, json.dumps({"batchItemFailures": failures}).encode())
            case "batch":
                self.answer(HTTPStatus.INTERNAL_SERVER_ERROR, b"the whole batch failed")
            case "text":
                self.answer(200, b"{no json at all")
            case "garbage":
                self.wfile.write(b"\x00\xff no HTTP either\r\n" * 50)
                self.close_connection = True
            case "huge":
                self._answer_huge()
            case "never":
                function.closing.wait()

    def _answer_huge(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK)
        for _ in range(HUGE // len(CHUNK)):
            self.wfile.write(chunk)
        self.wfile.write(b"0\r\n\r\n")


def deploy_forwarder(account: Account, name: str, function: Function) -> None:
    """Deploy a Lambda function that has its events judged by `function`; its failures are errors of its own."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("forwarder.py", FORWARDER)
    account.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role=f"arn:aws:iam::{account.account}:role/{name}",
        Handler="forwarder.handler",
        Timeout=30,
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": {"JUDGE": function.url}},
    )
