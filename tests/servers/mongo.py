"""A MongoDB server in a thread of this process: the double of the journeys behind its protocol, for processes of their own."""

import asyncio
import ssl
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from tests.fakes.mongo.commands import FakeMongo
from tests.fakes.mongo.server import MongoServer
from tests.http.scripted import CERTIFICATES


class MongoThread:
    """Serves from `with` on. `does` is how a test writes, since the double belongs to the thread's loop."""

    def __init__(self, *, tls: bool = False, users: dict[str, str] | None = None) -> None:
        """`users`: passwords by name, which connections have to prove that they know."""
        self.mongo = FakeMongo(time.time)
        self._server = MongoServer(self.mongo, users)
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self._server.port}/?replicaSet=rs0"

    def does(self, action: Callable[[FakeMongo], Any]) -> Any:
        async def acting() -> Any:
            return action(self.mongo)

        return asyncio.run_coroutine_threadsafe(acting(), self._loop).result(30)

    def start(self) -> None:
        """Also again, on the same port."""
        context = None
        if self._tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATES / "valid.pem")
        asyncio.run_coroutine_threadsafe(self._server.start(ssl=context), self._loop).result(30)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result(30)

    def __enter__(self) -> Self:
        self._thread.start()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        asyncio.run_coroutine_threadsafe(_ended(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _ended() -> None:
    """Every connection's task."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
