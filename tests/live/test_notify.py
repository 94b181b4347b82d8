"""What a service manager hears from a running daemon, from its start to its end."""

import signal
import socket

import pytest

from tests.live.daemon import WAIT_SECONDS, configuration, running

pytestmark = [pytest.mark.live, pytest.mark.heavy]


class Heard:
    """Messages in their order; each may be waited for once."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.states: list[str] = []

    def wait_for(self, state: str) -> str:
        """Wait for a message that begins so, and return it."""
        while True:
            message = self._listener.recv(4096).decode()
            self.states.append(message.split("\n")[0])
            if message.startswith(state):
                return message


@pytest.fixture
def listener(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.settimeout(WAIT_SECONDS)
        one.bind(str(tmp_path / "notify"))
        yield one


def test_ready_reloading_and_stopping_are_said_and_the_watchdog_is_fed(tmp_path, listener):
    heard = Heard(listener)
    environment = {"NOTIFY_SOCKET": listener.getsockname(), "WATCHDOG_USEC": "400000"}
    with running(configuration(tmp_path), environment) as daemon:
        assert heard.wait_for("READY=1") == "READY=1\nSTATUS=no mappings"
        heard.wait_for("WATCHDOG=1")

        daemon.signal(signal.SIGHUP)
        assert "\nMONOTONIC_USEC=" in heard.wait_for("RELOADING=1")
        assert heard.wait_for("READY=1") == "READY=1\nSTATUS=no mappings"

        (tmp_path / "poller.json").write_text('{"nonsense": 1}')
        daemon.signal(signal.SIGHUP)
        heard.wait_for("RELOADING=1")
        assert "is refused" in heard.wait_for("READY=1")
        heard.wait_for("WATCHDOG=1")

        daemon.stop()
        heard.wait_for("STOPPING=1")
