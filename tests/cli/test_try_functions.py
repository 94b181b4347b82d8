"""`poller check --connect --try-functions`: functions behind a URL are run once each; no other is run."""

import http.server
import json
import threading
from contextlib import contextmanager

import pytest

from poller.cli.connect.functions import TEST_EVENT, reach_function, try_function
from poller.cli.connect.tries import Tries
from poller.cli.main import main
from poller.configuration import load
from tests.cli.connecting import Served
from tests.fakes.aws import FakeAws

ARN = "arn:aws:sqs:eu-west-1:123456789012:orders"


@contextmanager
def service(status):
    """A function behind HTTP that always answers this; yields its URL and the bodies it got."""
    bodies = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", bodies
        finally:
            server.shutdown()
            thread.join()


def configured(tmp_path, function):
    """The one function of a configuration."""
    file = tmp_path / "poller.json"
    mapping = {"event_source_arn": ARN, "function_name": "f"}
    file.write_text(json.dumps({"functions": {"f": function}, "event_source_mappings": [mapping]}))
    return load([file], environ={}).mappings[0].function


@pytest.mark.real_time
async def test_a_function_behind_a_url_is_run_once_with_an_event_without_records(tmp_path):
    with service(200) as (url, bodies):
        function = configured(tmp_path, {"type": "http", "url": url})
        tries = Tries("default")
        await reach_function(function, "eu-west-1", Served(FakeAws()), tries)
        assert bodies == []
        assert tries.lines() == ["not tried: a request (it would run the function)"]
        tries = Tries("default")
        await try_function(function, "eu-west-1", Served(FakeAws()), tries)
        assert bodies == [TEST_EVENT]
        assert (tries.answer, tries.lines()) == ("ok", ['invoked once with {"Records": []}'])


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "http_400"), (401, "http_401"), (429, "throttled"), (500, "http_500"), (503, "unavailable")],
)
async def test_a_function_that_does_not_succeed_is_told(tmp_path, status, code):
    with service(status) as (url, bodies):
        tries = Tries("default")
        await try_function(configured(tmp_path, {"type": "http", "url": url}), "eu-west-1", Served(FakeAws()), tries)
        assert bodies == [TEST_EVENT]
    assert tries.answer == "failed"
    assert tries.lines() == [f"the function did not succeed: {code}, {{}}", 'invoked once with {"Records": []}']


@pytest.mark.real_time
async def test_a_function_that_cannot_be_reached_is_not_run(tmp_path):
    tries = Tries("default")
    function = configured(tmp_path, {"type": "http", "url": "http://127.0.0.1:1/"})
    await try_function(function, "eu-west-1", Served(FakeAws()), tries)
    assert tries.answer == "unreachable"
    assert tries.done == []


async def test_lambda_is_asked_for_a_dry_run_all_the_same(tmp_path):
    aws = FakeAws()
    function = aws.function("ship")
    tries = Tries("default")
    await try_function(
        configured(tmp_path, {"type": "lambda", "function_name": "ship"}), "eu-west-1", Served(aws), tries
    )
    assert (tries.answer, tries.lines()) == ("ok", [])
    assert function.invocations.all == []


def test_it_is_nothing_without_connecting(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["check", "--try-functions"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "poller: --try-functions is for --connect, which reaches them; add it\n"
