"""An account that `poller check --connect` can reach, with one of each kind of source."""

import http.server
import json
import ssl
import threading
from contextlib import contextmanager

import structlog

from poller.aws.transports import Transports
from poller.cli.connect import reach_all
from poller.configuration import load
from tests.fakes.aws import FakeAws
from tests.http.scripted import CERTIFICATES

ACCOUNT = "123456789012"
QUEUE = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:orders"
FAILED = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:failed"
STREAM = f"arn:aws:kinesis:eu-west-1:{ACCOUNT}:stream/clicks"


class Served(Transports):
    """Stands where the daemon has its transports: all lead to one account in memory."""

    def __init__(self, aws):
        super().__init__(structlog.get_logger())
        self.aws = aws

    async def get(self, *_):
        return self.aws

    async def close(self):
        await self.aws.close()


class World:
    """An account with one of each."""

    def __init__(self, tmp_path):
        self.path = tmp_path / "poller.json"
        self.aws = FakeAws()
        self.queue = self.aws.queue("orders")
        self.queue.send("kept")
        self.aws.queue("failed")
        self.stream = self.aws.stream("clicks", shards=2)
        self.table = self.aws.table("carts")
        self.function = self.aws.function("ship")

    def mappings(self):
        streamed = {"function_name": "ship", "starting_position": "LATEST"}
        return [
            {"name": "orders", "event_source_arn": QUEUE, "function_name": "ship"},
            {
                "name": "clicks",
                "event_source_arn": STREAM,
                "destination_config": {"on_failure": {"destination": FAILED}},
                **streamed,
            },
            {"name": "carts", "event_source_arn": self.table.arn, **streamed},
        ]

    async def reach(self, *mappings, **settings):
        """What was found, by target."""
        self.path.write_text(json.dumps({**settings, "event_source_mappings": mappings or self.mappings()}))
        found = await reach_all(load([self.path], environ={}), Served(self.aws))
        return {target.name: target.tries for target in found}


def lines(tries):
    return "\n".join(tries.lines())


@contextmanager
def web_server(answer, *, certificate=None):
    """A service of one's own on this machine; `answer(handler)` writes what it says."""

    class Handler(http.server.BaseHTTPRequestHandler):
        do_HEAD = do_POST = answer  # noqa: N815 - the base class calls them so

        def log_message(self, *_):
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATES / f"{certificate}.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def web(url):
    return {"functions": {"web": {"type": "http", "url": url}}}
