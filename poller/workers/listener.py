"""Where the parent listens."""

import socket
from pathlib import Path

from poller.daemon.api.listening import bind_unix, cannot_listen

BACKLOG = 128


def listener_at(listen: str) -> tuple[socket.socket, str]:
    """A socket that listens at `HOST:PORT` or `unix:PATH`, and its address for clients. Raises EnvironmentProblem."""
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
