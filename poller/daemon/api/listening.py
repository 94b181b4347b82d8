"""Listening on a Unix socket, and what to say where an address cannot be listened on."""

import errno
import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from poller.values.errors import EnvironmentProblem

if TYPE_CHECKING:
    # the parent of several workers listens too, and stays small
    from poller.configuration import ApiSettings

SOCKET_UMASK = 0o117
"""Leaves 0660: the socket's owner and group."""


def bind_unix(path: Path) -> socket.socket:
    """Bind a socket for the owner and the group. Raises EnvironmentProblem."""
    try:
        _remove_stale(path)
        listener = socket.socket(socket.AF_UNIX)
        previous = os.umask(SOCKET_UMASK)
        try:
            listener.bind(str(path))
        except OSError:
            listener.close()
            raise
        finally:
            os.umask(previous)
    except OSError as error:
        raise cannot_listen(f"unix:{path}", error) from error
    return listener


def check_free(api: "ApiSettings") -> None:
    """For whoever has much to do before the daemon listens. Raises EnvironmentProblem where it could not listen now."""
    if api.socket is not None:
        bind_unix(api.socket).close()
        api.socket.unlink(missing_ok=True)
        return
    family = socket.AF_INET6 if ":" in api.host else socket.AF_INET
    try:
        socket.create_server((api.host, api.port), family=family).close()
    except OSError as error:
        raise cannot_listen(api.listen, error) from error


def _remove_stale(path: Path) -> None:
    """Remove the socket a killed daemon left. One that still answers, or a file of another kind, is not ours."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise EnvironmentProblem(f"unix:{path} cannot be listened on: a file that is no socket is in its place")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def cannot_listen(where: str, error: OSError) -> EnvironmentProblem:
    """Why an address cannot be listened on, for people."""
    if error.errno == errno.EADDRINUSE:
        return EnvironmentProblem(
            f"{where} is already in use, perhaps by another poller; stop that process or choose another api.listen"
        )
    if isinstance(error, socket.gaierror) or not error.errno:
        reason = error.strerror or str(error)
    else:
        # asyncio words the message as an error of its own
        reason = os.strerror(error.errno)
    return EnvironmentProblem(f"{where} cannot be listened on: {reason}; choose another api.listen")
