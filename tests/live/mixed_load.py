"""A mixed load through a proxy that hurts: a standard and a FIFO queue to an HTTP function, a queue to a Lambda one.

The function's ledger knows which messages succeeded, the proxy sees every delete: one of a message without a success is
a message deleted early.
"""

import json
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.live.daemon import Daemon, configuration, running, until
from tests.live.function import Function, deploy_forwarder
from tests.live.ledger import Ledger
from tests.live.load import left, plan_of
from tests.servers.account import Account
from tests.servers.faulty_proxy import FAULTS, Exchange, FaultyProxy

FAULTY = 0.06
"""Share of requests with a fault."""
SHALLOW = 600
"""Messages sent and not yet delivered, at most."""
PERIOD = 0.15
"""Seconds between two tens of messages for each queue."""
LONGEST = 60.0
"""Seconds of load at most, where a kind of fault is still missing."""
KEYS_LAST = 8
"""Seconds after which credentials expire."""
GROUPS = 20
DRAIN_SECONDS = 120.0
QUEUES = ("standard", "groups.fifo", "invoke")

CREDENTIAL_PROCESS = """\
import json, time
expires = int(time.time()) + {seconds}
print(json.dumps({{
    "Version": 1, "AccessKeyId": "{account}", "SecretAccessKey": "secret", "SessionToken": f"until-{{expires}}",
    "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expires)),
}}))
"""


@dataclass(slots=True)
class DeleteWatch:
    """Sees what passes the proxy, and writes down deletes that came before a success."""

    ledger: Ledger
    early: list[str] = field(default_factory=list)
    messages: dict[str, str] = field(default_factory=dict)
    """Message ids by receipt handle."""

    def __call__(self, exchange: Exchange) -> None:
        if exchange.operation == "ReceiveMessage" and exchange.answer is not None:
            received = json.loads(exchange.answer).get("Messages") or ()
            self.messages.update({message["ReceiptHandle"]: message["MessageId"] for message in received})
        if exchange.operation == "DeleteMessageBatch" and exchange.answer is None:
            entries = json.loads(exchange.request)["Entries"]
            self.early += self.ledger.without_success({self.messages[entry["ReceiptHandle"]] for entry in entries})


@dataclass
class MixedLoad:
    account: Account
    folder: Path
    seconds: float
    seed: int
    transport: str = "lean"
    sent: Counter[str] = field(default_factory=Counter)
    order: dict[str, list[str]] = field(default_factory=dict)
    memory: list[float] = field(default_factory=list)
    """MiB of the daemon, every second."""
    descriptors: list[int] = field(default_factory=list)
    """Open files and sockets of the daemon, every second."""

    def run(self) -> None:
        with Function() as self.function:
            self.watch = DeleteWatch(self.function.ledger)
            with FaultyProxy(self.account.url, FAULTY, self.seed, self.watch) as self.proxy:
                config = self._prepare()
                with running(config, self._environment()) as daemon:
                    self._feed(daemon)
                    self.proxy.rate = 0.0
                    self._drain(daemon)
                    self.accounts = daemon.stop(hard=True)
                    self.log = Counter(line["event"] for line in daemon.log)
        self._check()

    def _prepare(self) -> Path:
        mappings = []
        for name in QUEUES:
            self.account.create_queue(name, VisibilityTimeout=10)
            mapping = {
                "name": name,
                "event_source_arn": self.account.queue_arn(name),
                "function_name": "judge" if name == "invoke" else "posted",
                "function_response_types": ["ReportBatchItemFailures"],
                "failure_visibility_timeout_seconds": 1,
            }
            mappings.append(mapping)
        deploy_forwarder(self.account, "judge", self.function)
        functions = {"posted": {"type": "http", "url": self.function.url, "concurrency": 20}}
        aws = {"transport": self.transport}
        return configuration(self.folder, *mappings, functions=functions, aws=aws)

    def _environment(self) -> dict[str, str]:
        """No keys but those of a program, whose keys expire all the time."""
        script, profile = self.folder / "keys.py", self.folder / "aws-config"
        script.write_text(CREDENTIAL_PROCESS.format(seconds=KEYS_LAST, account=self.account.account))
        profile.write_text(f"[default]\ncredential_process = {sys.executable} {script}\n")
        given = self.account.environment()
        kept = {name: value for name, value in given.items() if "KEY" not in name}
        return kept | {"AWS_ENDPOINT_URL": self.proxy.url, "AWS_CONFIG_FILE": str(profile)}

    def _feed(self, daemon: Daemon) -> None:
        ledger = self.function.ledger
        start = time.monotonic()
        pace = threading.Event()
        while (passed := time.monotonic() - start) < self.seconds or (self._missing() and passed < LONGEST):
            if self.sent.total() - len(ledger.succeeded) < SHALLOW:
                for name in QUEUES:
                    self._send(name)
            if passed >= len(self.memory):
                self._look(daemon)
            pace.wait(PERIOD)

    def _missing(self) -> set[str]:
        """Kinds of faults that chance has not brought yet: how many calls there are depends on the machine."""
        return {*FAULTS, "expired"} - {*self.proxy.faults}

    def _send(self, name: str) -> None:
        first = self.sent[name]
        group = f"group-{first // 10 % GROUPS}" if name.endswith(".fifo") else None
        keys = [f"{name}-{number}" for number in range(first, first + 10)]
        bodies = [
            json.dumps({"key": key, "group": group, "plan": plan_of(number)}) for number, key in enumerate(keys, first)
        ]
        self.account.send_batch(self._url(name), bodies, group)
        self.sent[name] += 10
        if group:
            self.order.setdefault(group, []).extend(keys)

    def _url(self, name: str) -> str:
        return f"{self.account.url}/{self.account.account}/{name}"

    def _look(self, daemon: Daemon) -> None:
        daemon.status()
        unhealthy = [problem for line in daemon.log if line["event"] == "unhealthy" for problem in line["problems"]]
        # a loop that lags may be this machine's doing, anything else is the daemon's
        assert not [problem for problem in unhealthy if "loop lags" not in problem]
        self.memory.append(daemon.memory())
        self.descriptors.append(daemon.descriptors())

    def _drain(self, daemon: Daemon) -> None:
        ledger = self.function.ledger
        ledger.holds(lambda: len(ledger.succeeded) == self.sent.total(), DRAIN_SECONDS)
        missing = {name: self.sent[name] - sum(key.startswith(name) for key in ledger.succeeded) for name in QUEUES}
        assert not any(missing.values()), f"missing {missing}, status {daemon.status()}"
        for name in QUEUES:
            until(lambda: daemon.status() and not left(self.account, self._url(name)), f"{name} to be empty")  # noqa: B023

    def _check(self) -> None:
        ledger = self.function.ledger
        assert not self.watch.early
        assert ledger.order == self.order
        assert not ledger.overlaps
        assert self.log["partition_failed"] == 0

    @staticmethod
    def grown(samples: Sequence[float]) -> float:
        """By how much, between the second quarter of the time and the last."""
        quarter = len(samples) // 4
        return statistics.median(samples[-quarter:]) - statistics.median(samples[quarter : 2 * quarter])

    def figures(self) -> dict[str, Any]:
        """What to print."""
        ledger = self.function.ledger
        step = max(1, len(self.memory) // 20)
        return {
            "sent": dict(self.sent),
            "deliveries": sum(ledger.succeeded.values()),
            "more than once": sum(count > 1 for count in ledger.succeeded.values()),
            "failed": sum(ledger.failures.values()),
            "requests": dict(self.proxy.requests),
            "faults": dict(self.proxy.faults),
            "deletes seen early": len(self.watch.early),
            "memory in MiB": [round(sample, 1) for sample in self.memory[::step]],
            "descriptors": self.descriptors[::step],
            "log lines": dict(self.log),
        }
