"""Load on one queue: fed so that the queue stays shallow, disturbed on the way, and accounted for at the end."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.live.daemon import Daemon, configuration, running, until
from tests.live.function import Function, deploy_forwarder
from tests.live.ledger import MOST_FAILURES
from tests.servers.account import Account

SHALLOW = 1000
"""Messages sent and not yet delivered, at most: local servers crawl on deep queues."""
DRAIN_SECONDS = 60.0
"""From the last message sent to the last one delivered; a message hidden by a killed daemon takes ten."""
LANES = 10
MAX_RECEIVE_COUNT = 6
THROTTLED = 40
"""Requests in a row that are told to come back in a second."""
COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


def left(account: Account, url: str) -> int:
    """Messages in a queue, whatever they do there."""
    answer = account.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=list(COUNTS))
    return sum(int(answer["Attributes"][name]) for name in COUNTS)


def plan_of(number: int) -> tuple[str, ...]:
    """How a message fails: one in ten once by name, one in twenty twice, one in forty with its whole batch."""
    if number % 40 == 13:
        return ("batch",)
    if number % 10 == 5:
        return ("item",)
    return ("item", "item") if number % 20 == 8 else ()


def body(number: int, group: str | None = None) -> str:
    """A message as the ledger reads it; the key comes first, so that it is different within its first bytes."""
    return json.dumps({"key": f"m{number}", "group": group, "plan": plan_of(number)})


def numbers_of_group(total: int, groups: int) -> Iterator[tuple[str, list[int]]]:
    """Tens of consecutive messages of one group each, the groups in turn."""
    sent = dict.fromkeys(range(groups), 0)
    number = 0
    while number < total:
        for group in sent:
            ten = list(range(number, min(number + 10, total)))
            if not ten:
                return
            yield f"group-{group}", ten
            number += len(ten)


@dataclass
class Load:
    """One queue with a dead-letter queue, a mapping of ten lanes, and a function that fails by plan."""

    account: Account
    folder: Path
    total: int
    groups: int = 0
    """FIFO with so many groups; 0 for a standard queue."""
    lambda_function: bool = False
    """Whether the function runs in the local AWS."""
    function: Function = field(default_factory=Function)
    sent: dict[str, list[str]] = field(default_factory=dict)
    """Keys by group, in order."""
    disturbances: list[tuple[int, Callable[["Load"], None]]] = field(default_factory=list)
    """What to do once so many messages were delivered."""
    ended: list[dict[str, Any]] = field(default_factory=list)
    """Accounts of the daemons that were stopped softly."""

    def run(self) -> None:
        """Send everything, disturb, and return when the queue is empty; every look at a status checks its account."""
        with self.function, self._resources(), ExitStack() as self._stack:
            self.start()
            self._feed()
            ledger = self.function.ledger
            assert ledger.holds(lambda: len(ledger.succeeded) >= self.total, DRAIN_SECONDS), self._missing()
            until(lambda: self.daemon.status() and not left(self.account, self.queue), "the queue to be empty", 120)
            self.ended.append(self.daemon.stop(hard=True)["load"])
        self._check()

    def start(self) -> None:
        """Start the daemon, or start it again."""
        self.daemon: Daemon = self._stack.enter_context(running(self._config, self.account.environment()))

    @contextmanager
    def _resources(self) -> Iterator[None]:
        ending = ".fifo" if self.groups else ""
        self.dead = self.account.create_queue(f"dead{ending}")
        self.queue = self.account.create_queue(
            f"load{ending}", dead_letter=f"dead{ending}", max_receive_count=MAX_RECEIVE_COUNT, VisibilityTimeout=5
        )
        functions: dict[str, Any] = {"judge": {"type": "http", "url": self.function.url, "concurrency": LANES}}
        if self.lambda_function:
            deploy_forwarder(self.account, "judge", self.function)
            functions = {}
        mapping = {
            "name": "load",
            "event_source_arn": self.account.queue_arn(f"load{ending}"),
            "function_name": "judge",
            "batch_size": 10,
            "scaling_config": {"maximum_concurrency": LANES},
            "function_response_types": ["ReportBatchItemFailures"],
            "failure_visibility_timeout_seconds": 1,
        }
        self.folder.mkdir(exist_ok=True)
        self._config = configuration(self.folder, mapping, functions=functions)
        yield

    def _feed(self) -> None:
        ledger = self.function.ledger
        parts = self._parts()
        for count, (group, numbers) in enumerate(parts):
            self._send(group, numbers)
            sent = numbers[-1] + 1
            self._disturb(len(ledger.succeeded))
            if count % 25 == 0:
                self.daemon.status()
            while not ledger.holds(lambda: sent - len(ledger.succeeded) < SHALLOW, 1.0):  # noqa: B023
                self._disturb(len(ledger.succeeded))
        while self.disturbances:
            at = self.disturbances[0][0]
            ledger.wait_for(lambda: len(ledger.succeeded) >= at, f"{at} messages to be delivered")  # noqa: B023
            self._disturb(len(ledger.succeeded))

    def _parts(self) -> Iterator[tuple[str | None, list[int]]]:
        if self.groups:
            yield from numbers_of_group(self.total, self.groups)
        else:
            yield from ((None, list(range(n, min(n + 10, self.total)))) for n in range(0, self.total, 10))

    def _send(self, group: str | None, numbers: list[int]) -> None:
        self.sent.setdefault(group or "", []).extend(f"m{number}" for number in numbers)
        self.account.send_batch(self.queue, [body(number, group) for number in numbers], group)

    def _disturb(self, delivered: int) -> None:
        while self.disturbances and delivered >= self.disturbances[0][0]:
            self.disturbances.pop(0)[1](self)

    def _missing(self) -> str:
        ledger = self.function.ledger
        missing = {key for keys in self.sent.values() for key in keys} - set(ledger.succeeded)
        receives = {key: (ledger.receives.get(key), ledger.failures[key]) for key in sorted(missing)[:20]}
        depth, dead = left(self.account, self.queue), left(self.account, self.dead)
        seen = f"{len(missing)} messages are missing; in the queue {depth}, in its dead-letter queue {dead}"
        return f"{seen}; receive counts and failures seen {receives}; ended {self.ended}; status {self.daemon.status()}"

    def _check(self) -> None:
        ledger = self.function.ledger
        sent = {key for keys in self.sent.values() for key in keys}
        assert len(sent) == self.total
        assert set(ledger.succeeded) == sent
        assert left(self.account, self.queue) == 0
        assert left(self.account, self.dead) == 0
        assert max(ledger.failures.values()) == MOST_FAILURES
        assert max(map(max, ledger.receives.values())) <= MAX_RECEIVE_COUNT
        assert ledger.verdicts["item"]
        assert ledger.verdicts["batch"]
        for account in self.ended:
            assert account["polled"] == account["delivered"] + account["returned"]
        if self.groups:
            assert ledger.order == self.sent
            assert not ledger.overlaps

    def figures(self) -> dict[str, Any]:
        """What to print."""
        ledger = self.function.ledger
        return {
            "sent": self.total,
            "deliveries": sum(ledger.succeeded.values()),
            "twice": sum(count > 1 for count in ledger.succeeded.values()),
            "failed": sum(ledger.failures.values()),
            "whole batches failed": ledger.verdicts["batch"],
            "refused": ledger.refused,
            "most receives": max(map(max, ledger.receives.values())),
        }


def throttle(load: Load) -> None:
    """The function refuses for a while, by 429 and by 503."""
    refused = load.function.ledger.refused
    load.function.refuse_next(THROTTLED // 2, 429, "1")
    load.function.refuse_next(THROTTLED // 2, 503, "1")
    load.function.ledger.wait_for(lambda: load.function.ledger.refused > refused, "a throttled invocation")


def throttle_lambda(load: Load) -> None:
    """The Invoke API refuses for a while, since the function has no concurrency left."""
    functions = load.account.client("lambda")
    functions.put_function_concurrency(FunctionName="judge", ReservedConcurrentExecutions=0)
    load.daemon.wait_for_log("function_not_invoked", code="throttled")
    functions.delete_function_concurrency(FunctionName="judge")


def kill(load: Load) -> None:
    """SIGKILL while an invocation runs, and a new daemon."""
    ledger = load.function.ledger
    load.function.gate.clear()
    ledger.wait_for(lambda: ledger.running > 1, "invocations to run")
    load.daemon.kill()
    load.function.gate.set()
    ledger.wait_for(lambda: not ledger.running, "the invocations to end")
    load.start()


def terminate(load: Load) -> None:
    """SIGTERM while an invocation runs: it is finished and settled, the account balances, and a new daemon."""
    ledger = load.function.ledger
    load.function.gate.clear()
    ledger.wait_for(lambda: ledger.running > 1, "invocations to run")
    load.daemon.terminate()
    load.function.gate.set()
    assert load.daemon.wait() == 0
    load.ended.append(load.daemon.wait_for_log("stopped")["mappings"]["load"])
    assert load.ended[-1]["unaccounted"] == 0
    load.start()
