"""Which workers an order reaches, and what the client is told."""

import json
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from poller.workers.answers import Request, as_json, refusal
from poller.workers.child import Child
from poller.workers.routes import Routes
from poller.workers.routing import Merged, merged
from tests.daemon.samples import STARTED_AT, a_daemon, a_mapping, render

if TYPE_CHECKING:
    from collections.abc import Callable


class Parent:
    """Of workers that answer as they are told to, by method and target."""

    def __init__(self, *answers):
        self.answers = answers
        self.was_ready = True
        self.serve: Callable[[socket.socket], None] = socket.socket.close
        self.asked = []
        self.children = [Child(number, len(answers), [], 30.0, serving=True) for number in range(1, len(answers) + 1)]
        self.routes = Routes(self, self._ask)

    def _ask(self, child, request):
        self.asked.append((child.number, request.target))
        given = self.answers[child.number - 1].get(request.target)
        return as_json(given) if isinstance(given, dict) else given

    def post(self, target):
        answer = self.routes.answer(Request("POST", target, target.partition("?")[0], {}))
        return answer.status, json.loads(answer.body)

    def get(self, target, **headers):
        answer = self.routes.answer(Request("GET", target, target, headers))
        return answer.status, json.loads(answer.body)


UNKNOWN = refusal(HTTPStatus.NOT_FOUND, "there is no mapping a; there are: b")
NOTHING = refusal(HTTPStatus.CONFLICT, "no batch waits")
REFUSED = refusal(HTTPStatus.FORBIDDEN, "this token only reads")


def test_a_pause_is_carried_out_by_one_worker_that_has_the_mapping():
    target = "/mappings/a/pause"
    parent = Parent({target: UNKNOWN}, {target: {"state": "paused"}}, {target: {"state": "paused"}})
    assert parent.post(target) == (200, {"state": "paused"})
    assert parent.asked == [(1, target), (2, target)]


def test_a_mapping_that_nobody_has_is_unknown():
    target = "/mappings/a/pause"
    parent = Parent({target: UNKNOWN}, {target: UNKNOWN})
    assert parent.post(target)[0] == 404


@pytest.mark.parametrize("what", ["retry", "skip", "isolate", "handover", "seek", "undo"])
def test_an_order_about_a_batch_or_a_position_is_for_one_worker_which_asks_the_others_itself(what):
    target = f"/mappings/a/{what}"
    parent = Parent({target: UNKNOWN}, {target: {"state": "running"}}, {target: {"state": "running"}})
    assert parent.post(target) == (200, {"state": "running"})
    assert parent.asked == [(1, target), (2, target)]
    assert Parent({target: NOTHING}, {target: UNKNOWN}).post(target) == (409, {"error": "no batch waits"})


def test_the_restart_of_a_function_reaches_every_worker():
    target = "/functions/fn/restart"
    parent = Parent({target: {"state": "restarting"}}, {target: {"state": "restarting"}})
    assert parent.post(target) == (200, {"state": "restarting"})
    assert parent.asked == [(1, target), (2, target)]


def test_a_reload_that_one_worker_refuses_is_refused():
    good = {"state": "reloaded", "added": [], "changed": ["a"], "removed": [], "warnings": [], "unchanged": 1}
    bad = as_json({"error": "the configuration is refused", "problems": ["x"]}, HTTPStatus.UNPROCESSABLE_ENTITY)
    assert Parent({"/reload": good}, {"/reload": good}).post("/reload")[1]["changed"] == ["a"]
    assert Parent({"/reload": good}, {"/reload": bad}).post("/reload")[0] == 422


@pytest.mark.parametrize("path", ["/failures", "/page/parts/failures"])
def test_one_worker_tells_the_failures_of_the_fleet_and_the_others_their_own(path):
    found = {"mappings": [], "more": [], "silent": ["b"], "asking": False}
    parent = Parent({path: found}, {f"{path}?alone": {**found, "silent": []}})
    assert parent.get(path) == (200, found)
    assert parent.asked == [(1, path), (2, f"{path}?alone")]
    assert Parent({path: REFUSED}, {}).get(path)[0] == 403


def test_a_token_is_judged_by_the_workers():
    assert Parent({"/status": REFUSED}, {"/status": REFUSED}).get("/status")[0] == 403


def test_health_is_that_of_every_worker_that_takes_connections():
    healthy, ill = {"status": "healthy"}, as_json({"status": "unhealthy"}, HTTPStatus.SERVICE_UNAVAILABLE)
    assert Parent({"/healthz": healthy}, {"/healthz": healthy}).get("/healthz")[0] == 200
    assert Parent({"/healthz": healthy}, {"/healthz": ill}).get("/healthz")[0] == 503
    assert Parent({"/healthz": healthy}, {}).get("/healthz")[0] == 503
    started_again = Parent({"/healthz": healthy}, {})
    started_again.children[1].serving = False
    assert started_again.get("/healthz")[0] == 200
    started_again.children[0].serving = False
    assert started_again.get("/healthz")[0] == 503


@pytest.mark.parametrize(
    ("method", "target", "accept", "how"),
    [
        ("GET", "/", "text/html", None),
        ("GET", "/login", "", None),
        ("GET", "/actions", "", None),
        ("GET", "/redrives", "", None),
        ("GET", "/page/live/mappings", "text/event-stream", None),
        ("GET", "/2015-03-31/event-source-mappings/", "", None),
        ("POST", "/2015-03-31/functions/fn/invocations", "", None),
        ("POST", "/login", "", None),
        ("GET", "/mappings/a", "text/html,*/*", None),
        ("GET", "/failures", "text/html", None),
        ("PUT", "/status", "", None),
        ("GET", "/mappings/a", "", Merged.MAPPING),
        ("GET", "/failures", "application/json", Merged.FAILURES),
        ("GET", "/status", "text/html", Merged.STATUS),
        ("POST", "/mappings/a%2Fb/pause", "", Merged.BY_ONE),
        ("POST", "/reload", "", Merged.RELOAD),
    ],
)
def test_all_workers_answer_what_one_of_them_knows_a_part_of(method, target, accept, how):
    assert merged(Request(method, target, target, {"accept": accept})) is how


def test_while_no_worker_answers_the_client_is_asked_to_come_back():
    assert Parent({}, {}).get("/status")[0] == 503


def test_a_worker_that_does_not_answer_is_told_and_the_others_are_shown():
    empty: list[str] = []
    head = {"version": "1", "started_at": "2026", "unhealthy": empty, "configuration": None, "fleet": None}
    head["mappings"] = empty
    code, status = Parent({"/status": head}, {}).get("/status")
    assert (code, status["unhealthy"]) == (200, ["worker 2 does not answer"])
    assert [worker["state"] for worker in status["workers"]] == ["waiting", "waiting"]


def test_a_mapping_whose_only_worker_is_started_again_is_still_shown_with_what_it_counted():
    mapping = a_mapping()
    mapping.account.polled = mapping.account.delivered = 7
    one, none = (
        {"/status": shown}
        for shown in (render(a_daemon(mapping), 100.0, STARTED_AT), render(a_daemon(), 100.0, STARTED_AT))
    )
    parent = Parent(one, none)
    parent.children[0].name, parent.children[1].name = "a", "b"
    assert parent.get("/status")[1]["mappings"][0]["state"] == "running"
    parent.children[0].serving = False
    for _ in range(2):
        (shown,) = parent.get("/status")[1]["mappings"]
        assert (shown["name"], shown["state"], shown["counters"]["polled"]) == ("orders", "starting", 7)
    parent.children[0].serving, parent.children[0].name = True, "c"
    parent.answers = ({"/status": render(a_daemon(), 100.0, STARTED_AT)}, none)
    assert parent.get("/status")[1]["mappings"] == [], "the configuration has it no more"
