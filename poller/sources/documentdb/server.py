"""The MongoDB server as the source calls it, and what its errors mean."""

from collections.abc import Mapping
from typing import Any, Protocol

import bson
from bson.datetime_ms import DatetimeMS

from poller.sources.documentdb.extended_json import OPTIONS
from poller.sources.documentdb.order import cluster_time
from poller.values.errors import AnswerLost, CallError

HISTORY_LOST = "history_lost"
"""The reason of a position that the server's log no longer has, or never had."""
RESUMABLE = "ResumableChangeStreamError"
"""The label of errors after which a stream is to be opened again behind the last change."""
_RESUMABLE_CODES = frozenset(
    {6, 7, 43, 63, 89, 91, 133, 150, 189, 234} | {262, 9001, 10107, 11600, 11602, 13388, 13435, 13436}
)
"""The same for servers that set no labels, as the drivers' specification lists them; and CursorNotFound (43)."""
_REASONS = {
    13: "access_denied",  # Unauthorized
    18: "credentials",  # AuthenticationFailed
    8000: "credentials",  # AtlasError: of what it covers, failed authentication is what happens
    136: HISTORY_LOST,  # CappedPositionLost
    280: HISTORY_LOST,  # ChangeStreamFatalError: the token was not found
    286: HISTORY_LOST,  # ChangeStreamHistoryLost
}
_TOO_LARGE = 10334
"""BSONObjectTooLarge: a change with its documents may be larger than any document."""
_COMMAND_NOT_FOUND = 59
_FAILED_TO_PARSE, _INVALID_RESUME_TOKEN = 9, 260


class Session(Protocol):
    """Commands that belong together: a cursor is read in the session that opened it."""

    async def end(self) -> None:
        """Nothing further is sent in it. Raises nothing."""
        ...


class Server(Protocol):
    """One cluster."""

    async def session(self) -> Session:
        """Raises CallError."""
        ...

    async def run(self, database: str, command: Mapping[str, Any], session: Session | None = None) -> bytes:
        """Run a command, and return the reply as BSON. Raises CallError: CommandFailed for what the server refuses."""
        ...

    async def close(self) -> None:
        """Close every connection. Raises nothing."""
        ...


async def hello(server: Server) -> Mapping[str, Any]:
    """What the server says about itself. Raises CallError."""
    try:
        reply = await server.run("admin", {"hello": 1})
    except CommandFailed as error:
        if error.code != _COMMAND_NOT_FOUND:
            raise
        # by the name that the command had before MongoDB 5
        reply = await server.run("admin", {"isMaster": 1})
    said: dict[str, Any] = bson.decode(reply, OPTIONS)
    return said


async def tip(server: Server) -> int:
    """The cluster time of the last write that the server knows; that of its clock where it does not say."""
    said = await hello(server)
    found = cluster_time(said.get("operationTime"))
    if found is not None:
        return found
    local = said.get("localTime")
    if not isinstance(local, DatetimeMS):
        raise AnswerLost("the answer is none to hello: it has no localTime")
    return int(local) // 1000 << 32


class CommandFailed(CallError):
    """The server answered a command with an error."""

    def __init__(self, code: int, name: str, message: str, labels: frozenset[str] = frozenset()) -> None:
        super().__init__(f"{name or 'error'} ({code}): {message}")
        self.code = code
        self.resumable = RESUMABLE in labels or code in _RESUMABLE_CODES
        """Whether a stream is opened again at once, without a word."""
        self.too_large = code == _TOO_LARGE
        """Whether a stream needs the stage that splits changes."""
        self.reason = _reason(code, message) or ("unreachable" if self.resumable else "error")


def _reason(code: int, message: str) -> str | None:
    if code == _INVALID_RESUME_TOKEN:
        return "invalidated" if "invalidate" in message else HISTORY_LOST
    if code == _FAILED_TO_PARSE and "resume token" in message.lower():
        return HISTORY_LOST
    return _REASONS.get(code)
