"""The parent's own lines of the log, in the form of the daemon's: it has no other log, since that costs memory.

Of the daemon's events it has `api_listening`, `ready` (every worker is), `stop_requested` and `reload_requested`.

| event | level | when |
|---|---|---|
| workers_started | info | the parent begins to start its workers |
| worker_started | info | a worker's process was started |
| worker_ended | error | a worker's process has ended although nobody asked it to; it is started again |
| worker_hung | error | a worker gave no sign of life for too long, and is killed |
| workers_stopped | info | every worker has ended |
"""

import json
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from poller.support.printable import printable


class Log:
    """Writes lines on stderr, beside the workers'."""

    def __init__(self, form: str) -> None:
        """`form` is json or console."""
        self._json = form == "json"

    def __call__(self, level: str, event: str, **fields: Any) -> None:
        """Write one line. Never raises."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        if self._json:
            line = json.dumps({"timestamp": now, "level": level, "event": event, **fields})
        else:
            shown = " ".join(f"{name}={printable(str(value))}" for name, value in fields.items())
            line = f"{now} [{level}] {event} {shown}"
        with suppress(OSError):
            # in one write, so that lines of several processes do not mix
            os.write(sys.stderr.fileno(), f"{line}\n".encode())
