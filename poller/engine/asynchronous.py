"""Invokes a function for callers that do not wait: retries by Lambda's rules, and tells destinations what came of it.

It stands in the place of the function of a mapping whose queue keeps the events. A message leaves the queue once what
follows from its event is safe: it was queued again, or its destination has the record. Otherwise it becomes visible
again, and the function is invoked once more.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from poller.aws.transports import Borrowed
from poller.configuration import EventSourceMapping
from poller.configuration.model.asynchronous import Asynchronous
from poller.destinations.kinds import kind_of
from poller.functions.arns import arn_of
from poller.policy.asynchronous import Accepted, Again, Condition, after, is_too_old, read_accepted, record_of
from poller.policy.response import Failed, NotInvoked, Outcome, Succeeded, TooLarge
from poller.ports.destination import Destination, EventQueue
from poller.ports.function import Function
from poller.support import codec, telemetry
from poller.values.errors import CallError

TRIES = 3
"""Of a call to the queue or a destination, with pauses of one second and two."""
CALLS_SECONDS = 50.0
"""For what follows an invocation."""
MOST_MESSAGE_BYTES = 16 * 1024 * 1024
"""Of a queue's largest message as an event has it."""
BESIDE = "poller"
"""The attribute beside whose message an event's count stands."""


async def event_queue(mapping: EventSourceMapping, transports: Borrowed) -> EventQueue:
    """The queue of the mapping. Makes no call."""
    assert mapping.asynchronous is not None
    build = kind_of(mapping.asynchronous.queue).event_queue
    assert build is not None, "the configuration has checked that it is a queue"
    return await build(mapping, mapping.asynchronous.queue, transports)


async def asynchronous_function(
    mapping: EventSourceMapping, function: Function, transports: Borrowed, wall: Callable[[], float]
) -> "AsynchronousFunction":
    """What a mapping with `asynchronous` invokes. `wall` tells the seconds since the epoch. Makes no call."""
    settings = mapping.asynchronous
    assert settings is not None

    async def built(arn: str | None) -> Destination | None:
        return None if arn is None else await kind_of(arn).build(mapping, arn, transports)

    told = {True: await built(settings.on_success), False: await built(settings.on_failure)}
    queue = await event_queue(mapping, transports)
    return AsynchronousFunction(function, settings, arn_of(mapping), queue=queue, told=told, wall=wall)


class AsynchronousFunction:
    """A `Function` whose events are messages of the queue."""

    def __init__(
        self,
        function: Function,
        settings: Asynchronous,
        arn: str,
        *,
        queue: EventQueue,
        told: dict[bool, Destination | None],
        wall: Callable[[], float],
    ) -> None:
        """`told` are the destinations of successes (True) and failures."""
        self._function = function
        self._settings = settings
        self._arn = arn
        self._queue = queue
        self._told = told
        self._wall = wall
        self.name = function.name
        self.payload_limit = MOST_MESSAGE_BYTES
        self.timeout = function.timeout + CALLS_SECONDS
        self.refresh = function.refresh
        self.close = function.close

    async def invoke(self, event: bytes, trace: str | None = None) -> Outcome:
        """See `Function.invoke`; `event` has one message."""
        [message] = codec.loads(event)["Records"]
        accepted, payload = _read(message), str(message["body"]).encode("utf-8", "surrogatepass")
        rules = self._settings.rules
        if is_too_old(accepted, rules, self._wall()):
            why = Failed("event_too_old", f"it was accepted more than {rules.maximum_event_age_in_seconds} s ago")
            return await self._end("EventAgeExceeded", accepted, payload, None, why)
        if len(payload) > self._function.payload_limit:
            outcome: Outcome = TooLarge(f"{len(payload)} bytes, the function accepts {self._function.payload_limit}")
        else:
            outcome = await self._function.invoke(payload, trace)
        if isinstance(outcome, NotInvoked):
            return outcome
        next_one = after(outcome, accepted, rules, self._wall())
        failed = _failed(outcome)
        if isinstance(next_one, Again):
            body, beside = payload.decode("utf-8", "surrogatepass"), next_one.event.text()
            return await self._call(
                lambda: self._queue.put(body, beside=beside, delay=next_one.delay), accepted, failed
            )
        return await self._end(next_one.condition, accepted, payload, outcome, failed)

    async def _end(
        self,
        condition: Condition,
        accepted: Accepted,
        payload: bytes,
        outcome: Succeeded | Failed | TooLarge | None,
        failed: Failed | None,
    ) -> Outcome:
        """Tell the destination of that end, where there is one."""
        destination = self._told[failed is None]
        if failed is not None and destination is None:
            telemetry.logger().warning(
                "asynchronous_event_dropped", function=self.name, request_id=accepted.id, condition=condition
            )
        if destination is None:
            return Succeeded() if failed is None else _kept(failed)
        now = self._wall()
        record: dict[str, Any] = record_of(condition, accepted, outcome, function_arn=self._arn, now=now)
        answer = outcome.body if isinstance(outcome, Succeeded | Failed) else b""
        parts = list(record.items())
        # after the context of the request, as Lambda has it
        parts.insert(3, ("requestPayload", codec.verbatim(payload)))
        if "responseContext" in record:
            parts.append(("responsePayload", codec.verbatim(answer or b"null")))
        whole = dict(parts)
        return await self._call(
            lambda: destination.send(whole, batch_event=b"", shard_id="asynchronous", now=now), accepted, failed
        )

    async def _call(
        self, call: Callable[[], Awaitable[None]], accepted: Accepted, failed: Failed | None
    ) -> Succeeded | Failed:
        """The outcome once the call was made, or has failed for good."""
        for number in range(TRIES):
            try:
                await call()
            except CallError as error:
                if number == TRIES - 1:
                    telemetry.logger().error(
                        "asynchronous_event_not_settled", function=self.name, request_id=accepted.id, text=str(error)
                    )
                    return Failed("not_settled", f"what follows the invocation could not be sent: {error}")
                await asyncio.sleep(number + 1)
            else:
                break
        return Succeeded() if failed is None else _kept(failed)


def _failed(outcome: Succeeded | Failed | TooLarge) -> Failed | None:
    if isinstance(outcome, TooLarge):
        return Failed("too_large", outcome.detail)
    return outcome if isinstance(outcome, Failed) else None


def _kept(failed: Failed) -> Failed:
    return Failed(
        failed.error,
        failed.detail,
        failed.request_id,
        failed.executed_version,
        failed.status,
        failed.function_error,
        failed.logs,
        kept=True,
    )


def _read(message: dict[str, Any]) -> Accepted:
    beside = message["messageAttributes"].get(BESIDE, {}).get("stringValue")
    sent = float(message["attributes"].get("SentTimestamp", 0)) / 1000
    return read_accepted(beside, message_id=message["messageId"], sent=sent)
