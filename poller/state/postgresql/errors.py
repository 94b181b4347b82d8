"""What the driver and the server say, as a reason with what to do. Both are other people's: any text may come."""

import psycopg

from poller.values.errors import StateError
from poller.values.texts import shortened

LONGEST = 300
"""Characters repeated of a server's text."""
ADVICE = {
    "25006": "it can only be read, as a standby can: name the primary, or all hosts with target_session_attrs",
    "42501": "give the role a schema of its own, or have its owner run what `poller state migrate --print` prints",
    "42P01": "a table was taken away: a restart of the daemon makes it again, without positions",
    "3D000": "create the database, or name another",
    "53100": "its disk is full: make room",
    "53300": "it has no connection to spare: raise max_connections, or the limit of the role",
}
"""By SQLSTATE."""
CLASSES = {
    "08": "the connection broke",
    "28": "check user and password, and pg_hba.conf on the server",
    "57": "it stops or starts",
}
"""By the first two characters of an SQLSTATE."""
REFUSED = ("42", "25006", "0A")
"""How SQLSTATEs begin that come again at each try, until a person changes something."""
LOST = ("08", "57P")
"""How SQLSTATEs begin that end the connection, not only the statement."""


def is_lost(error: BaseException) -> bool:
    """Whether the connection is of no use any more. What was sent may have taken effect."""
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(LOST)


def one_line(error: BaseException) -> str:
    """The text of an error, short and in one line."""
    return shortened(" ".join(str(error).split()), LONGEST) or type(error).__name__


def advice(sqlstate: str | None) -> str | None:
    """What to do about an error of the server."""
    return None if sqlstate is None else ADVICE.get(sqlstate) or CLASSES.get(sqlstate[:2])


class Refused(StateError):
    """The server understood, and refuses until a person changes something."""


def state_error(where: str, error: BaseException) -> StateError:
    """`where` is the database for people."""
    sqlstate = error.sqlstate if isinstance(error, psycopg.Error) else None
    told = advice(sqlstate)
    kind = Refused if sqlstate is not None and sqlstate.startswith(REFUSED) else StateError
    return kind(f"the store {where}: {one_line(error)}" + (f"; {told}" if told else ""))
