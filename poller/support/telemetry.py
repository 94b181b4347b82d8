"""Structured logs: named events with bound context, on stderr, as JSON lines or for a console.

Decides how a line looks and which level passes; never what is worth saying. Normal running is silent at `info`.
Payloads are never logged, secrets neither: what may hold one has no place in an event's fields.
The events are listed in `poller.support.events`.
"""

import logging
import sys
from typing import Any, Literal, Protocol, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from poller.support.log_writer import LogWriter
from poller.support.printable import printable, printable_lines

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "console"]

FLUSH_SECONDS = 2.0
"""Seconds for a slow reader at the exit."""

_NUMBERS: dict[Level, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


class Logger(structlog.BoundLoggerBase):
    """The one class of all loggers of this program. `set_level` swaps its methods, and so changes loggers that were
    bound long ago.
    """


class _Writer:
    """The logger to which structlog gives its lines."""

    def __init__(self, lines: LogWriter) -> None:
        self.write = lines.write

    def msg(self, line: str) -> None:
        self.write(line)

    debug = info = warning = warn = error = critical = exception = msg


class _Foreign(logging.Handler):
    """Sends the log records of libraries through this log."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            # arguments that do not fit their format are the library's mistake, and must not end the daemon's call
            message = str(record.msg)
        level = min(_NUMBERS.values(), key=lambda number: abs(number - record.levelno))
        # a warning is about people or networks, and needs no traceback
        failed = record.exc_info if record.levelno >= logging.ERROR else None
        if record.exc_info and record.exc_info[1] is not None and failed is None:
            message += f" {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        logger(logger=record.name).log(level, "library_message", message=message, exc_info=failed)


class _Renderer(Protocol):
    def __call__(self, logger: WrappedLogger, name: str, event_dict: EventDict, /) -> str | bytes: ...


_lines: LogWriter | None = None
"""The writer of the present stream."""
_process: dict[str, Any] = {}
_processors: list[Processor] = []
"""One list for the life of the process: loggers that are already bound hold it, so a new format reaches them too."""


def configure(level: Level = "info", output: Format = "json", stream: TextIO | None = None) -> None:
    """Configure logging, again if needed: loggers that are already bound follow in level and format, but not in stream
    (default stderr).
    """
    stream = stream or sys.stderr
    lines = _writer_of(stream)
    _processors[:] = [
        lambda _logger, _name, fields: {**fields, **_process},
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *_rendering(output, colours=stream.isatty()),
    ]
    set_level(level)
    structlog.configure(
        processors=_processors,
        wrapper_class=Logger,
        logger_factory=lambda *_: _Writer(lines),
        cache_logger_on_first_use=True,
    )
    _route_libraries()


def name_process(**fields: Any) -> None:
    """Add these fields to every line of this process from the next `configure` on."""
    _process.update(fields)


def _writer_of(stream: TextIO) -> LogWriter:
    """One writer for all loggers of a stream, because their lines would mix otherwise."""
    global _lines  # noqa: PLW0603  (of the process, as the stream is)
    if _lines is None or _lines.stream is not stream:
        _lines = LogWriter(stream, _tell_left_out)
    return _lines


def _tell_left_out(count: int) -> None:
    logger().warning("log_lines_left_out", count=count)


def flush(seconds: float = FLUSH_SECONDS) -> bool:
    """Wait until everything logged is written, at most `seconds`. False where it is not."""
    return _lines is None or _lines.flush(seconds)


def _rendering(output: Format, *, colours: bool) -> list[Processor]:
    if output == "json":
        return [structlog.processors.format_exc_info, _order, structlog.processors.JSONRenderer()]
    # the default formatter prints the values of local variables, secrets among them
    plain = structlog.dev.plain_traceback
    renderer = structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain)
    return [structlog.processors.format_exc_info, _for_people, cast("_Renderer", renderer)]


def _for_people(_logger: WrappedLogger, _name: str, fields: EventDict) -> EventDict:
    """Render a line for a console, without empty fields and without characters that a terminal obeys. Only tracebacks
    have several lines.
    """
    if trace := fields.pop("exception", None):
        fields["exception"] = "\n".join(f"    {line}" for line in printable_lines(trace))
    if more := fields.pop("left_out", 0):
        fields["event"] = f"{fields['event']} (and {more} more since the last such line)"
    shown = {name: _without_nothing(value) for name, value in fields.items() if value is not None}
    return {name: value if name == "exception" else _printable(value) for name, value in shown.items()}


def _without_nothing(value: object) -> object:
    """A mapping without its zeros, because only the counters that moved are news."""
    if not isinstance(value, dict):
        return value
    return {name: _without_nothing(inner) for name, inner in value.items() if inner not in (0, None)}


def _printable(value: object) -> object:
    return printable(value) if isinstance(value, str) else value


def _order(_logger: WrappedLogger, _name: str, fields: EventDict) -> EventDict:
    return {name: fields.pop(name) for name in ("timestamp", "level", "event")} | dict(fields)


def set_level(level: Level) -> None:
    """Change the level of all loggers at once, bound or not."""
    filtering = structlog.make_filtering_bound_logger(_NUMBERS[level])
    for name, method in vars(filtering).items():
        if not name.startswith("__"):
            setattr(Logger, name, method)


def _route_libraries() -> None:
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, _Foreign):
            root.removeHandler(handler)
    root.addHandler(_Foreign())
    # below this level, libraries log payloads and signed headers
    root.setLevel(logging.WARNING)


def logger(**context: Any) -> FilteringBoundLogger:
    """Bind a logger, cheap to call and to keep: once per mapping, lane or module, after `configure`.

    In a program that embeds the engine and sets up no structlog, events go to the standard logger `poller`.
    """
    log = structlog.get_logger() if structlog.is_configured() else structlog.wrap_logger(_library, **_TO_LIBRARY)
    return cast("FilteringBoundLogger", log.bind(**context))


def _as_text(_logger: WrappedLogger, _name: str, fields: EventDict) -> tuple[tuple[str], dict[str, Any]]:
    """The event as arguments of a standard logger, with its fields behind it."""
    failed, event = fields.pop("exc_info", None), fields.pop("event")
    return (" ".join([event, *(f"{name}={value!r}" for name, value in fields.items())]),), {"exc_info": failed}


_library = logging.getLogger("poller")
_library.addHandler(logging.NullHandler())
_TO_LIBRARY: dict[str, Any] = {
    "processors": [structlog.stdlib.filter_by_level, _as_text],
    "wrapper_class": structlog.stdlib.BoundLogger,
}
