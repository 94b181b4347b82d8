"""Connects a socket to an origin: resolves the name, then races the addresses."""

import socket

import aiohappyeyeballs

from poller.http.names import NAMES
from poller.http.reply import Origin
from poller.http.sockets import new_socket

NEXT_ADDRESS_AFTER = 0.25
"""Seconds until the next address is tried in parallel: RFC 8305's recommendation."""


async def dial(origin: Origin) -> socket.socket:
    """Non-blocking, connected, TCP_NODELAY set, kept alive. Raises OSError and UnicodeError.

    Not by `create_connection` alone, because uvloop's tries the addresses one after the other, and one that swallows
    packets would use up the whole time for connecting.
    """
    try:
        # an IP address needs no resolver thread
        found = socket.getaddrinfo(
            origin.host, origin.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        )
    except socket.gaierror:
        found = await NAMES.addresses(origin.host, origin.port)
    try:
        connected = await aiohappyeyeballs.start_connection(
            found, happy_eyeballs_delay=NEXT_ADDRESS_AFTER, socket_factory=new_socket
        )
    except RuntimeError as error:
        # uvloop raises this for some failures of sock_connect
        raise OSError(str(error)) from error
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected
