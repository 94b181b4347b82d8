"""The real part of the demo: a configuration file, and a daemon in a process of its own, asked over its API."""

import asyncio
import json
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from poller.cli.client import Client, NoAnswer
from poller.demo.functions import COUNTER, FUNCTION, entries
from poller.demo.ledger import Tail
from poller.demo.local_aws import CREDENTIALS, REGION
from poller.demo.process import Child, child
from poller.demo.shop import QUEUE, names_of, queue_arn
from poller.demo.streams import FAILED, STREAM, Feed
from poller.values.errors import EnvironmentProblem

START_SECONDS = 30.0
STOP_SECONDS = 20.0
"""Seconds for the daemon's end; a hard stop takes seven at most."""
PAUSE_SECONDS = 0.02
EVENTS_KEPT = 4
COMPLAINTS_KEPT = 8

CONFIGURATION = """\
aws: {{region: {region}, endpoint_url: "{url}"}}
state: "memory:"
api: {{listen: "127.0.0.1:0"}}
{functions}
event_source_mappings:
  - name: orders
    event_source_arn: {queue}
    function_name: {function}
    batch_size: 10
    function_response_types: [ReportBatchItemFailures]
"""
OF_STREAM = """\
  - name: {name}
    event_source_arn: {arn}
    function_name: {function}
    starting_position: TRIM_HORIZON
"""
OF_POISONED = """\
    maximum_retry_attempts: 1
    bisect_batch_on_function_error: true
    destination_config: {{on_failure: {{destination: "{destination}"}}}}
"""


def configuration(url: str, feeds: Sequence[Feed], folder: Path) -> str:
    """Return the whole configuration file, for a local AWS at `url`; functions write their ledgers in `folder`."""
    text = CONFIGURATION.format(
        region=REGION,
        url=url,
        queue=queue_arn(QUEUE),
        function=FUNCTION,
        functions=entries(names_of(feeds), folder),
    )
    for feed in feeds:
        text += OF_STREAM.format(name=feed.name, arn=feed.arn, function=COUNTER + feed.name)
        if feed.name == STREAM:
            text += OF_POISONED.format(destination=queue_arn(FAILED))
    return text


class Daemon:
    """A running `poller run`, as others see it: its log on stderr, its status over HTTP."""

    def __init__(self, process: Child) -> None:
        self._process = process
        self._log = Tail(process.log)
        self._client: Client | None = None
        self.address = ""
        """The value for `--api`."""
        self.events: deque[dict[str, Any]] = deque(maxlen=EVENTS_KEPT)
        """The last log events, oldest first."""
        self.complaints: deque[str] = deque(maxlen=COMPLAINTS_KEPT)
        """The last lines above `info`, and lines that are no log events, to explain a failure."""
        self.stopping = False
        self.accounts: dict[str, dict[str, int]] = {}
        """The mappings' last accounts, which the daemon logs at its end."""

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.exit_code

    def read_log(self) -> None:
        """Read what was logged since the last call."""
        for line in self._log.lines():
            try:
                event = json.loads(line)
            except ValueError:
                self.complaints.append(line)
                continue
            if event["level"] != "info":
                self.complaints.append(line)
            if event["event"] != "function_log":
                # a function's own lines, which would leave no room for poller's
                self.events.append(event)
            match event["event"]:
                case "api_listening":
                    self.address = event["address"]
                    self._client = Client(self.address, None)
                case "stop_requested":
                    self.stopping = True
                case "stopped":
                    self.accounts = event["mappings"]

    async def status(self) -> dict[str, dict[str, Any]] | None:
        """Return the mappings' parts of `/status`, by name; None while there is no answer."""
        if self._client is None:
            return None
        try:
            answer = await asyncio.to_thread(self._client.status)
        except NoAnswer:
            return None
        return {mapping["name"]: mapping for mapping in answer["mappings"]}

    async def ready(self) -> None:
        """Wait for its first answer. Raises EnvironmentProblem."""
        for _ in range(int(START_SECONDS / PAUSE_SECONDS)):
            self.read_log()
            if await self.status() is not None:
                return
            if self.exit_code is not None:
                break
            await asyncio.sleep(PAUSE_SECONDS)
        raise EnvironmentProblem(f"poller run did not start:\n{self._process.last_words()}")

    async def stop(self) -> int | None:
        """Stop it, softly and then hard, because a running long poll would keep a soft stop waiting for up to 20 s.
        Call it when nothing is left to deliver. Returns the exit code; None when it does not end.
        """
        self._process.ask_to_stop()
        asked_again = False
        for _ in range(int(STOP_SECONDS / PAUSE_SECONDS)):
            ended = self.exit_code is not None
            self.read_log()
            if ended:
                break
            # two signals of a kind in a row would arrive as one
            if self.stopping and not asked_again:
                self._process.ask_to_stop()
                asked_again = True
            await asyncio.sleep(PAUSE_SECONDS)
        return self.exit_code


@contextmanager
def running(folder: Path, config: Path) -> Iterator[Daemon]:
    """Run `poller run --config` until the context ends."""
    command = [sys.executable, "-m", "poller", "run", "--config", str(config)]
    with child(command, folder, CREDENTIALS) as process:
        yield Daemon(process)
