"""How a log line looks, which pass, and that the list of events is true."""

import ast
import errno
import io
import json
import logging
import os
import re
from pathlib import Path
from typing import Any

import pytest
import structlog

from poller.support import events, telemetry


class Written(io.StringIO):
    """Its content is asked for once everything logged was written."""

    def getvalue(self):
        assert telemetry.flush()
        return super().getvalue()


@pytest.fixture
def stream():
    """Logging set up from nothing, and undone."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    structlog.reset_defaults()
    yield Written()
    structlog.reset_defaults()
    telemetry.set_level("info")
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail(password):
    try:
        _ = {}[password]
    except KeyError as error:
        telemetry.logger().error("partition_failed", exc_info=ValueError("why").with_traceback(error.__traceback__))


def test_a_line_is_json_with_event_level_utc_time_and_bound_context(stream):
    telemetry.configure(stream=stream)
    telemetry.logger(mapping="orders", lane=3).warning("batch_failed", records=10)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"level": "warning", "event": "batch_failed", "mapping": "orders", "lane": 3, "records": 10}


def test_a_changed_level_reaches_loggers_bound_before(stream):
    telemetry.configure(stream=stream)
    log = telemetry.logger()
    log.debug("hidden")
    telemetry.set_level("debug")
    log.debug("shown")
    telemetry.set_level("error")
    log.warning("hidden")
    log.error("shown")
    assert [line["event"] for line in lines(stream)] == ["shown", "shown"]


def test_a_changed_format_reaches_loggers_bound_before(stream):
    telemetry.configure(stream=stream)
    log = telemetry.logger(mapping="orders")
    telemetry.configure(output="console", stream=stream)
    log.info("batch_delivered")
    assert "batch_delivered" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


@pytest.mark.parametrize("output", ["json", "console"])
def test_an_exception_is_logged_without_the_values_of_variables(stream, output):
    telemetry.configure(output=output, stream=stream)
    fail("hunter2" * 3)
    assert "ValueError: why" in stream.getvalue()
    assert "hunter2hunter2" not in stream.getvalue()


def test_an_exception_is_one_field_of_one_line(stream):
    telemetry.configure(stream=stream)
    fail("")
    (line,) = lines(stream)
    assert line["exception"].endswith("ValueError: why")


def test_libraries_are_heard_from_warning_up(stream):
    telemetry.configure("debug", stream=stream)
    logging.getLogger("botocore.auth").info("hidden")
    logging.getLogger("aiohttp").warning("%d of %s", 1, "two")
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["message"]) == ("library_message", "aiohttp", "1 of two")


def test_a_library_with_wrong_arguments_is_logged_all_the_same(stream):
    telemetry.configure(stream=stream)
    record = logging.makeLogRecord({"msg": "%d things", "args": ("many",), "levelno": logging.ERROR})
    logging.getLogger().handlers[-1].handle(record)  # ours alone: pytest's raises where logging would print
    assert lines(stream)[0]["message"] == "%d things"


def test_setting_up_twice_does_not_double_the_lines_of_libraries(stream):
    telemetry.configure(stream=stream)
    telemetry.configure(stream=stream)
    logging.getLogger("aiohttp").warning("once")
    assert len(lines(stream)) == 1


def test_a_reader_that_is_gone_stops_nothing(stream):
    telemetry.configure(stream=stream)
    log = telemetry.logger()
    stream.close()
    log.error("unheard")
    assert telemetry.flush()


def test_a_reader_that_stands_still_delays_nobody_and_is_told_what_it_missed(stream, monkeypatch):
    """Nothing is written while nobody reads: what the buffer holds comes later, the rest is counted."""
    monkeypatch.setattr("poller.support.log_writer.MOST_BYTES", 200_000)
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as end, os.fdopen(reading) as reader:
        telemetry.configure(stream=end)
        log = telemetry.logger()
        for number in range(5_000):
            log.warning("batch_failed", number=number, text="x" * 100)
        assert not telemetry.flush(0.01)
        numbers: list[Any]
        numbers, left_out, notices = [], 0, 0
        # the writer may find room more than once, and says each time what was left out until then
        while len(numbers) + left_out < 5_000:
            line = json.loads(reader.readline())
            if line["event"] == "log_lines_left_out":
                left_out, notices = left_out + line["count"], notices + 1
            else:
                numbers.append(line["number"])
        assert numbers == sorted(set(numbers))
        assert len(numbers) + left_out == 5_000
        assert notices > 0
        log.warning("batch_failed", number=-1)
        assert json.loads(reader.readline())["number"] == -1
        assert telemetry.flush()


def test_a_full_disk_is_told_once_there_is_room(stream):
    class Disk(Written):
        full = True

        def write(self, text):
            if self.full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(text)

    disk = Disk()
    telemetry.configure(stream=disk)
    log = telemetry.logger()
    log.warning("batch_failed")
    log.warning("batch_failed")
    assert lines(disk) == []
    disk.full = False
    log.warning("batch_discarded")
    assert telemetry.flush()  # and with it the count is handed over
    assert [(line["event"], line.get("count")) for line in lines(disk)] == [
        ("batch_discarded", None),
        ("log_lines_left_out", 2),
    ]


def test_a_pipe_that_does_not_block_gets_every_line_whole(stream):
    """Whoever shares it, as a terminal is shared, may have made it so."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with os.fdopen(writing, "w") as end, os.fdopen(reading) as reader:
        telemetry.configure(stream=end)
        log = telemetry.logger()
        for number in range(1_000):
            log.warning("batch_failed", number=number, text="x" * 200)
        assert [json.loads(reader.readline())["number"] for _ in range(1_000)] == list(range(1_000))


def logged_events():
    """First arguments of logging calls anywhere in the package."""
    methods = {"debug", "info", "warning", "error", "critical", "exception", "repeating", "each", "lost"}
    for file in Path(telemetry.__file__).parents[1].rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(attr=name), args=[ast.Constant(value=str(event)), *_]) if (
                    name in methods
                ):
                    yield event


def test_the_list_of_events_names_exactly_those_that_are_logged():
    rows = re.findall(r"^\| ([a-z_, ]+) \| (?!level)[a-z, ]+ \|", events.__doc__, re.MULTILINE)
    listed = {name for row in rows for name in row.split(", ")}
    assert listed == {*logged_events(), "library_message"}
