"""The parent, as its HTTP server sees it."""

import socket
from collections.abc import Callable
from typing import Protocol

from poller.workers.child import Child


class Supervised(Protocol):
    """Read from threads of the server."""

    children: list[Child]
    was_ready: bool
    serve: Callable[[socket.socket], None]
    """Set by the server: serves a connection of a worker."""
