"""`GET /failures` and `poller failures`: causes instead of lines."""

import asyncio
import json
import urllib.request
from contextlib import asynccontextmanager
from typing import Any

import pytest

from poller.cli import failures as command
from poller.cli.client import Client, NoAnswer
from poller.configuration import ApiSettings
from poller.daemon.api.failures import failures_json
from poller.daemon.api.server import serve
from poller.policy.failed_events import FailedEvent
from poller.policy.failures import Failure, FailureGroup, template
from poller.policy.failures_told import Of, Told
from poller.ports.daemon_status import ConfigurationStatus
from poller.ports.failures_elsewhere import NOBODY, FailuresElsewhere
from tests.daemon.samples import STARTED_AT, Reloading, Steered, a_daemon, a_mapping

pytestmark = pytest.mark.real_time


def now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def listening(status, *kept, elsewhere=NOBODY):
    """The address of a server with that status."""
    api = ApiSettings(listen="127.0.0.1:0")
    steered = Steered(status)
    steered.elsewhere = elsewhere
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


def a_group(text, count=1):
    """As another member tells it: the clock is that of the wall."""
    failure = Failure("KeyError", text, 7, 2, "7", "r-7", "shardId-1", STARTED_AT + 3600)
    return FailureGroup(0, "KeyError", template(text), failure, failure, failure, count, 2 * count)


def browsed(address):
    """The screen of failures."""
    request = urllib.request.Request(f"{address}/failures", headers={"Accept": "text/html"})
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


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


ELSEWHERE = FailuresElsewhere(
    "a",
    [
        (
            "b",
            Told(
                [
                    (Of(a_mapping().uuid, "orders", "thumbnails"), a_group("order 7 is unknown\x1b[2J", count=40)),
                    (Of("u3", "only there", "fn"), a_group("no money")),
                ],
                more=2,
            ),
        )
    ],
    silent=["c"],
)


def test_the_failures_of_other_members_are_told_with_those_of_this_one():
    status = failing(100.0)
    told: Any = failures_json(status.mappings, status.configuration, [KEPT], 100.0, STARTED_AT, others=ELSEWHERE)
    orders, idle, there = told["mappings"]
    (group,) = orders["groups"]
    assert (group["count"], group["records"], group["members"]) == (42, 91, ["a", "b"])
    assert (group["last"]["at"], group["last"]["first_record"]) == ("2026-01-01T01:00:00.000Z", "7")
    assert (group["began"], len(orders["kept"])) == ("began 2 minutes after load 41 of the configuration", 1)
    assert (idle["groups"], there["name"], there["groups"][0]["members"]) == ([], "only there", ["b"])
    assert (told["more"], told["silent"], told["asking"]) == ([{"member": "b", "causes": 2}], ["c"], False)


async def test_the_command_names_the_members_and_what_is_missing(capsys):
    async with listening(failing(now()), elsewhere=ELSEWHERE) as address:
        await asyncio.to_thread(command.show, Client(address, None), "orders")
        alone = json.loads((await asyncio.to_thread(Client(address, None).get, "/failures?alone"))[1])
        parts = json.loads((await asyncio.to_thread(Client(address, None).get, "/page/parts/failures?alone"))[1])
    *lines, silent, more = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("  KeyError, 42 times, 91 records, ")
    assert lines[1].endswith(", on a, b")
    assert silent == "c gave no answer: what failed there is not shown."
    assert more == "b has 2 more causes, which it shows itself."
    for found in (alone, parts):
        assert [group["members"] for one in found["mappings"] for group in one["groups"]] == [[]]
        assert found["silent"] == []


async def test_the_page_shows_what_is_known_and_says_that_the_others_are_asked():
    asking = FailuresElsewhere("a", asking=True)
    async with listening(failing(now()), elsewhere=asking) as address:
        html = await asyncio.to_thread(browsed, address)
    assert "The other members of the fleet are being asked." in html
    assert "(thumbnails) on a<" in html


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
