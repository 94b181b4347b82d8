"""Creates the sockets for connections to other machines."""

import socket
from typing import Any

KEEP_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""TCP keepalive, first probe after 60 s of silence: NAT gateways and load balancers forget connections after 350 s or
less, and the answer of a longer invocation would never arrive. Two minutes of silence end the connection."""


def keep_alive(connection: socket.socket) -> None:
    """Make the kernel probe the other side of an idle connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEP_ALIVE.items():
        # macOS has another name for the first option
        option = getattr(socket, name, None)
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


def new_socket(address: tuple[Any, ...]) -> socket.socket:
    """Create a socket for one of `getaddrinfo`'s addresses, not connected yet."""
    family, kind, protocol, *_ = address
    made = socket.socket(family=family, type=kind, proto=protocol)
    keep_alive(made)
    return made
