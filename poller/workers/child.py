"""One worker as the parent knows it: its process, its channel, and when to start it again."""

import secrets
import subprocess
import sys
from dataclasses import dataclass
from math import inf
from os import getpid

from poller.policy.backoff import Backoff
from poller.workers.channel import Channel, pair
from poller.workers.spec import PLACE, WorkerSpec

AGAIN = Backoff(first=0.4, cap=30.0)
"""Between the end of a worker and its next start."""
PARENT = secrets.token_hex(4)
"""Names this parent among all that ever were; the names of its workers begin with it."""
LIVED_SECONDS = 60.0
"""After so long a life, the next death counts as the first."""


@dataclass(slots=True, eq=False)
class Child:
    """Times are those of the parent's clock, in seconds."""

    number: int
    of: int
    arguments: list[str]
    sign_seconds: float
    process: "subprocess.Popen[bytes] | None" = None
    channel: Channel | None = None
    name: str = ""
    """Of the present process, or of the last."""
    started_at: float = 0.0
    start_again_at: float = 0.0
    """When it is due to be started, while it does not run."""
    ends_by: float = inf
    """When it is killed unless it gives a sign of life."""
    failures: int = 0
    """Deaths in a row."""
    starts: int = 0
    was_ready: bool = False
    """Whether it has been ready in any of its lives."""
    ready: bool = False
    reloading: bool = False
    hung: bool = False
    """Whether it was found to give no sign of life."""
    serving: bool = False
    """Whether it takes connections."""
    text: str = "starting"
    """What it says of itself."""

    @property
    def runs(self) -> bool:
        return self.process is not None

    def start(self, now: float) -> None:
        """Start its process. Raises OSError."""
        ours, theirs = pair()
        self.name = f"{PARENT} {secrets.token_hex(8)}"
        spec = WorkerSpec(
            number=self.number,
            of=self.of,
            process=self.name,
            parent=getpid(),
            channel=theirs.fileno(),
            sign_seconds=self.sign_seconds,
        )
        command = [sys.executable, "-m", "poller", *self.arguments, PLACE, spec.text()]
        try:
            # a group of its own, so that Ctrl-C reaches the parent alone
            self.process = subprocess.Popen(  # noqa: S603  (our own program)
                command, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),), process_group=0
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self.channel = ours
        self.started_at, self.starts, self.text = now, self.starts + 1, "starting"
        # until it can give signs, only its end tells
        self.ends_by = inf

    def heard(self, lines: list[str], now: float) -> None:
        """It says this for the service manager."""
        for line in lines:
            name, _, value = line.partition("=")
            if name in ("WATCHDOG", "READY"):
                self.ends_by = now + self.sign_seconds
            elif name == "STOPPING":
                # its stop has a bound of its own
                self.ends_by, self.ready = inf, False
            if name == "READY":
                self.ready = self.was_ready = True
                self.reloading = False
            elif name == "RELOADING":
                self.reloading = True
            elif name == "STATUS":
                self.text = value

    def has_ended(self) -> int | None:
        """The exit code of its process, which is negative after a signal; None while it runs."""
        return None if self.process is None else self.process.poll()

    def ended(self, now: float, chance: float) -> None:
        """Its process has ended."""
        if self.channel is not None:
            self.channel.close()
        self.process = self.channel = None
        self.ready = self.reloading = self.serving = self.hung = False
        self.failures = 1 if now - self.started_at >= LIVED_SECONDS else self.failures + 1
        self.start_again_at = now + AGAIN.delay(self.failures, lambda: chance)
        self.text = "is started again"

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.kill()
