"""The HTTP server on real sockets: who may read what, and what stands in the way of listening."""

import asyncio
import json
import os
import socket
import stat
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from poller.configuration import ApiSettings, Secret
from poller.daemon.api.server import serve
from poller.ports.status import MappingState, ReasonCode
from poller.values.errors import EnvironmentProblem
from tests.daemon.samples import STARTED_AT, Reloading, Steered, a_daemon, a_lane, a_mapping, with_lanes

pytestmark = pytest.mark.real_time

ANYWHERE = "127.0.0.1:0"
TOKEN = Secret.text("s3cret-ü")


def now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def serving(
    status=None, listen=ANYWHERE, token=None, reloaded=None, operations=(), *, events=(), redriven=(), **settings
):
    """A function that asks the server: path and headers in; status, headers and text out."""
    api = ApiSettings(listen=listen, token=token, **settings)
    status = status or a_daemon(started=now())
    steered = Steered(status)
    steered.events, steered.redriven = [*events], [*redriven]
    async with serve(
        status, api, steered, Reloading(reloaded), wall=lambda: STARTED_AT, operations=operations
    ) as address:
        path = api.socket and str(api.socket)
        connector = aiohttp.UnixConnector(path) if path else aiohttp.TCPConnector()
        async with aiohttp.ClientSession("http://localhost" if path else address, connector=connector) as session:

            async def ask(path, method="GET", data=None, *, redirect=True, **headers):
                async with session.request(
                    method, path, headers=headers, data=data, allow_redirects=redirect
                ) as answer:
                    return answer.status, answer.headers, await answer.text()

            asking: Any = ask
            asking.host = address.removeprefix("http://")
            asking.port = None if path else int(address.rpartition(":")[2])
            yield asking


async def test_healthz_says_yes_or_no_and_nothing_more():
    status = a_daemon(with_lanes(a_lane(ReasonCode.THROTTLED)))
    async with serving(status) as ask:
        assert (await ask("/healthz"))[::2] == (200, '{"status": "healthy"}')
        status.died.append("orders")
        assert (await ask("/healthz"))[::2] == (503, '{"status": "unhealthy"}')


async def test_readyz_waits_for_the_sources():
    mapping = a_mapping(reached=False, state=MappingState.STARTING)
    async with serving(a_daemon(mapping, started=now())) as ask:
        assert (await ask("/readyz"))[0] == 503
        mapping.reached = True
        assert (await ask("/readyz"))[0] == 200


async def test_status_is_json_and_metrics_are_text():
    async with serving(a_daemon(a_mapping())) as ask:
        code, headers, text = await ask("/status")
        assert (code, headers["Content-Type"]) == (200, "application/json; charset=utf-8")
        assert json.loads(text)["mappings"][0]["name"] == "orders"
        code, headers, text = await ask("/metrics")
        assert (code, headers["Content-Type"].partition(";")[0]) == (200, "text/plain")
        assert 'poller_polled_events_total{mapping="orders"} 0\n' in text


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, 401),
        ("Bearer wrong", 403),
        ("Bearer ", 403),
        ("Bearer", 403),
        ("Basic s3cret-ü", 403),
        ("s3cret-ü", 403),
        ("Bearer s3cret-ü", 200),
        ("bearer s3cret-ü", 200),
    ],
)
@pytest.mark.parametrize("path", ["/status", "/metrics", "/else"])
async def test_with_a_token_only_its_bearer_reads(path, authorization, code):
    async with serving(token=TOKEN) as ask:
        given = {} if authorization is None else {"Authorization": authorization}
        assert (await ask(path, **given))[0] == (404 if code == 200 and path == "/else" else code)


async def test_health_and_readiness_need_no_token():
    async with serving(token=TOKEN) as ask:
        assert [(await ask(path))[0] for path in ("/healthz", "/readyz")] == [200, 200]


async def test_a_token_changed_in_its_file_counts_at_once(tmp_path):
    file = tmp_path / "token"
    file.write_text("first\n")
    async with serving(token=Secret("file", str(file))) as ask:
        assert (await ask("/status", Authorization="Bearer first"))[0] == 200
        file.write_text("second\n")
        assert (await ask("/status", Authorization="Bearer first"))[0] == 403
        assert (await ask("/status", Authorization="Bearer second"))[0] == 200


async def test_a_token_that_is_lost_lets_nobody_in(tmp_path):
    file = tmp_path / "token"
    file.write_text("first")
    async with serving(token=Secret("file", str(file))) as ask:
        file.unlink()
        code, _, text = await ask("/status", Authorization="Bearer ")
        assert (code, json.loads(text)) == (503, {"error": "The token is not readable"})


async def test_a_token_that_is_emptied_lets_nobody_in(tmp_path):
    file = tmp_path / "token"
    file.write_text("first")
    async with serving(token=Secret("file", str(file))) as ask:
        file.write_text("")
        assert (await ask("/status", Authorization="Bearer "))[0] == 403


WANTED = {"seek": '{"to": "LATEST"}', "rerun": '{"event": "0"}', "handover": '{"function": "f"}'}
"""Bodies of orders that say more than which mapping."""


async def test_the_root_lists_what_there_is():
    async with serving() as ask:
        code, _, text = await ask("/")
        pages = json.loads(text)["pages"]
        assert code == 200
        for page in pages:
            path = page["path"].replace("NAME", "typo")
            body = WANTED.get(path.rpartition("/")[2], "{}")
            data = body if page["method"] == "POST" else None
            answered, _, _ = await ask(path, page["method"], data, **{"Content-Type": "application/json"})
            assert answered == (404 if "NAME" in page["path"] else 200), page


@pytest.mark.parametrize("path", ["/", "/status", "/metrics", "/else"])
async def test_without_a_token_a_web_page_cannot_read_by_a_name_it_made_lead_here(path):
    async with serving() as ask:
        code, _, text = await ask(path, Host="evil.example:8642")
        assert code == 421
        assert "the host evil.example:8642 is not known here" in json.loads(text)["error"]
        assert [(await ask(path, Host=host))[0] for host in ("localhost", "127.0.0.1:1")] == [
            404 if path == "/else" else 200
        ] * 2


async def test_health_answers_whatever_the_host_and_a_token_makes_every_name_good():
    async with serving() as ask:
        assert [(await ask(path, Host="poller.svc"))[0] for path in ("/healthz", "/readyz")] == [200, 200]
    async with serving(token=TOKEN) as ask:
        assert (await ask("/status", Host="poller.svc", Authorization="Bearer s3cret-ü"))[0] == 200


async def test_one_mapping_that_cannot_be_told_hides_no_other():
    def broken():
        raise TypeError("int() argument must be a string, not 'NoneType'")

    async def looks(_max_age):
        broken()

    async with serving(a_daemon(a_mapping("broken", lag=broken, look=looks), a_mapping())) as ask:
        code, _, text = await ask("/status")
        untold, orders = json.loads(text)["mappings"]
        assert code == 200
        assert untold["notes"][0]["text"].startswith("the status of this mapping could not be told: TypeError: int()")
        assert (untold["name"], untold["counters"]["polled"], untold["in_flight"]) == ("broken", 0, None)
        assert (orders["name"], orders["notes"]) == ("orders", [])
        assert untold.keys() == orders.keys()
        assert (await ask("/metrics"))[0] == 200
        assert (await ask("/healthz"))[0] == 200


async def test_a_source_that_does_not_answer_delays_the_status_only_a_little():
    async def hangs(_max_age):
        await asyncio.Event().wait()

    async with serving(a_daemon(*(a_mapping(f"m{number}", look=hangs) for number in range(200)))) as ask:
        assert len(json.loads((await ask("/status"))[2])["mappings"]) == 200


async def test_what_is_not_there_and_what_is_not_allowed_are_short_json():
    async with serving() as ask:
        assert (await ask("/else"))[::2] == (404, '{"error": "Not Found"}')
        code, headers, _ = await ask("/status", method="POST")
        assert (code, headers["Allow"]) == (405, "GET,HEAD")


async def test_over_a_unix_socket_of_owner_and_group_removed_at_the_end(tmp_path):
    path = tmp_path / "api.sock"
    async with serving(listen=f"unix:{path}") as ask:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert (await ask("/healthz"))[0] == 200
    assert not path.exists()


async def test_the_socket_of_a_killed_daemon_is_replaced(tmp_path):
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    async with serving(listen=f"unix:{path}") as ask:
        assert (await ask("/healthz"))[0] == 200


async def test_the_socket_of_a_living_daemon_is_left_alone(tmp_path):
    path = tmp_path / "api.sock"
    async with serving(listen=f"unix:{path}") as ask:
        with pytest.raises(EnvironmentProblem, match="already in use"):
            async with serving(listen=f"unix:{path}"):
                pass
        assert (await ask("/healthz"))[0] == 200


async def test_a_file_in_place_of_the_socket_is_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with pytest.raises(EnvironmentProblem, match="no socket"):
        async with serving(listen=f"unix:{path}"):
            pass
    assert path.read_text() == "mine"


async def test_a_port_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(EnvironmentProblem, match=f"{listen} is already in use"):
            async with serving(listen=listen):
                pass


@pytest.mark.parametrize(
    ("listen", "reason"),
    [
        ("192.0.2.1:0", "Cannot assign requested address"),
        ("unix:/nowhere/api.sock", "No such file or directory"),
        (f"unix:/tmp/{'long' * 40}", "AF_UNIX path too long"),
    ],
)
async def test_an_address_that_cannot_be_is_named_with_the_reason(listen, reason):
    with pytest.raises(EnvironmentProblem, match=f"^{listen} cannot be listened on: {reason}"):
        async with serving(listen=listen, token=TOKEN):
            pass


async def test_binding_leaves_the_umask_as_it_was(tmp_path):
    before = os.umask(0o022)
    try:
        async with serving(listen=f"unix:{tmp_path}/api.sock"):
            pass
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
