"""`poller demo`: shows the product at work against a local AWS, and accounts for every message at the end.

The daemon is the real one, in a process of its own. Queue, dead-letter queue and functions live in MiniStack.
Everything runs on loopback and in a temporary folder, and ends with the command, however the command ends.
"""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

from poller.cli.output import console
from poller.demo import local_aws
from poller.demo.process import forget_the_users_aws
from poller.support.printable import say

INTERRUPTED = 1
"""The exit code where the account was not made."""


def run(*, seconds: int, messages: int) -> int:
    """Run to the end or to Ctrl-C; 0 when every message is accounted for, else 1. Raises EnvironmentProblem."""
    local_aws.require()
    forget_the_users_aws()
    from poller.demo.play import play  # noqa: PLC0415  (the SDK, which reads the environment)

    try:
        return asyncio.run(_until_signalled(play(console(), seconds, messages)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        say("poller: interrupted; what the demo had started is gone", error=True)
        return INTERRUPTED


async def _until_signalled(work: Coroutine[Any, Any, int]) -> int:
    """Cancel on the first signal only, so that an impatient person does not interrupt the cleaning up."""
    task = asyncio.create_task(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, _cancel_once, task)
    return await task


def _cancel_once(task: "asyncio.Task[int]") -> None:
    if not task.cancelling():
        task.cancel()
