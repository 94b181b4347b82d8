"""The channel between the parent and one worker: packets of JSON over a pair of sockets, some with a connection.

The parent says: `stop` (`hard`), `reload`, `live` (the numbers of the workers that run), `called` (the uuid of a
mapping of which another worker has more than it can take), `ended` (the name of a worker's process that is dead),
`look` (see `stored`). A packet with a socket says nothing else: requests come on it, of a client whose connection the
parent has accepted, or of the parent and other workers by a pair of sockets.

A worker says: `notify` (the lines for a service manager), `serving` (it takes connections), `call` (a uuid, see
`called`), `stored` (something was paused, resumed or made, which the others should read). A packet with a socket says
whom requests on it are for: the parent, or a worker (`to`, its number). The end of either process ends the channel,
which the other one sees.
"""

import json
import select
import socket
from typing import Any

PACKET = 65_536
"""Most bytes of a packet."""
SEND_SECONDS = 2.0
"""For which a full channel may block the sender."""

Packet = dict[str, Any]


class Channel:
    """One end. Either end may send from any thread: a packet is sent whole."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        end.settimeout(SEND_SECONDS)

    def send(self, packet: Packet, connection: socket.socket | None = None, *, at_once: bool = False) -> bool:
        """Send a packet, with a connection for the other process. Returns whether that was possible, with `at_once`
        without waiting for a channel that is full.
        """
        data = json.dumps(packet).encode()
        try:
            if at_once and not select.select([], [self.end], [], 0)[1]:
                return False
            if connection is None:
                self.end.send(data)
            else:
                socket.send_fds(self.end, [data], [connection.fileno()])
        except (OSError, ValueError):
            # it is closed, or the other end is
            return False
        return True

    def receive(self) -> tuple[Packet, socket.socket | None] | None:
        """The next packet, which is there already; None at the end of the other process."""
        try:
            data, files, _, _ = socket.recv_fds(self.end, PACKET, 1)
        except OSError:
            return None
        connection = socket.socket(fileno=files[0]) if files else None
        if not data:
            return None
        return json.loads(data), connection

    def close(self) -> None:
        """Close this end."""
        self.end.close()


def pair() -> tuple[Channel, socket.socket]:
    """The parent's end, and the socket of the worker's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Channel(ours), theirs
