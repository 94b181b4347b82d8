"""The demo's function, deployed as it stands: ships orders, and fails by plan so that there are retries to see.

An ordinary Lambda handler of an SQS mapping with partial batch responses. `fails` in an order's body is the plan:
`once` and `twice` name the order as failed on its first receives, `with its batch` raises on its first, `always`
never ships. Every order fails on its first two receives at most, whatever company it is received in, and the
`always` order on every one.
"""

import json
import os
import time
from typing import Any

FAILS_UNTIL = {"once": 1, "twice": 2, "always": float("inf")}
"""Receives on which an order with this plan is reported as failed."""
SECONDS_PER_BATCH = 0.03
"""Seconds that shipping takes, so that running invocations can be seen."""


class DispatchFailed(Exception):
    """The whole batch failed, as by a lost connection to the carrier."""


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Ship what can be shipped, and report the rest, so that SQS keeps only that for another receive."""
    time.sleep(SECONDS_PER_BATCH)
    records = event["Records"]
    receives = {record["messageId"]: int(record["attributes"]["ApproximateReceiveCount"]) for record in records}
    orders = {record["messageId"]: json.loads(record["body"]) for record in records}
    # a third receive must succeed, so an order on its third receive is never in a batch that fails as a whole
    crash = max(receives.values()) <= 2 and any(
        order.get("fails") == "with its batch" and receives[message] == 1 for message, order in orders.items()
    )
    failed = [message for message in orders if crash or _fails(orders[message], receives[message])]
    _write_down(
        {
            "shipped": [order["order"] for message, order in orders.items() if message not in failed],
            "failed": [orders[message]["order"] for message in failed],
            "crashed": crash,
        }
    )
    if crash:
        raise DispatchFailed("the carrier hung up")
    return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}


def _fails(order: dict[str, Any], receive: int) -> bool:
    return receive <= FAILS_UNTIL.get(order.get("fails", ""), 0)


def _write_down(batch: dict[str, Any]) -> None:
    """Append a line to the ledger in a single write, since several instances of the function run at once."""
    descriptor = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{json.dumps(batch)}\n".encode())
    finally:
        os.close(descriptor)
