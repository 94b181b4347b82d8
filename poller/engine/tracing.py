"""OpenTelemetry traces: a span for each batch from receive to settle, one within it for each invocation.

Wraps a mapping's source and function, so that a daemon without traces has none of this on its way; it is imported only
where `telemetry.traces` asks for it. What is exported where is said by the standard OTEL_* variables alone.

The batch joins the trace of its messages where all name the same (X-Ray's AWSTraceHeader, else the W3C attribute
`traceparent`), and links to those of messages that differ. The invocation is given its own span to go on from.
"""

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Self, cast

from opentelemetry import context as current
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from poller import __version__
from poller.policy.response import Failed, NotInvoked, Outcome, Succeeded
from poller.policy.trace_header import parse_trace_header
from poller.ports.function import Function
from poller.ports.source import Delivery, Lane, Partition, Source
from poller.values.record import Page, Record

MOST_LINKS = 128
"""Most links of a span, as in the SDK."""
FLUSH_SECONDS = 2.0
"""Seconds to export what is left at the end."""

_W3C = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")


class Tracing:
    """Makes spans for all mappings of the process."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("poller", __version__)

    def source(self, source: Source, *, mapping: str, system: str, name: str) -> Source:
        """The source with a span around each of its batches. `system` is its kind's `messaging_system`."""
        attributes = {
            "messaging.system": system,
            "messaging.operation.type": "process",
            "messaging.destination.name": name,
            "poller.mapping": mapping,
        }
        return cast("Source", _Source(source, _Spans(self._tracer, f"process {name}", attributes)))

    def function(self, function: Function) -> Function:
        """The function with a span around each invocation."""
        return cast("Function", _Function(function, self._tracer))

    def shutdown(self) -> None:
        """Export what is left; blocks until the collector has answered."""
        self._provider.shutdown()

    async def close(self) -> None:
        """Export what is left, for a few seconds at most: traces must not hold up a stop."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def end() -> None:
            self.shutdown()
            # the loop may be gone by then
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(ended.set)

        # not a thread of the loop's pool, whose end would wait for it: a collector that swallows packets takes its time
        threading.Thread(target=end, name="traces", daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await ended.wait()


@asynccontextmanager
async def otlp() -> AsyncIterator[Tracing]:
    """Traces by OTLP over HTTP, to the address of the standard OTEL_EXPORTER_OTLP_* variables."""
    tracing = Tracing(OTLPSpanExporter())
    try:
        yield tracing
    finally:
        await tracing.close()


def _resource() -> Resource:
    """The resource that makes the spans: by OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, else `poller`."""
    said = Resource.create()
    unnamed = str(said.attributes.get("service.name", "unknown_service")).startswith("unknown_service")
    return said.merge(Resource({"service.name": "poller", "service.version": __version__})) if unnamed else said


class _Around:
    """Passes everything on to the wrapped object, except what a subclass defines."""

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)


class _Source(_Around):
    def __init__(self, source: Source, spans: "_Spans") -> None:
        super().__init__(source)
        self._spans = spans

    async def partitions(self) -> AsyncIterator[Partition]:
        async for partition in self._wrapped.partitions():
            yield cast("Partition", _Partition(partition, self._spans))


class _Partition(_Around):
    def __init__(self, partition: Partition, spans: "_Spans") -> None:
        super().__init__(partition)
        self._spans = spans

    async def __aenter__(self) -> Self:
        await self._wrapped.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._wrapped.__aexit__(*error)

    def lane(self) -> Lane:
        return cast("Lane", _Lane(self._wrapped.lane(), self._spans))


class _Lane(_Around):
    def __init__(self, lane: Lane, spans: "_Spans") -> None:
        super().__init__(lane)
        self._spans = spans
        self._received: int | None = None

    async def receive(self, *given: Any, **named: Any) -> Page:
        page: Page = await self._wrapped.receive(*given, **named)
        if self._received is None and page.records:
            self._received = time.time_ns()
        return page

    async def unfinished(self) -> Delivery | None:
        delivery: Delivery | None = await self._wrapped.unfinished()
        return None if delivery is None else self._traced(delivery, delivery.remaining())

    def delivery(self, records: Sequence[Record]) -> Delivery:
        return self._traced(self._wrapped.delivery(records), records)

    def _traced(self, delivery: Delivery, records: Sequence[Record]) -> Delivery:
        span = self._spans.batch(records, self._wrapped, self._received)
        self._received = None
        return cast("Delivery", _Delivery(delivery, span))


class _Delivery(_Around):
    """Runs in its lane's task, where its span is the current one until the batch is over."""

    def __init__(self, delivery: Delivery, span: Span) -> None:
        super().__init__(delivery)
        self._span: Span | None = span
        self._token = current.attach(set_span_in_context(span))

    def report(self, outcome: Outcome, now: float, chance: Any) -> None:
        self._wrapped.report(outcome, now, chance)
        if self._span is not None and self._wrapped.failure is not None:
            self._span.add_event("batch failed", {"why": self._wrapped.failure, "records": self._wrapped.failed})

    def remaining(self) -> list[Record]:
        """Called once, when the batch is over for whatever reason."""
        left: list[Record] = self._wrapped.remaining()
        if self._span is not None:
            if left:
                self._span.set_attribute("poller.returned", len(left))
            self._span.end()
            self._span = None
            current.detach(self._token)
        return left


class _Spans:
    """Begins a mapping's spans."""

    def __init__(self, tracer: Tracer, name: str, attributes: dict[str, str]) -> None:
        self._tracer = tracer
        self._name = name
        self._attributes = attributes

    def batch(self, records: Sequence[Record], lane: Lane, received: int | None) -> Span:
        """`received` is the time of the first record in nanoseconds since the epoch; None for now."""
        xray = lane.trace(records) if records else None
        parent = None if xray is None else parse_xray(xray)
        links: list[Link] = []
        if parent is None:
            named = lane.traceparents(records)
            parsed = [found for text in sorted(named - {None}, key=str) if (found := parse_w3c(str(text)))]
            if len(named) == 1 and parsed:
                parent = parsed[0]
            else:
                links = [Link(found) for found in parsed[:MOST_LINKS]]
        above = current.Context() if parent is None else set_span_in_context(NonRecordingSpan(parent))
        return self._tracer.start_span(
            self._name,
            above,
            SpanKind.CONSUMER,
            self._attributes | {"messaging.batch.message_count": len(records)},
            links,
            received,
        )


class _Function(_Around):
    def __init__(self, function: Function, tracer: Tracer) -> None:
        super().__init__(function)
        self._tracer = tracer
        self._span_name = f"invoke {function.name}"

    async def invoke(self, event: bytes, trace: str | None = None) -> Outcome:
        """Invoke with the invocation's own span, in the trace of the batch, for the function to continue."""
        attributes = {"faas.invoked_name": self._wrapped.name, "messaging.message.body.size": len(event)}
        with self._tracer.start_as_current_span(self._span_name, kind=SpanKind.CLIENT, attributes=attributes) as span:
            own = span.get_span_context()
            # OTEL_SDK_DISABLED leaves it without a span
            outcome: Outcome = await self._wrapped.invoke(event, as_xray(own) if own.is_valid else trace)
            _tell(span, outcome)
            return outcome


def _tell(span: Span, outcome: Outcome) -> None:
    match outcome:
        case Succeeded(request_id=request_id):
            if request_id:
                span.set_attribute("faas.invocation_id", request_id)
        case Failed(error=error):
            span.set_attribute("error.type", error)
            span.set_status(Status(StatusCode.ERROR, outcome.detail))
        case NotInvoked(code=code):
            span.set_attribute("error.type", code)
            span.set_status(Status(StatusCode.ERROR, f"not invoked: {outcome.detail}"))
        case _:
            span.set_attribute("error.type", "too_large")


def parse_xray(header: str) -> SpanContext | None:
    """The span that `Root=1-…;Parent=…;Sampled=1` names; None without a parent."""
    found = parse_trace_header(header)
    return None if found is None else _context(found.trace_id, found.span_id, int(found.sampled))


def parse_w3c(traceparent: str) -> SpanContext | None:
    """The span that `00-TRACE-SPAN-FLAGS` names; None for any other text."""
    found = _W3C.fullmatch(traceparent.strip().lower())
    return None if found is None else _context(found[1], found[2], int(found[3], 16))


def as_xray(span: SpanContext) -> str:
    """The span as the X-Amzn-Trace-Id header."""
    trace_id, sampled = f"{span.trace_id:032x}", int(span.trace_flags.sampled)
    return f"Root=1-{trace_id[:8]}-{trace_id[8:]};Parent={span.span_id:016x};Sampled={sampled}"


def _context(trace_id: str, span_id: str, flags: int) -> SpanContext | None:
    context = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(flags))
    return context if context.is_valid else None
