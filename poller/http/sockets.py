"""How every socket to another machine is made."""

import socket
from typing import Any

KEEP_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""The first probe after a minute of silence: NAT gateways and load balancers forget a connection after 350 s and less,
and the answer of an invocation that takes longer would never arrive. Two minutes of silence end it."""


def keep_alive(connection: socket.socket) -> None:
    """Have the kernel probe the other side while nothing is said."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEP_ALIVE.items():
        # macOS has another name for the first
        option = getattr(socket, name, None)
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


def new_socket(address: tuple[Any, ...]) -> socket.socket:
    """For one of `getaddrinfo`'s addresses, not connected yet."""
    family, kind, protocol, *_ = address
    made = socket.socket(family=family, type=kind, proto=protocol)
    keep_alive(made)
    return made
