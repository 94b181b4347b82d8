"""Opens a database for a daemon's life, and for commands."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from poller.state.contents import contents as everything
from poller.state.kind import Contents
from poller.state.postgresql.connections import ANSWER_SECONDS, Connections
from poller.state.postgresql.errors import Refused
from poller.state.postgresql.fleet import PostgresqlFleet
from poller.state.postgresql.schema import prepare
from poller.values.errors import EnvironmentProblem, StateError, StoreAway


@asynccontextmanager
async def opened(url: str, fleet: str, seconds: float = ANSWER_SECONDS) -> AsyncIterator[PostgresqlFleet]:
    """The rows of a fleet, for a daemon. Raises StoreAway where the database does not answer, and EnvironmentProblem
    where a person must change something. `seconds` is the deadline of each call.
    """
    connections = Connections(url, seconds)
    store = PostgresqlFleet(connections, fleet)
    try:
        try:
            await prepare(connections)
        except Refused as error:
            raise EnvironmentProblem(str(error)) from error
        except StateError as error:
            raise StoreAway(str(error)) from error
        yield store
    finally:
        await store.close()


async def contents(url: str, fleet: str) -> Contents:
    """Everything that is stored; nothing where there are no tables yet. Raises EnvironmentProblem."""
    connections = Connections(url)
    store = PostgresqlFleet(connections, fleet)
    try:
        return await everything(store) if await prepare(connections, make=False) else Contents()
    except StateError as error:
        raise EnvironmentProblem(str(error)) from error
    finally:
        await store.close()
