"""The order in which the process stops. Every step has a bound, so that every stop ends by itself.

| step | what | at most |
|---|---|---|
| soft stop | mappings receive no more, settle what runs, release the rest | the grace period, or the second signal |
| hard stop | what still runs is cancelled | `HARD_STOP_SECONDS` |
| closing | background tasks, API, functions with their workers, connections, traces | `CLOSE_SECONDS` |
| leftovers | tasks that are still there are cancelled (`accelerators.run`) | `accelerators.LEFTOVER_SECONDS`, twice |
| state | what was handed over is written, the file is closed | `sqlite.CLOSE_SECONDS` |
| log | what was logged is written | `telemetry.FLUSH_SECONDS` |
| exit | the process ends without waiting for threads (`leave`) | at once |

After the grace period (`shutdown_grace_seconds`, 25) that is 17 seconds at most, within the `TimeoutStopSec` of 45 that
`deploy/` sets. Where the event loop hangs after it heard the signal, no step can begin: `LastResort` ends the process.

The steps up to closing are those of `Poller` (`engine.bounded_stop` has their bounds). One mapping's soft stop for a
reload or a pause has no grace period and a bound of its own: see `MappingRunner`.
"""

import os
import sys
import threading
from typing import NoReturn

from poller.support import telemetry

AFTER_GRACE_SECONDS = 18.0
"""Seconds for all steps after the grace period, and one more."""
BUG = 70


class LastResort:
    """Ends the process where a requested stop does not end, because the event loop hangs in a blocking call."""

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def call_off(self) -> None:
        """The stop has ended."""
        self._timer.cancel()

    def _end(self) -> None:
        telemetry.logger().critical("stop_never_ended")
        telemetry.flush()
        os._exit(BUG)


def leave(code: int) -> NoReturn:
    """End the process with this code, even while threads of it run."""
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        # the interpreter would wait for its threads, and some may wait for ever
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)
