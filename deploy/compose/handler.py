"""A function as an HTTP service: takes the event Lambda would get, answers as a handler returns.

Every tenth order fails at first, to be seen again after the queue's visibility timeout.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def handler(event: dict) -> dict:
    """Ship the orders; name those that failed."""
    failures = []
    for record in event["Records"]:
        order = json.loads(record["body"])
        again = int(record["attributes"]["ApproximateReceiveCount"]) > 1
        shipped = again or order["number"] % 10
        print("shipped" if shipped else "failed", "order", order["number"])
        if not shipped:
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


class Service(BaseHTTPRequestHandler):
    """One invocation is one POST."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(handler(event))

    def do_GET(self) -> None:
        """Is it there? The health check asks."""
        self._answer({})

    def _answer(self, value: dict) -> None:
        answer = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """What was shipped says enough."""


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
    ThreadingHTTPServer(("", port), Service).serve_forever()
