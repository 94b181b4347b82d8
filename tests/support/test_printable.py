"""What others wrote reaches a person as characters, never as orders to the terminal or as lines of ours."""

import json
import logging
import socket
from typing import Any

import pytest
import structlog

from poller.cli import output, status, why
from poller.daemon.notify import Notifier
from poller.demo.picture import Picture
from poller.demo.view import event_line
from poller.ports.status import LastFailure, MappingState, Reason, ReasonCode
from poller.support import telemetry
from poller.support.printable import printable, printable_lines
from tests.daemon.samples import STARTED_AT, a_daemon, a_mapping, render
from tests.support.test_telemetry import Written

HOSTILE = "\x1b[2Jgone\x9b31m\u202egnol\u2066\r\nforged: running\x07\u2028\x7f\ud800"
FORBIDDEN = {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))} - {"\n"} | set("\u202e\u2066\u2028\ud800")


def hostile_status():
    """A daemon each of whose texts that come from elsewhere is hostile."""
    mapping = a_mapping(
        name="orders" + HOSTILE,
        function="f" + HOSTILE,
        event_source_arn="arn:" + HOSTILE,
        state=MappingState.PROBLEM,
        reason=Reason(ReasonCode.RETRY, "the function says " + HOSTILE),
        last_failure=LastFailure(100.0, HOSTILE, HOSTILE, "first line\n" + HOSTILE),
        tags={HOSTILE: HOSTILE},
    )
    return render(a_daemon(mapping), 100.0, STARTED_AT)


class Answers:
    """A client of a daemon in that status."""

    address = "http://127.0.0.1:1"

    def status(self):
        return json.loads(json.dumps(hostile_status()))


ANSWERS: Any = Answers()


def assert_harmless(shown: str) -> None:
    assert not FORBIDDEN & set(shown), repr(shown)
    assert not any(line.startswith("forged") for line in shown.splitlines())
    assert "\\x1b" in shown


def test_each_hostile_character_is_shown_as_its_escape():
    assert printable(HOSTILE) == (r"\x1b[2Jgone\x9b31m\u202egnol\u2066\r\nforged: running\x07\u2028\x7f\ud800")


def test_letters_of_any_language_stay_as_they_are():
    assert printable("größer, 漢字, עברית, 😀") == "größer, 漢字, עברית, 😀"


def test_a_text_of_several_lines_keeps_only_its_line_ends():
    assert printable_lines("a\r\nb\x1b\n") == ["a", r"b\x1b", ""]


@pytest.mark.parametrize("mapping", [None, "6f8a5c8e-0000-4000-8000-000000000001"])
@pytest.mark.parametrize("as_json", [False, True])
def test_status_shows_a_hostile_error_text_harmlessly(capsys, mapping, as_json):
    status.show(ANSWERS, mapping, as_json=as_json, watch=False)
    shown = capsys.readouterr().out
    if as_json:
        assert json.loads(shown)["mappings"][0]["function"] == "f" + HOSTILE
        assert not FORBIDDEN & set(shown)
    else:
        assert_harmless(shown)


def test_why_shows_a_hostile_error_text_harmlessly(capsys):
    why.show(ANSWERS, None)
    assert_harmless(capsys.readouterr().out)


def test_a_table_cell_takes_no_pictures_and_no_colours(capsys):
    table = output.table("name")
    table.add_row(":bomb: [red]a[/red]")
    output.console().print(table)
    assert ":bomb: [red]a[/red]" in capsys.readouterr().out


def test_the_demo_shows_a_hostile_error_text_harmlessly():
    event: dict[str, object] = {"timestamp": "2026-01-01T00:00:00Z", "event": "function_log" + HOSTILE, "text": HOSTILE}
    assert_harmless(event_line(event).plain)
    picture = Picture(1.0, "producing", 10, mapping={"reason": {"text": HOSTILE}})
    assert_harmless(picture.reason)


def test_the_service_manager_shows_a_hostile_error_text_harmlessly(tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(5)
        Notifier(str(path)).status(HOSTILE)
        (line,) = manager.recv(4096).decode().splitlines()
    assert_harmless(line)


@pytest.fixture
def console_log():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    structlog.reset_defaults()
    stream = Written()
    telemetry.configure(output="console", stream=stream)
    yield stream
    structlog.reset_defaults()
    telemetry.set_level("info")
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_console_log_shows_a_hostile_error_text_harmlessly(console_log):
    telemetry.logger(mapping=HOSTILE).warning("batch_failed", why=HOSTILE, short="\x1b[2J", names=[HOSTILE])
    assert_harmless(console_log.getvalue())


def test_a_hostile_exception_forges_no_line_of_a_console_log(console_log):
    telemetry.logger().error("partition_failed", exc_info=ValueError(HOSTILE))
    assert_harmless(console_log.getvalue())


def test_a_console_log_leaves_out_what_is_empty(console_log):
    account = {"orders": {"polled": 3, "filtered": 0, "in_flight": 0}}
    telemetry.logger().info("stopped", request_id=None, mappings=account, left_out=4)
    line = console_log.getvalue()
    assert "request_id" not in line
    assert "filtered" not in line
    assert "left_out" not in line
    assert "{'orders': {'polled': 3}}" in line
    assert "and 4 more" in line
