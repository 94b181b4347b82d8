"""`GET /failures` and `poller failures`: causes instead of lines."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import pytest

from poller.cli import failures as command
from poller.cli.client import Client, NoAnswer
from poller.configuration import ApiSettings
from poller.daemon.api.failures import failures_json
from poller.daemon.api.server import serve
from poller.policy.failed_events import FailedEvent
from poller.policy.failures import Failure
from poller.ports.daemon_status import ConfigurationStatus
from tests.daemon.samples import STARTED_AT, Reloading, Steered, a_daemon, a_mapping

pytestmark = pytest.mark.real_time


def now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def listening(status, *kept):
    """The address of a server with that status."""
    api = ApiSettings(listen="127.0.0.1:0")
    steered = Steered(status)
    steered.events = [*kept]
    async with serve(status, api, steered, Reloading(None), wall=lambda: STARTED_AT) as address:
        yield address


KEPT = FailedEvent(
    "0f3a9c1d2e4b", STARTED_AT, a_mapping().uuid, "orders", "fn", "shardId-0", "104", 1, "Key\x1b", "", 9, 2
)


LOGS = "starting\nreading\n\nlooked up\x1b[1m order\n  File app.py, line 7\n"


def failing(now):
    mapping = a_mapping("orders")
    for seconds, (text, first) in enumerate(
        [("order 1 is unknown\x1b[2J", "100"), ("order 2 is unknown\x1b[2J", "104")]
    ):
        failure = Failure("KeyError", text, 10 - 9 * seconds, 10 - 9 * seconds, first, "r-1", logs=LOGS)
        mapping.failures.add(failure, "shardId-0", now + seconds)
    configuration = ConfigurationStatus(loaded_at=STARTED_AT - 140, loads=41)
    return a_daemon(mapping, a_mapping("idle", uuid="u2"), started=now, configuration=configuration)


async def test_the_command_counts_one_record_as_one(capsys):
    mapping = a_mapping("orders")
    mapping.failures.add(Failure("KeyError", "no", 1, 1, "100", None), "q", now())
    async with listening(a_daemon(mapping, started=now())) as address:
        await asyncio.to_thread(command.show, Client(address, None), "orders")
    assert capsys.readouterr().out.splitlines()[1].startswith("  KeyError, once, 1 record, ")


def test_failures_are_told_by_cause_with_the_smallest_batch_that_failed():
    status = failing(100.0)
    told: Any = failures_json(status.mappings, status.configuration, [KEPT], 100.0, STARTED_AT)
    orders, idle = told["mappings"]
    assert (idle["groups"], orders["forgotten"]) == ([], 0)
    assert ([event["id"] for event in orders["kept"]], idle["kept"]) == (["0f3a9c1d2e4b"], [])
    (group,) = orders["groups"]
    assert (group["error"], group["template"], group["count"], group["records"]) == (
        "KeyError",
        "order # is unknown\x1b[#",
        2,
        11,
    )
    assert group["began"] == "began 2 minutes after load 41 of the configuration"
    assert (group["first"]["at"], group["first"]["text"]) == ("2026-01-01T00:00:00.000Z", "order 1 is unknown\x1b[2J")
    assert (group["smallest"]["records"], group["smallest"]["first_record"]) == (1, "104")


async def test_the_command_prints_them_harmlessly_and_knows_the_mappings_by_name(capsys):
    async with listening(failing(now()), KEPT) as address:
        await asyncio.to_thread(command.show, Client(address, None), "orders")
        with pytest.raises(NoAnswer, match="it has: orders, idle"):
            await asyncio.to_thread(command.show, Client(address, None), "order")
        await asyncio.to_thread(command.show, Client(address, None), "idle")
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines[0] == "orders (thumbnails)"
    assert lines[1].startswith("  KeyError, 2 times, 11 records, ")
    assert lines[2] == "    began 2 minutes after load 41 of the configuration"
    assert lines[3].startswith("    order 2 is unknown")
    assert "\x1b" not in lines[3]
    assert lines[4] == "    smallest batch that failed: 1 record 104 of shardId-0"
    assert lines[5:9] == [
        "    last request: r-1",
        "      reading",
        "      looked up\\x1b[1m order",
        "        File app.py, line 7",
    ]
    assert lines[9] == "  failed events that are kept, for `poller rerun ID`:"
    assert lines[10].startswith("    0f3a9c1d2e4b  ")
    assert lines[10].endswith("Key\\x1b, 1 record from 104 of shardId-0, 2 values redacted")
    assert last == "no function has failed since the daemon's start"
