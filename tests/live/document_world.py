"""A function that takes every change of a stream, and the configuration of a mapping to it."""

import json
import threading
from pathlib import Path
from typing import Any

from tests.http.scripted import CERTIFICATES
from tests.live.daemon import configuration
from tests.servers.threaded import Handler, ThreadedServer

ARN = "arn:aws:rds:eu-west-1:123456789012:cluster:shop"


class Function(ThreadedServer):
    """Takes every event."""

    def __init__(self) -> None:
        super().__init__(_Invocation)
        self.changes: list[dict[str, Any]] = []
        self.lock = threading.Lock()

    @property
    def numbers(self) -> list[int]:
        """The ids of the documents that changed."""
        return [change["documentKey"]["_id"] for change in self.changes]


class _Invocation(Handler):
    server: Function

    def do_POST(self) -> None:  # noqa: N802 - the base class calls it so
        event = json.loads(self.body())
        assert event["eventSource"] == "aws:docdb"
        with self.server.lock:
            self.server.changes += [one["event"] for one in event["events"]]
        self.answer(200, b"null")


def written(tmp_path: Path, uri: str, function: Function, **mapping: Any) -> Path:
    """A configuration with one mapping. None leaves a key of the mapping out."""
    entry = {
        "name": "orders",
        "event_source_arn": ARN,
        "function_name": "fn",
        "starting_position": "TRIM_HORIZON",
        "document_db_event_source_config": {"database_name": "shop", "collection_name": "orders"},
        "mongodb": {"uri": uri, "tls_ca_file": str(CERTIFICATES / "authority.pem")},
        **mapping,
    }
    return configuration(
        tmp_path,
        {name: value for name, value in entry.items() if value is not None},
        functions={"fn": {"type": "http", "url": function.url}},
        state=f"sqlite:///{tmp_path / 'state.db'}",
    )
