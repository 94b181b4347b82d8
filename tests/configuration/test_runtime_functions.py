"""Functions that run here: what may be said of their workers, and what is refused."""

import sys

import pytest

from poller.functions.runtime_api.options import RuntimeOptions

MAPPING = """\
event_source_mappings: [{event_source_arn: "arn:aws:sqs:eu-west-1:123456789012:orders", function_name: fn}]
"""


def text(entry):
    return f"functions:\n  fn: {entry}\n{MAPPING}"


@pytest.fixture
def code(bench):
    """A directory beside the configuration."""
    folder = bench.directory / "app"
    folder.mkdir()
    return folder


def bootstrap(code, mode):
    path = code / "bootstrap"
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)


def test_a_handler_runs_in_its_directory_with_one_worker_unless_told_otherwise(bench, code):
    function = bench.text(text("{type: runtime, handler: app.handler, code: ./app}")).functions["fn"]
    runtime = RuntimeOptions.of(function)
    assert (runtime.handler, runtime.command, runtime.code) == ("app.handler", (), code)
    assert (function.concurrency, runtime.minimum_workers, function.timeout_seconds) == (1, 1, 30)


def test_a_directory_with_a_bootstrap_needs_nothing_else(bench, code):
    bootstrap(code, 0o755)
    runtime = RuntimeOptions.of(bench.text(text("{type: runtime, code: ./app, minimum_workers: 0}")).functions["fn"])
    assert (runtime.handler, runtime.command, runtime.minimum_workers) == (None, (), 0)


def test_a_command_may_be_told_a_handler_of_any_form(bench, code):
    entry = "{type: runtime, code: ./app, command: [node, run.js], handler: index.mjs}"
    assert RuntimeOptions.of(bench.text(text(entry)).functions["fn"]).handler == "index.mjs"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            "{type: runtime, handler: a.b, code: app, user: no-such-user}",
            "functions.fn.user: is 'no-such-user', and there is no user of that name on this machine",
        ),
        ("{type: runtime}", "functions.fn.handler: is missing"),
        ("{type: runtime, handler: a.b}", "functions.fn.code: is missing"),
        ("{type: runtime, handler: handler, code: app}", "functions.fn.handler: is 'handler'; it must be module"),
        ("{type: runtime, handler: a.b, code: nowhere}", "functions.fn.code: 'nowhere' is no directory"),
        ("{type: runtime, code: app}", "functions.fn.code: holds no file named bootstrap"),
        (
            "{type: runtime, handler: a.b, code: app, minimum_workers: 2}",
            "functions.fn.minimum_workers: is more than concurrency, 1",
        ),
        (
            "{type: runtime, handler: a.b, code: app, allow_unauthenticated: true}",
            "functions.fn.allow_unauthenticated: is for runtime_listen",
        ),
        (
            "{type: runtime, handler: a.b, code: app, environment: {'A=B': c}}",
            "functions.fn.environment.A=B: is no name",
        ),
        ("{type: runtime, runtime_listen: '0.0.0.0:9001'}", "functions.fn.runtime_listen: can be reached from other"),
        (
            "{type: runtime, runtime_listen: '127.0.0.1:9001', code: app}",
            "functions.fn.code: is for workers that poller",
        ),
        ("{type: runtime, runtime_listen: '127.0.0.1:9001', memory_size: 256}", "functions.fn.memory_size: is for"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(bench, code, entry, expected):
    [problem] = bench.problems_of(text(entry))
    assert expected in problem


def test_a_bootstrap_that_may_not_be_executed_is_refused(bench, code):
    bootstrap(code, 0o644)
    [problem] = bench.problems_of(text("{type: runtime, code: app}"))
    assert "chmod +x" in problem


def test_other_machines_may_ask_where_that_is_allowed(bench):
    entry = "{type: runtime, runtime_listen: '0.0.0.0:9001', allow_unauthenticated: true, concurrency: 8}"
    function = bench.text(text(entry)).functions["fn"]
    assert (RuntimeOptions.of(function).runtime_listen, function.concurrency) == ("0.0.0.0:9001", 8)


def test_python_code_is_refused_where_what_runs_it_is_not_installed_and_the_rest_is_not(bench, code, monkeypatch):
    monkeypatch.setitem(sys.modules, "awslambdaric", None)
    [problem] = bench.problems_of(text("{type: runtime, handler: app.handler, code: app}"))
    assert problem.startswith("poller.yaml:2: functions.fn.handler: is Python code, which awslambdaric runs")
    assert "is not installed: pip install '" in problem
    assert "[runtime]'" in problem
    bootstrap(code, 0o755)
    bench.text(text("{type: runtime, code: app}"))
    bench.text(text("{type: runtime, code: app, command: [python3, run.py], handler: app.handler}"))
    bench.text(text("{type: runtime, runtime_listen: '127.0.0.1:9001'}"))
