"""Functions that run here, with a runtime that does as it is told: one of ours in a process, and one of somebody else's.

Both speak to the Runtime API from this process, byte by byte: the worker's process only passes the bytes on.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from poller.functions.runtime_api.shared import SharedRuntimeFunction
from poller.ports.function import Function
from tests.contracts.counterparts import CUTS, HUGE, Counterpart, Does
from tests.functions.runtime.clients import BASE, Answer, Client, started
from tests.functions.runtime.workers import PATIENCE, Log, settings

CAN = frozenset(Does) - {Does.THROTTLE, Does.REFUSE_SIZE}
"""Whoever asks for events cannot refuse one."""
AT_LEAST = 1.0
"""Seconds: within less, a busy machine may not have brought the event to the worker."""
GONE_AFTER = 0.3
"""Seconds. That a runtime of somebody else's has gone can only be told by the time: it may answer by any connection."""

Left = Callable[[Client, str], Awaitable[None]]
"""Returns once a runtime which does not answer an invocation has been left with it."""


@dataclass(frozen=True)
class Started:
    """Workers that the function starts."""

    name: str = "runtime"
    can: frozenset[Does] = CAN
    slow: bool = True

    @contextlib.asynccontextmanager
    async def open(self, *behaviours: Does, timeout: float = 20.0) -> AsyncIterator[tuple[Function, Counterpart]]:  # noqa: ASYNC109
        counterpart = Counterpart(list(behaviours))

        async def left(client: Client, _request_id: str) -> None:
            await client.ended()

        async def joined(client: Client) -> None:
            await _serve(client, counterpart, left)

        async with started(joined, timeout=max(timeout, AT_LEAST)) as running:
            yield running, counterpart


@dataclass(frozen=True)
class Waited:
    """Runtimes that somebody else starts."""

    name: str = "runtime, runtime_listen"
    can: frozenset[Does] = CAN
    slow: bool = False

    @contextlib.asynccontextmanager
    async def open(self, *behaviours: Does, timeout: float = 20.0) -> AsyncIterator[tuple[Function, Counterpart]]:  # noqa: ASYNC109
        counterpart = Counterpart(list(behaviours))
        limit = GONE_AFTER if set(CUTS) & set(behaviours) else timeout
        log: Any = Log()
        shared = SharedRuntimeFunction(settings(command=(), timeout=limit), log)
        shared.patience = PATIENCE
        await shared.open("127.0.0.1", 0)

        async def left(client: Client, request_id: str) -> None:
            # nobody can tell it: it learns it by its answer
            while shared.find(request_id) is not None:  # noqa: ASYNC110 - nor can it tell us
                await asyncio.sleep(0.01)
            assert (await client.respond(request_id)).error == "InvalidRequestID"

        runtime = asyncio.create_task(_restarted(shared.address, counterpart, left))
        try:
            yield shared, counterpart
        finally:
            runtime.cancel()
            await asyncio.wait([runtime])
            await shared.close()


async def _restarted(address: str, counterpart: Counterpart, left: Left) -> None:
    host, _, port = address.rpartition(":")
    while True:
        client = Client(*await asyncio.open_connection(host, int(port)))
        try:
            await _serve(client, counterpart, left)
        finally:
            await client.close()


async def _serve(client: Client, counterpart: Counterpart, left: Left) -> None:
    """A runtime, until its connection ends."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            given: Answer = await client.next()
            request_id = given.headers["lambda-runtime-aws-request-id"]
            does = counterpart.next(given.body, _trace(given, request_id))
            if does in CUTS:
                await _cut(client, does, request_id)
                return
            await _act(client, counterpart, does, given.body, request_id)
            if does is Does.HANG:
                await left(client, request_id)
                counterpart.gone.set()


def _trace(given: Answer, request_id: str) -> str | None:
    """None where it is made up, as it is for an event that came without one."""
    trace: str = given.headers["lambda-runtime-trace-id"]
    return None if request_id.replace("-", "")[:24] in trace else trace


async def _act(client: Client, counterpart: Counterpart, does: Does, event: bytes, request_id: str) -> None:
    match does:
        case Does.WAIT:
            await counterpart.gate.wait()
            await client.respond(request_id, event)
        case Does.ECHO:
            await client.respond(request_id, event)
        case Does.NOT_JSON:
            await client.respond(request_id, b"not JSON")
        case Does.HUGE:
            await client.respond(request_id, b"x" * HUGE)
        case Does.FAIL:
            await client.post_error(request_id, b'{"errorType": "KeyError", "errorMessage": "x"}')


async def _cut(client: Client, does: Does, request_id: str) -> None:
    head = f"POST {BASE}/invocation/{request_id}/response HTTP/1.1\r\nContent-Length: 2\r\n\r\n".encode()
    sent = {Does.CUT_IN_HEAD: head[:-9], Does.CUT_IN_BODY: head + b"{"}.get(does, b"")
    await client.raw(sent)
    if does is Does.RESET:
        client.writer.transport.abort()
