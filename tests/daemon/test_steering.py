"""The requests that change something: who may make them, and what they are answered."""

import io
import json
import socket
from typing import Any

import pytest

from poller.daemon.api import orders
from poller.policy.actions import Seek
from poller.policy.seeking import Target
from poller.ports.daemon_status import Changes, Reloaded
from poller.ports.status import MappingState
from tests.daemon.samples import STARTED_AT, a_daemon, a_mapping
from tests.daemon.test_server import TOKEN, serving

REDRIVE = "/mappings/orders/redrive"

pytestmark = pytest.mark.real_time

JSON = {"Content-Type": "application/json"}
PAUSE = "/mappings/orders/pause"


async def post(ask, path=PAUSE, data=b"{}", **headers):
    code, _, text = await ask(path, "POST", data, **{**JSON, **headers})
    return code, json.loads(text)


async def test_pause_and_resume_answer_with_the_state_that_follows():
    mapping = a_mapping()
    async with serving(a_daemon(mapping)) as ask:
        answer: dict[str, Any] = {
            "name": "orders",
            "uuid": mapping.uuid,
            "state": "paused",
            "reason": {"code": "paused", "text": "by a test"},
            "order": "pause",
            "dry_run": False,
            "impact": ["It did pause."],
            "batch": None,
            "action": "a0",
            "stage": "done",
            "ending": "done",
            "effect": "It did pause.",
            "result": {},
        }
        assert await post(ask) == (200, answer)
        assert mapping.state is MappingState.PAUSED
        answer |= {"state": "running", "reason": None, "order": "resume", "impact": ["It did resume."], "action": "a1"}
        answer["effect"] = "It did resume."
        assert await post(ask, f"/mappings/{mapping.uuid}/resume") == (200, answer)


@pytest.mark.parametrize(("query", "data"), [("?dry_run", b""), ("", b'{"dry_run": true}')])
async def test_a_preview_says_what_would_happen_and_changes_nothing(query, data):
    mapping = a_mapping()
    async with serving(a_daemon(mapping)) as ask:
        code, answer = await post(ask, PAUSE + query, data)
        assert (code, answer["dry_run"], answer["impact"], answer["action"]) == (200, True, ["It would pause."], None)
        assert (mapping.state, json.loads((await ask("/actions"))[2])) == (MappingState.RUNNING, {"actions": []})


@pytest.mark.parametrize(
    ("body", "target"),
    [
        ({"to": "TRIM_HORIZON"}, Target("TRIM_HORIZON")),
        ({"to": "LATEST", "partition": "s-1"}, Target("LATEST", shard="s-1")),
        ({"timestamp": "2026-01-01T01:00:00+01:00"}, Target("AT_TIMESTAMP", STARTED_AT)),
        ({"timestamp": "2026-01-01T00:00:00"}, Target("AT_TIMESTAMP", STARTED_AT)),
        ({"timestamp": 1.5}, Target("AT_TIMESTAMP", 1.5)),
        ({"sequence_number": "7", "partition": "s"}, Target("AT_SEQUENCE_NUMBER", sequence_number="7", shard="s")),
    ],
)
def test_a_seek_says_where_to(body, target):
    assert orders.read("seek", json.dumps(body).encode()).order() == Seek(target)


async def test_the_log_says_who_did_what_and_why():
    async with serving(a_daemon(a_mapping())) as ask:
        await post(ask, data=json.dumps({"who": "ann", "why": "a bad deploy"}).encode())
        await post(ask, "/mappings/orders/resume")
        resumed, paused = json.loads((await ask("/actions"))[2])["actions"]
        assert (resumed["order"], resumed["who"], resumed["at"]) == ("resume", "", "2026-01-01T00:00:01.000Z")
        assert [paused[key] for key in ("who", "via", "why", "stage", "effect")] == [
            "ann",
            "api",
            "a bad deploy",
            "done",
            "It did pause.",
        ]


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        ({"Origin": "http://evil.example"}, 403, "with an Origin"),
        ({"Origin": "null"}, 403, "with an Origin"),
        ({"Origin": "http://127.0.0.1:8642"}, 403, "with an Origin"),
        ({"Host": "evil.example"}, 421, "the host evil.example is not known here"),
        ({"Host": "evil.example:8642"}, 421, "the host evil.example:8642 is not known here"),
        ({"Host": "127.0.0.1.evil.example"}, 421, "is not known here"),
        ({"Host": "localhost.evil.example"}, 421, "is not known here"),
        ({"Host": ""}, 421, "is not known here"),
        ({"Content-Type": "text/plain"}, 415, "must be application/json"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415, "must be application/json"),
        ({"Content-Type": "application/octet-stream"}, 415, "must be application/json"),
        ({"data": b'{"for": "1 h"}'}, 400, "for: Extra inputs are not permitted; the body is a JSON object with any"),
        ({"data": b"[]"}, 400, "the body is a JSON object with any of dry_run, who, why"),
        ({"data": b"{"}, 400, "the body is no JSON"),
        ({"data": b"[" * 100_000}, 400, "the body is no JSON"),
        ({"data": b'{"dry_run": 1}'}, 400, "dry_run: Input should be a valid boolean"),
        ({"data": b'{"who": "%s"}' % (b"x" * 101)}, 400, "who: String should have at most 100 characters"),
        ({"path": "/mappings/orders/skip", "data": b'{"lane": "0"}'}, 400, "lane: Input should be a valid integer"),
        ({"path": "/mappings/orders/skip"}, 409, "no batch waits"),
        ({"path": "/mappings/orders/retry", "data": b'{"drop": true}'}, 400, "drop: Extra inputs are not permitted"),
        ({"path": "/mappings/orders/seek"}, 400, "say one of to, timestamp and sequence_number"),
        ({"path": REDRIVE, "data": b'{"resume": true, "begin": 1}'}, 400, "about the last redrive as it began"),
        ({"path": REDRIVE, "data": b'{"stop": true, "of": "dead_letters"}'}, 400, "about the last redrive as it began"),
        ({"path": REDRIVE, "data": b'{"of": "destination", "end": 1}'}, 400, "are of an interval of the stream"),
        ({"path": REDRIVE, "data": b'{"begin": 1, "pass_over": true}'}, 400, "pass_over: goes with resume"),
        ({"path": "/mappings/orders/seek", "data": b'{"to": "LATEST", "timestamp": 1}'}, 400, "say one of to"),
        ({"path": "/mappings/orders/seek", "data": b'{"to": "EARLIER"}'}, 400, "to: Input should be 'TRIM_HORIZON'"),
        ({"path": "/mappings/orders/seek", "data": b'{"timestamp": "yesterday"}'}, 400, "such as 2026-09-01T10:00:00Z"),
        ({"path": "/mappings/orders/undo", "data": b'{"to": "LATEST"}'}, 400, "to: Extra inputs are not permitted"),
        ({"path": "/functions/thumbnails/restart", "data": b"[]"}, 400, "the body must be empty or {}"),
        ({"path": "/mappings/typo/pause"}, 404, "there is no mapping typo; there are: orders"),
        ({"path": "/mappings/full/pause"}, 503, "the disk is full"),
        ({"path": "/functions/typo/restart"}, 404, "there is no function typo"),
        ({"path": "/functions/thumbnails/restart", "Origin": "http://evil.example"}, 403, "with an Origin"),
        ({"path": "/mappings/orders/dance"}, 404, "Not Found"),
        ({"path": "/mappings/orders"}, 405, "Method Not Allowed"),
    ],
)
async def test_what_is_refused_is_told_and_changes_nothing(asked, code, said):
    mapping = a_mapping()
    async with serving(a_daemon(mapping)) as ask:
        answered, answer = await post(ask, **asked)
        assert (answered, said in answer["error"]) == (code, True)
        assert mapping.state is MappingState.RUNNING


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:1", "[::1]:1", "10.1.2.3", socket.gethostname()]
)
async def test_addresses_and_the_names_of_this_machine_are_known(host):
    async with serving(a_daemon(a_mapping())) as ask:
        assert (await post(ask, Host=host))[0] == 200


async def test_the_name_it_listens_on_is_known():
    async with serving(a_daemon(a_mapping()), listen="localhost:0") as ask:
        assert (await post(ask))[0] == 200


async def test_an_empty_body_and_a_charset_are_fine():
    async with serving(a_daemon(a_mapping())) as ask:
        assert (await post(ask, data=None, **{"Content-Type": "application/json; charset=utf-8"}))[0] == 200


async def test_over_a_unix_socket(tmp_path):
    async with serving(a_daemon(a_mapping()), listen=f"unix:{tmp_path}/api.sock") as ask:
        assert (await post(ask))[0] == 200
        assert (await post(ask, Host="evil.example"))[0] == 421


@pytest.mark.parametrize(("authorization", "code"), [(None, 401), ("Bearer wrong", 403), ("Bearer s3cret-ü", 200)])
async def test_the_token_is_asked_for_before_anything_else(authorization, code):
    async with serving(a_daemon(a_mapping()), token=TOKEN) as ask:
        given = {} if authorization is None else {"Authorization": authorization}
        assert (await post(ask, **given))[0] == code
        if code != 200:
            assert (await post(ask, "/mappings/typo/pause", **given))[0] == code


async def test_looking_is_no_way_to_steer():
    mapping = a_mapping()
    async with serving(a_daemon(mapping)) as ask:
        for method in ("GET", "HEAD", "PUT", "DELETE"):
            assert (await ask(PAUSE, method))[0] == 405
        assert mapping.state is MappingState.RUNNING


async def test_the_workers_of_a_function_are_started_anew_by_its_name():
    async with serving(a_daemon(a_mapping())) as ask:
        answer: dict[str, Any] = {"name": "thumbnails", "state": "restarting"}
        assert await post(ask, "/functions/thumbnails/restart") == (200, answer)


async def test_a_reload_answers_with_what_it_changed():
    changes = Changes(added=["new"], changed=["orders"], unchanged=3)
    async with serving(reloaded=Reloaded(changes=changes, warnings=["odd"])) as ask:
        assert await post(ask, "/reload") == (
            200,
            {
                "state": "reloaded",
                "added": ["new"],
                "changed": ["orders"],
                "removed": [],
                "unchanged": 3,
                "warnings": ["odd"],
            },
        )


async def test_a_refused_reload_answers_with_the_report():
    async with serving(reloaded=Reloaded(["poller.yaml:3: batch_size: must be at most 10"])) as ask:
        code, answer = await post(ask, "/reload")
        assert (code, answer["problems"]) == (422, ["poller.yaml:3: batch_size: must be at most 10"])
        assert (await post(ask, "/reload", Origin="http://evil.example"))[0] == 403
        assert (await post(ask, "/reload", Host="evil.example"))[0] == 421


@pytest.mark.parametrize("what", sorted(orders.BODIES))
@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Content-Type": "text/plain"}, 415),
        ({}, 413),
    ],
)
async def test_no_order_is_taken_from_a_foreign_page_or_of_any_size(what, asked, code):
    mapping = a_mapping()
    async with serving(a_daemon(mapping)) as ask:
        if code == 413:
            asked = {"data": io.BytesIO(b'{"why": "' + b"x" * 2_000_000 + b'"}')}
        assert (await post(ask, f"/mappings/orders/{what}", **asked))[0] == code
        assert mapping.state is MappingState.RUNNING
