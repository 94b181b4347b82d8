"""A `Server` through PyMongo's asynchronous client. Everything that the driver raises becomes a CallError here."""

import asyncio
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from bson.codec_options import CodecOptions
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    ConnectionFailure,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.server_description import ServerDescription

from poller.sources.documentdb.cluster import SetupFailed
from poller.sources.documentdb.server import CommandFailed, Session
from poller.values.errors import AnswerLost, CallError, NotSent

Connection = Callable[[], Awaitable[tuple[str, dict[str, Any]]]]
"""Finds the connection string, which may hold a password, and the client's options over it. Raises CallError."""
SELECTION = 10.0
"""Seconds to find a server that takes reads, for example through an election."""
ANSWER = 30.0
"""Seconds for a command with its answer; above the time that a read of a stream waits for changes."""
CLOSE = 2.0
"""Seconds to close sessions and connections."""
_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
_OTHER_PRODUCT = "You appear to be connected to a "
"""Begins the driver's warning that a host is one of DocumentDB, for instance."""
_NO_SESSIONS = "Sessions are not supported"
"""Of the driver's error for a command with a session, before it is sent."""
_UNAUTHENTICATED = 18
_CODES_OF_CREDENTIALS = frozenset({_UNAUTHENTICATED, 8000})


class DriverSession:
    """A `Session`."""

    def __init__(self, session: AsyncClientSession) -> None:
        self.session: AsyncClientSession | None = session
        """None at a server that knows no sessions, such as DocumentDB 3.6."""

    async def end(self) -> None:
        """See `Session.end`."""
        if self.session is None:
            return
        with suppress(PyMongoError, TimeoutError, OSError):
            async with asyncio.timeout(CLOSE):
                await self.session.end_session()


class Driver:
    """The client is made with the first command, and anew after the server refused its credentials."""

    def __init__(self, connection: Connection, options: Mapping[str, Any]) -> None:
        """`options` are the client's, over those of the connection."""
        self._connection = connection
        self._options = options
        self._connecting = asyncio.Lock()
        self._client: AsyncMongoClient[dict[str, Any]] | None = None

    async def session(self) -> DriverSession:
        """See `Server.session`."""
        # without causal consistency: no read waits for what another server has already told
        return DriverSession((await self._connected()).start_session(causal_consistency=False))

    async def run(self, database: str, command: Mapping[str, Any], session: Session | None = None) -> bytes:
        """See `Server.run`."""
        client = await self._connected()
        try:
            async with asyncio.timeout(SELECTION + ANSWER):
                return await _sent(client, database, command, session if isinstance(session, DriverSession) else None)
        except OperationFailure as error:
            if error.code in _CODES_OF_CREDENTIALS:
                await self.close()
            raise _refusal(error) from error
        except (PyMongoError, BSONError, OSError, TimeoutError) as error:
            raise _lost(error) from error

    async def _connected(self) -> "AsyncMongoClient[dict[str, Any]]":
        async with self._connecting:
            if self._client is None:
                self._client = await self._made()
            return self._client

    async def _made(self) -> "AsyncMongoClient[dict[str, Any]]":
        uri, options = await self._connection()
        try:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(uri, **{**options, **self._options})
        except (PyMongoError, OSError, ValueError, TypeError) as error:
            # its text may repeat the string with the password
            raise SetupFailed(f"the connection string or a file that it names is refused: {_kind(error)}") from None
        if any(not str(warning.message).startswith(_OTHER_PRODUCT) for warning in said):
            # the driver would leave such an option out, for instance `tls` that is misspelt
            raise SetupFailed("the connection string has an option, or a value of one, that the driver does not know")
        return client

    async def close(self) -> None:
        """See `Server.close`."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(PyMongoError, TimeoutError, OSError):
                async with asyncio.timeout(CLOSE):
                    await client.close()


async def _sent(
    client: "AsyncMongoClient[dict[str, Any]]",
    database: str,
    command: Mapping[str, Any],
    session: DriverSession | None,
) -> bytes:
    """The reply. Raises what the driver raises."""
    own = None if session is None else session.session
    try:
        reply = await client[database].command(
            dict(command), session=own, codec_options=_RAW, read_preference=client.read_preference
        )
    except ConfigurationError as error:
        if own is None or _NO_SESSIONS not in str(error):
            raise
        assert session is not None
        await session.end()
        session.session = None
        return await _sent(client, database, command, session)
    return bytes(reply.raw)


def always_the_same(servers: Sequence[ServerDescription]) -> Sequence[ServerDescription]:
    """Of several servers that could answer, the first by address: only the one that has a cursor can go on with it."""
    return sorted(servers, key=lambda server: str(server.address))[:1]


def client_options(app: str) -> dict[str, Any]:
    """Of every client."""
    return {
        "appname": app,
        "serverSelectionTimeoutMS": int(SELECTION * 1000),
        "connectTimeoutMS": int(SELECTION * 1000),
        "socketTimeoutMS": int(ANSWER * 1000),
        "server_selector": always_the_same,
        "maxPoolSize": 4,
        # what is not answered is sent again by us, behind the last change
        "retryReads": False,
        "retryWrites": False,
    }


def _refusal(error: OperationFailure) -> CommandFailed:
    details = error.details or {}
    labels = frozenset(map(str, details.get("errorLabels") or ()))
    message = str(details.get("errmsg") or error)
    return CommandFailed(error.code or 0, str(details.get("codeName") or ""), message, labels)


def _lost(error: Exception) -> CallError:
    if isinstance(error, ServerSelectionTimeoutError):
        return NotSent(_one_line(error))
    if isinstance(error, ConfigurationError):
        return SetupFailed(_one_line(error))
    if isinstance(error, (AutoReconnect, ConnectionFailure, OSError)):
        return AnswerLost(_one_line(error) or _kind(error))
    return AnswerLost(f"{_kind(error)}: {_one_line(error)}")


def _one_line(error: Exception) -> str:
    """Without the driver's description of the whole topology behind it."""
    return str(error).partition(", Timeout:")[0].partition("\n")[0][:500]


def _kind(error: Exception) -> str:
    return type(error).__name__
