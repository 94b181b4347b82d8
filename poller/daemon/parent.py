"""How the process that has read `workers` becomes the parent of so many: it starts anew as `poller.workers`, under its
process id and without what reading the configuration took of memory.
"""

import os
import signal
import sys
from typing import NoReturn

from poller.configuration import Configuration
from poller.daemon.process_stop import AFTER_GRACE_SECONDS
from poller.support import telemetry
from poller.workers.spec import ParentSpec


def become(configuration: Configuration, arguments: list[str]) -> NoReturn:
    """Replace this process. `arguments` are those of `poller`."""
    settings = configuration.settings
    spec = ParentSpec(
        workers=settings.workers,
        arguments=arguments,
        listen=settings.api.listen,
        grace_seconds=settings.shutdown_grace_seconds,
        stop_seconds=AFTER_GRACE_SECONDS,
        log=settings.log.format,
    )
    telemetry.flush()
    # they wait until the parent handles them
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
    os.execv(sys.executable, [sys.executable, "-m", "poller.workers", spec.text()])  # noqa: S606  (our own program)
