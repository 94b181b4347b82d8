"""The demo's second function, deployed as it stands: reads clicks of a stream and changes of a table.

An ordinary Lambda handler of Kinesis and DynamoDB mappings. A click that cannot be read makes it raise, and with it
fails whatever batch it is in.
"""

import base64
import json
import os
from typing import Any


class UnreadableClick(Exception):
    """The batch holds the poison record, so it fails as a whole."""


def handler(event: dict[str, Any], _context: object) -> None:
    """Write down the numbers of the batch's records."""
    records = [_record(record) for record in event["Records"]]
    numbers = [record["number"] for record in records]
    crash = any(record.get("poison") for record in records)
    _write_down({"shipped": [] if crash else numbers, "failed": numbers if crash else [], "crashed": crash})
    if crash:
        raise UnreadableClick(f"one of {len(numbers)} clicks cannot be read")


def _record(record: dict[str, Any]) -> dict[str, Any]:
    if "kinesis" in record:
        click: dict[str, Any] = json.loads(base64.b64decode(record["kinesis"]["data"]))
        return click
    return {"number": int(record["dynamodb"]["Keys"]["number"]["N"])}


def _write_down(batch: dict[str, Any]) -> None:
    """Append a line to the ledger in a single write, since several instances of the function run at once."""
    descriptor = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{json.dumps(batch)}\n".encode())
    finally:
        os.close(descriptor)
