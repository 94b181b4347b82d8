"""An AWS account in memory behind the data-plane port: SQS, Kinesis, DynamoDB Streams and Lambda, with faults, latency
and an exact ledger."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from poller.aws.port import EventStream, Operation, Reply, ReservedBytes
from poller.http.reserved_bytes import fit
from poller.values.errors import AnswerLost, NotSent
from tests.fakes.faults import FaultPlan, Way
from tests.fakes.ids import http_date, new_id
from tests.fakes.lambda_service import FakeLambda, Handler, LambdaFunction
from tests.fakes.ledger import Ledger
from tests.fakes.queue import FakeQueue, loop_time
from tests.fakes.sqs import FakeSqs
from tests.fakes.streams import FakeStreams, KinesisStream, StreamLedger, TableStream
from tests.fakes.streams.account import SERVICES as STREAM_SERVICES
from tests.fakes.streams.account import virtual_clock

Interceptor = Callable[..., Awaitable[Reply]]


class _Ledgers:
    """What a function tells one ledger, told both: message ids and sequence numbers are never the same."""

    def __init__(self, *ledgers: Ledger | StreamLedger) -> None:
        self._ledgers = ledgers

    def note(self, what: str, identifiers: Iterable[str], now: float) -> None:
        for ledger in self._ledgers:
            ledger.note(what, identifiers, now)


class FakeAws:
    """A `Transport`. Time is the running loop's, so it works on virtual and on real time."""

    def __init__(
        self,
        *,
        region: str = "eu-west-1",
        account: str = "123456789012",
        seed: int = 0,
        clock: Callable[[], float] = virtual_clock,
    ) -> None:
        """`clock` is that of the services, in epoch seconds; `Date` headers tell it."""
        self.region = region
        self.account = account
        self.clock = clock
        self.ledger = Ledger()
        self.streams = FakeStreams(region, account, clock)
        self._ledgers = _Ledgers(self.ledger, self.streams.ledger)
        self.faults = FaultPlan(seed)
        self.latency = 0.0
        """Seconds of a round trip, half before the service acts and half after."""
        self.queues: dict[str, FakeQueue] = {}
        self.calls: Counter[str] = Counter()
        """By the operation's name; counted when the call is made."""
        self.running = 0
        """Calls not yet answered."""
        self.closed = False
        self._interceptor: Interceptor | None = None
        self._seed = seed
        self._sqs = FakeSqs(self.queues, self.faults)
        self._lambda = FakeLambda()

    @property
    def functions(self) -> dict[str, LambdaFunction]:
        """By name."""
        return self._lambda.functions

    def queue(
        self,
        name: str,
        *,
        dead_letter_queue: FakeQueue | None = None,
        max_receive_count: int = 0,
        visibility_timeout: int = 30,
        receive_wait: int = 0,
        delay: int = 0,
        content_based_deduplication: bool = False,
        in_flight_limit: int | None = None,
        disorder: bool = False,
    ) -> FakeQueue:
        """Create a queue; FIFO when the name ends in `.fifo`. `disorder` hands messages out in any order, by seed."""
        assert (dead_letter_queue is None) == (max_receive_count == 0), "a dead-letter queue needs both, or neither"
        self.queues[name] = FakeQueue(
            name,
            f"arn:aws:sqs:{self.region}:{self.account}:{name}",
            f"https://sqs.{self.region}.amazonaws.com/{self.account}/{name}",
            self.ledger,
            visibility_timeout,
            receive_wait,
            delay,
            content_based_deduplication,
            dead_letter_queue,
            max_receive_count,
            in_flight_limit,
            random.Random(self._seed) if disorder else None,
        )
        return self.queues[name]

    def delete_queue(self, name: str) -> None:
        """From now on it does not exist; its messages stay in the ledger as remaining."""
        del self.queues[name]

    def stream(self, name: str, shards: int = 1, **settings: Any) -> KinesisStream:
        """Create a Kinesis stream; see `KinesisStream`. Its account is in `streams.ledger`."""
        return self.streams.stream(name, shards, **settings)

    def table(self, name: str, shards: int = 1, **settings: Any) -> TableStream:
        """Create a table with a stream; see `TableStream`. Its account is in `streams.ledger`."""
        return self.streams.table(name, shards, **settings)

    def function(
        self, name: str, handler: Handler = lambda _: None, *, reports_failures: bool = True, delay: float = 0.0
    ) -> LambdaFunction:
        """Create a function; see `LambdaFunction`."""
        function = LambdaFunction(name, handler, self._ledgers, reports_failures, delay=delay)
        self._lambda.functions[name] = function
        return function

    def intercept(self, by: Interceptor | None) -> None:
        """From now on every call is answered by `by`, whose first argument makes the call; None ends this."""
        self._interceptor = by

    async def call(
        self,
        operation: Operation,
        body: bytes,
        timeout: float | None = None,  # noqa: ASYNC109
        *,
        trace: str | None = None,
        room: ReservedBytes | None = None,
    ) -> Reply:
        if self._interceptor is None:
            return await self._answered(operation, body, timeout, room=room)
        return await self._interceptor(self._answered, operation, body, timeout, trace=trace, room=room)

    async def _answered(
        self,
        operation: Operation,
        body: bytes,
        timeout: float | None = None,  # noqa: ASYNC109
        *,
        trace: str | None = None,
        room: ReservedBytes | None = None,
    ) -> Reply:
        del trace
        self.calls[operation.name] += 1
        if self.closed:
            raise NotSent("the transport is closed")
        seconds = operation.timeout if timeout is None else timeout
        self.running += 1
        try:
            async with asyncio.timeout(seconds):
                reply = await self._call(operation, body)
                if room is not None:
                    await fit(room, len(reply.body))
                return reply
        except TimeoutError:
            raise AnswerLost(f"no answer within {seconds:g} s") from None
        finally:
            self.running -= 1

    async def subscribe(self, operation: Operation, body: bytes) -> EventStream:
        """In memory: events as they are, without frames."""
        self.calls[operation.name] += 1
        if self.closed:
            raise NotSent("the transport is closed")
        try:
            async with asyncio.timeout(operation.timeout):
                fault = self.faults.draw(operation.name)
                if fault is not None and fault.way is Way.HANG:
                    await asyncio.get_running_loop().create_future()
                if fault is not None and fault.way is not Way.LOST_AFTER:
                    raise fault.error()
                await asyncio.sleep(self.latency)
                subscription = self.streams.fan_out.subscribe(body)
                if fault is not None:
                    raise fault.error()
                return subscription
        except TimeoutError:
            raise AnswerLost(f"no answer within {operation.timeout:g} s") from None

    async def close(self) -> None:
        self.closed = True

    async def _call(self, operation: Operation, body: bytes) -> Reply:
        fault = self.faults.draw(operation.name)
        if fault is not None and fault.way is Way.NOT_SENT:
            raise fault.error()
        await asyncio.sleep(self.latency / 2)
        if fault is not None and fault.way is Way.HANG:
            await asyncio.get_running_loop().create_future()
        if fault is not None and fault.way is not Way.LOST_AFTER:
            raise fault.error()
        reply, proved = await self._serve(operation, body)
        if fault is not None:
            raise fault.error()
        await asyncio.sleep(self.latency / 2)
        if proved:
            self._ledgers.note("proved", proved, loop_time())
        return reply

    async def _serve(self, operation: Operation, body: bytes) -> tuple[Reply, frozenset[str]]:
        if operation.service == "lambda":
            return await self._lambda.call(operation, body)
        if operation.service in STREAM_SERVICES:
            answer = self.streams.call(operation, body)
        else:
            assert operation.service == "sqs", f"no fake of {operation.service}"
            answer = await self._sqs.call(operation.name, body)
        headers = {
            "x-amzn-requestid": new_id(),
            "content-type": operation.content_type,
            "date": http_date(self.clock()),
        }
        return Reply(200, headers, answer), frozenset()
