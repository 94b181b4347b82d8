"""A daemon whose function cannot start, or whose code changes: what a person is shown, and can do."""

import importlib.util
import signal

import pytest

from tests.live.daemon import command, running, until
from tests.live.test_reload import ENVIRONMENT, in_thread

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.live,
    pytest.mark.skipif(importlib.util.find_spec("awslambdaric") is None, reason="install awslambdaric"),
]
BROKEN = "raise RuntimeError('no DB_URL')\n"
MENDED = "from pathlib import Path\ndef handler(event, context):\n    Path('{name}').touch()\n"


def deploy(account, code):
    folder = account.folder / "code"
    folder.mkdir(exist_ok=True)
    (folder / "new").write_text(code)
    (folder / "new").replace(folder / "app.py")


def configure(account):
    entry = {"type": "runtime", "handler": "app.handler", "code": "code", "init_timeout_seconds": 60}
    # a daemon that logs a traceback has failed its test, and this one is the function's
    entry["environment"] = {"AWS_LAMBDA_LOG_FORMAT": "JSON"}
    account.config.write_text(account.text(functions={"fn": entry}))


def send(account, body):
    """In the loop that the long poll waits in."""
    account.loop.call_soon_threadsafe(account.queue.send, body)


def asked(account, daemon, *arguments):
    """What a client's command says."""
    process = command(account.folder, ENVIRONMENT, *arguments, "--config", account.config, "--api", daemon.address)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.heavy
@in_thread
def test_a_function_that_cannot_start_is_shown_though_its_queue_is_empty_and_restarted_by_command(account):
    deploy(account, BROKEN)
    configure(account)
    with running(account.config, ENVIRONMENT) as daemon:
        reason = daemon.wait_for_reason("q", "function_not_started")
        assert reason["text"].startswith("function fn cannot start: RuntimeError: no DB_URL (")
        code, out, err = asked(account, daemon, "why", "q")
        assert (code, err) == (0, "")
        assert "function fn cannot start: RuntimeError: no DB_URL (" in out
        send(account, "a message does not change what is wrong")
        daemon.wait_for_log("function_not_invoked")
        daemon.wait_for_reason("q", "function_not_started")
        deploy(account, MENDED.format(name="mended"))
        assert asked(account, daemon, "restart-function", "fn") == (0, "fn: its workers are started anew\n", "")
        until((account.folder / "code" / "mended").exists, "the function to be invoked")
        until(lambda: daemon.status()["q"]["reason"]["code"] == "no_data", "nothing to be wrong")
        code, out, err = asked(account, daemon, "restart-function", "typo")
        assert (code, out) == (1, "")
        assert err.endswith("there is no function typo whose workers poller starts; there are: fn\n")


@in_thread
def test_sighup_takes_code_over_that_has_changed(account):
    deploy(account, MENDED.format(name="first"))
    configure(account)
    with running(account.config, ENVIRONMENT) as daemon:
        send(account, "one")
        until((account.folder / "code" / "first").exists, "the function to be invoked")
        deploy(account, MENDED.format(name="second"))
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_log("workers_restarted", why="code")
        send(account, "two")
        until((account.folder / "code" / "second").exists, "the new code to be invoked")
