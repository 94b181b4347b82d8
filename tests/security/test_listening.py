"""Who can reach a daemon that was not told where to listen: this machine alone."""

import contextlib
import socket
from pathlib import Path

import pytest

from poller.configuration import load
from tests.live.daemon import configuration, running

LISTEN = "0A"
LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}


def sockets_of(pid):
    """Inodes of the sockets a process holds."""
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        # one that was closed since it was listed is no socket of the process any more
        with contextlib.suppress(FileNotFoundError):
            links.append(str(entry.readlink()))
    return {link.removeprefix("socket:[").removesuffix("]") for link in links if link.startswith("socket:[")}


def listening(pid):
    """Addresses, as the kernel writes them, that the process can be reached at from outside of it."""
    inodes, found = sockets_of(pid), []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        path = Path(f"/proc/{pid}/net/{table}")
        for row in path.read_text().splitlines()[1:] if path.exists() else []:
            _, local, _, state, *_, inode = row.split()[:10]
            if inode in inodes and (state == LISTEN or table.startswith("udp")):
                found.append(local.split(":"))
    return found


def test_the_default_is_loopback(tmp_path):
    path = tmp_path / "poller.yaml"
    path.write_text("event_source_mappings: []\n")
    assert socket.inet_aton(load([path], environ={}).settings.api.host)[0] == 127


@pytest.mark.live
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc to see every socket of a process")
def test_a_daemon_listens_on_loopback_and_nowhere_else(ministack, tmp_path):
    ministack.create_queue("q")
    mapping = {"event_source_arn": ministack.queue_arn("q"), "function_name": "f"}
    # the default's address; its port may be taken by whoever else runs tests here
    with running(configuration(tmp_path, mapping), ministack.environment()) as daemon:
        daemon.wait_until_running("q-f")
        found = listening(daemon.process.pid)
    assert len(found) == 1, "the HTTP server, and nothing else"
    assert {address for address, _ in found} <= LOOPBACK
